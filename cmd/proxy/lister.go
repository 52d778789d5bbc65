package main

import (
	"context"
	"errors"
	"time"

	"sluice/internal/swarm"
)

// notifyLabel is what a service must carry to be listed at all; the engine filters by it.
const notifyLabel = "com.df.notify"

// swarmReader is the read access to the swarm that routing needs.
type swarmReader interface {
	Services(ctx context.Context, f swarm.Filter) ([]swarm.Service, error)
	Tasks(ctx context.Context, serviceIDs []string) ([]swarm.Task, error)
	Networks(ctx context.Context) ([]swarm.Network, error)
}

// noSwarm is the swarm of a proxy without one: it is always complete and empty.
type noSwarm struct{}

func (noSwarm) Services(context.Context, swarm.Filter) ([]swarm.Service, error) { return nil, nil }
func (noSwarm) Tasks(context.Context, []string) ([]swarm.Task, error)           { return nil, nil }
func (noSwarm) Networks(context.Context) ([]swarm.Network, error)               { return nil, nil }
func (noSwarm) Close() error                                                    { return nil }

// lister asks the swarm and keeps what it has told.
type lister struct {
	swarm  swarmReader
	hurry  chan struct{} // holds a signal when something cannot wait for the swarm; nil never does
	known  known
	last   listing   // the last complete one
	away   error     // of the last attempt
	asked  time.Time // when it ended
	hinted time.Time // when the last event came

	round  *round // under way; nil without one
	forgot bool   // since it began
}

// round is an attempt to list and, when that stays without an answer, further ones beside it: the one may hang for ever, at a
// manager whose leader is lost, or just have much to tell. The first good answer ends it.
type round struct {
	began, latest time.Time // when the first attempt began, and the last one
	open          int       // attempts without an answer
	answers       chan answer
	ctx           context.Context
	end           context.CancelFunc
}

// answer is what an attempt to list gave.
type answer struct {
	known known
	took  time.Duration
	err   error
}

// A manager's engine that hangs must not hold up what the API waits for.
const (
	listTimeout = 30 * time.Second // of an attempt
	listAgain   = 10 * time.Second // until the next one beside it
	listBeside  = 3                // attempts under way
	awayPause   = 5 * time.Second  // while the engine is away and the API waits, it is asked so often
	hurryPause  = 200 * time.Millisecond
	awayAfter   = 3 * time.Second // what was listed last is used when the engine has not answered for so long
)

var errNoAnswer = errors.New("list the swarm: no answer yet")

// look answers the swarm as it is. While it cannot be read that is an error, and the listing is the last complete one.
func (l *lister) look(ctx context.Context, now time.Time, apiWaits bool) (listing, error) {
	if l.away != nil && l.last.complete && apiWaits && now.Sub(l.asked) < awayPause {
		return l.last, l.away
	}
	if l.round == nil {
		l.begin(ctx, now)
	} else if l.round.open < listBeside && time.Since(l.round.latest) >= listAgain {
		l.ask(time.Now())
	}
	var enough <-chan time.Time
	hurry := l.hurry
	if l.last.complete {
		enough = time.After(awayAfter - time.Since(l.round.began))
	} else {
		hurry = nil // there is nothing to go on with
	}
	for {
		select {
		case a := <-l.round.answers:
			if l.round.ends(a) {
				return l.take(a)
			}
		case <-l.round.again():
			l.ask(time.Now())
		case <-hurry:
			enough = time.After(min(hurryPause, awayAfter-time.Since(l.round.began)))
		case <-enough:
			select {
			case a := <-l.round.answers:
				if l.round.ends(a) {
					return l.take(a)
				}
			default:
			}
			if time.Since(l.round.began) >= awayAfter {
				return l.last, errNoAnswer
			}
			return l.last, nil
		case <-ctx.Done():
			return l.last, ctx.Err()
		}
	}
}

// take makes an answer the last one.
func (l *lister) take(a answer) (listing, error) {
	l.round.end()
	l.round, l.away, l.asked = nil, a.err, time.Now()
	if a.err == nil {
		l.last, l.known = a.known.listing(l.last), a.known
		l.last.took = a.took
	}
	if l.forgot {
		l.known.listed = time.Time{}
	}
	return l.last, a.err
}

// begin begins to list. While no answer comes the last listing is what there is, and a later look takes the answer.
func (l *lister) begin(ctx context.Context, now time.Time) {
	r := &round{began: now, answers: make(chan answer, listBeside)}
	r.ctx, r.end = context.WithCancel(context.WithoutCancel(ctx))
	l.round, l.forgot = r, false
	l.ask(now)
}

// ask makes an attempt.
func (l *lister) ask(now time.Time) {
	r, from, before := l.round, l.swarm, l.known
	r.latest, r.open = now, r.open+1
	go func() {
		ctx, cancel := context.WithTimeout(r.ctx, listTimeout)
		defer cancel()
		next, err := before.next(ctx, from, now)
		r.answers <- answer{next, time.Since(now), err}
	}()
}

// ends tells whether an answer is that of the round: a bad one is not while another may come.
func (r *round) ends(a answer) bool {
	r.open--
	return a.err == nil || r.open == 0
}

// again is when to make another attempt; nil is never.
func (r *round) again() <-chan time.Time {
	if r.open == listBeside {
		return nil
	}
	return time.After(listAgain - time.Since(r.latest))
}

// forget makes the next list read the services again.
func (l *lister) forget() { l.known.listed, l.forgot = time.Time{}, true }

// hint takes note of an event, whatever it is about.
func (l *lister) hint(now time.Time) {
	l.forget()
	l.hinted = now
}

// unsure tells whether an event may be about what no list has shown yet: it may be about any task, and come first.
func (l *lister) unsure() bool { return l.known.whole.Before(l.hinted.Add(fastAfter)) }
