package attack

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"sluice/loadtest/scenario"
)

// closed carries out a closed phase: every user sends, waits for the answer, thinks, and sends again until the phase is over. Nothing
// is due in it. The limits of the scenario hold all the same: users are slowed down to its rate and stop at its number of requests.
func (r *run) closed(ctx context.Context, s *scenario.Scenario, phase int) {
	from, to, _ := s.Window(s.Phases[phase].Name)
	p := s.Phases[phase]
	var sent atomic.Int64 // requests of the phase
	turns := turns{gap: gap(s.Limit.Rate)}
	var users sync.WaitGroup
	for user := range p.Users {
		users.Go(func() {
			// Users that think do not all begin in the same moment.
			at := from + p.Think*time.Duration(user)/time.Duration(p.Users)
			for {
				at = turns.next(at)
				if at >= to || !sleepUntil(ctx, r.start.Add(at)) {
					return
				}
				n := sent.Add(1)
				if s.Limit.Requests > 0 && n > int64(s.Limit.Requests) {
					return
				}
				if _, ok := r.slot(ctx, to); !ok {
					return
				}
				now := time.Since(r.start)
				r.send(Outcome{Phase: phase, Target: r.mix[int(n-1)%len(r.mix)], Due: now})
				at = time.Since(r.start) + p.Think
			}
		})
	}
	users.Wait()
}

func gap(rate float64) time.Duration {
	if rate <= 0 {
		return 0
	}
	return time.Duration(float64(time.Second) / rate)
}

// turns keeps requests of many users apart by a gap.
type turns struct {
	gap  time.Duration
	mu   sync.Mutex
	free time.Duration // when the next may go
}

// next gives the first free moment that is not before at.
func (t *turns) next(at time.Duration) time.Duration {
	if t.gap == 0 {
		return at
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	// A moment in the past cannot be used by anyone any more; a user who thinks long does not hold up the others.
	if t.free < at-t.gap {
		t.free = at - t.gap
	}
	at = max(at, t.free)
	t.free += t.gap
	return at
}
