package attack

import (
	"context"
	"time"
)

// sleepUntil waits for the given moment and says whether ctx still goes on then. A moment that has passed costs nothing.
func sleepUntil(ctx context.Context, at time.Time) bool {
	wait := time.Until(at)
	if wait <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
