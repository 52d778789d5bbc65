//go:build !linux

package attack

import (
	"context"
	"time"
)

// clock wakes the dispatcher, as punctually as the runtime's timers are.
type clock struct{ ctx context.Context }

func newClock(ctx context.Context) *clock { return &clock{ctx} }

func (c *clock) sleepUntil(at time.Time) bool { return sleepUntil(c.ctx, at) }

func (c *clock) close() {}
