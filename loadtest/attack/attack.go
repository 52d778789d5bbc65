// Package attack sends the requests of a scenario when they are due and says what became of each.
//
//	schedule ─due─> dispatcher ─one of N slots─> goroutine ─pool of connections─> Outcome ─> record
//
// It is an open loop: a slow server moves no due time. The slots bound requests in flight; a request that has to wait for one is
// late, its latency still counts from when it was due, and the wait is told apart from the client's own lateness. Phases that
// ask for a closed loop have users in place of a schedule (closed.go).
package attack

import (
	"context"
	"fmt"
	"sync"
	"time"

	"sluice/loadtest/scenario"
)

// Outcome is what became of one request. Times are counted from the start of the run.
type Outcome struct {
	Phase   int
	Target  int
	Due     time.Duration // in a closed loop, when it was sent
	Sent    time.Duration // when it was handed to the connection pool; for Kind Unsent, when it was given up
	Done    time.Duration // when the whole answer was read, or the error was there
	Blocked time.Duration // part of Sent-Due in which all slots were taken
	Status  int           // 0 without an answer
	Kind    Kind          // "" when all went well
	Err     error         // of Kind, when there is more to say than the status
	Retries int           // times it was sent again on another connection
	Dialed  int           // connections opened for it
}

// Latency is the time from when the request was due to its end.
func (o Outcome) Latency() time.Duration { return o.Done - o.Due }

// Service is the time from sending to the end: what a closed loop would report.
func (o Outcome) Service() time.Duration { return o.Done - o.Sent }

// Lateness is by how much the client itself was late: neither waiting for a slot nor the server's doing.
func (o Outcome) Lateness() time.Duration { return max(0, o.Sent-o.Due-o.Blocked) }

// grace is how long requests in flight may go on after an interrupt.
const grace = 2 * time.Second

// Run carries out the scenario's phases. It calls record once for every request, from many goroutines, and returns when the last
// phase is over and the last request has ended. When ctx ends, no further request is sent, those in flight have two seconds to
// end, and those cut off then are recorded as Cut. The answer is the time at which sending stopped.
func Run(ctx context.Context, s *scenario.Scenario, schedule scenario.Schedule, start time.Time, record func(Outcome)) (time.Duration, error) {
	inFlight, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	targets, closeAll, err := prepare(inFlight, s)
	if err != nil {
		return 0, err
	}
	defer closeAll()
	r := &run{
		ctx: inFlight, targets: targets, mix: scenario.Mix(s.Targets), timeout: s.Timeout, start: start, record: record,
		slots: make(chan struct{}, s.Connections),
	}
	var closed sync.WaitGroup
	for i, p := range s.Phases {
		if p.Kind == scenario.Closed {
			closed.Go(func() { r.closed(ctx, s, i) })
		}
	}
	stopped := r.dispatch(ctx, schedule)
	closed.Wait()
	if ctx.Err() != nil {
		timer := time.AfterFunc(grace, cut)
		defer timer.Stop()
	}
	r.wait.Wait()
	return stopped, nil
}

type run struct {
	ctx     context.Context
	targets []target
	mix     []int
	timeout time.Duration
	start   time.Time
	record  func(Outcome)
	slots   chan struct{}
	wait    sync.WaitGroup
}

// dispatch starts every request when it is due, or as soon after as a slot is free, and returns at the end of the last phase.
func (r *run) dispatch(ctx context.Context, schedule scenario.Schedule) time.Duration {
	clock := newClock(ctx)
	defer clock.close()
	var freed time.Duration // when the dispatcher last stopped waiting for a slot
	for n := range schedule.Len() {
		due, phase := schedule.Due(n)
		if !clock.sleepUntil(r.start.Add(due)) {
			return time.Since(r.start)
		}
		out := Outcome{Phase: phase, Target: r.mix[n%len(r.mix)], Due: due}
		blocked, ok := r.slot(ctx, due+r.timeout)
		if blocked {
			freed = time.Since(r.start)
		}
		out.Blocked = max(0, freed-due)
		if !ok {
			now := time.Since(r.start)
			if ctx.Err() != nil {
				return now
			}
			out.Sent, out.Done, out.Kind = now, now, Unsent
			out.Err = fmt.Errorf("send request: its time was over before one of %d connections was free", cap(r.slots))
			r.record(out)
			continue
		}
		r.wait.Add(1)
		go func() {
			defer r.wait.Done()
			r.send(out)
		}()
	}
	if !clock.sleepUntil(r.start.Add(schedule.Duration())) {
		return time.Since(r.start)
	}
	return schedule.Duration()
}

// slot takes a slot, waiting for one until the given time after the start. It takes none when that time is over.
func (r *run) slot(ctx context.Context, until time.Duration) (blocked, ok bool) {
	left := until - time.Since(r.start)
	if left <= 0 {
		return false, false
	}
	select {
	case r.slots <- struct{}{}:
		return false, true
	default:
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case r.slots <- struct{}{}:
		return true, true
	case <-timer.C:
	case <-ctx.Done():
	}
	return true, false
}

// send makes one request and records it. The timeout counts from when the request was due, as for the user who waits for it.
func (r *run) send(out Outcome) {
	t := r.targets[out.Target]
	out.Sent = time.Since(r.start)
	a := t.sender.send(t.request, r.start.Add(out.Due+r.timeout))
	out.Done = time.Since(r.start)
	<-r.slots
	out.Status, out.Err, out.Retries, out.Dialed = a.status, a.err, a.retries, a.dialed
	out.Kind = classify(a.status, a.err)
	if a.err != nil && r.ctx.Err() != nil {
		out.Kind = Cut
	}
	r.record(out)
}
