package main

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"sluice/routing"
)

// gate keeps a task from traffic until its port takes connections. The swarm calls a task without a health check
// running as soon as its process exists; HAProxy would give it requests before it listens. Without this, scaling from
// 1 to 10 slow starters would send most requests to tasks that refuse, more often than `retries 3` can mend.
type gate struct {
	open  map[netip.AddrPort]bool  // has taken a connection, and stands in the table since
	tries map[netip.AddrPort]*try  // under way
	said  map[netip.AddrPort]error // by the last try, until the next one has ended
	dial  func(ctx context.Context, addr netip.AddrPort) error
}

// try is an attempt to connect, which goes on beside the steps.
type try struct {
	ended chan struct{}
	err   error // once it has ended
}

const (
	dialTimeout    = 250 * time.Millisecond // of one
	dialPatience   = 25 * time.Millisecond  // of a step with all of them: tasks that leave, or listen, must not wait for those that say nothing
	dialConcurrent = 128
)

var (
	errNotTried  = errors.New("it has not been tried yet")
	errNotOpened = errors.New("it has not answered yet")
)

// undecided tells whether an address has neither taken a connection nor said that it takes none.
func undecided(why error) bool {
	var late net.Error
	return errors.Is(why, errNotTried) || errors.Is(why, errNotOpened) || errors.As(why, &late) && late.Timeout()
}

func newGate() *gate {
	return &gate{open: map[netip.AddrPort]bool{}, tries: map[netip.AddrPort]*try{}, said: map[netip.AddrPort]error{}, dial: connect}
}

func connect(ctx context.Context, addr netip.AddrPort) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", addr.String())
	if err != nil {
		return err
	}
	return conn.Close()
}

// closed answers the addresses of the table that take no connection yet, with the reason. What HAProxy already serves
// is not asked: a task that is busy must not be taken away. Nor is it waited for longer than patience.
func (g *gate) closed(ctx context.Context, t routing.Table, serving map[netip.AddrPort]bool, patience time.Duration) map[netip.AddrPort]error {
	present := map[netip.AddrPort]bool{}
	var ask []netip.AddrPort
	for _, b := range t.Backends {
		for _, s := range b.Servers {
			if !present[s.Addr] && !g.open[s.Addr] && !serving[s.Addr] {
				ask = append(ask, s.Addr)
			}
			present[s.Addr] = true
		}
	}
	left := func(addr netip.AddrPort) bool { return !present[addr] } // the address may be given to another task
	maps.DeleteFunc(g.open, func(addr netip.AddrPort, _ bool) bool { return left(addr) })
	maps.DeleteFunc(g.tries, func(addr netip.AddrPort, _ *try) bool { return left(addr) })
	maps.DeleteFunc(g.said, func(addr netip.AddrPort, _ error) bool { return left(addr) })
	// Where not all have a turn, it is not always the same ones that wait behind those that never answer.
	rand.Shuffle(len(ask), func(i, j int) { ask[i], ask[j] = ask[j], ask[i] })
	return g.ask(ctx, ask, patience)
}

func (g *gate) ask(ctx context.Context, ask []netip.AddrPort, patience time.Duration) map[netip.AddrPort]error {
	closed := map[netip.AddrPort]error{}
	enough := time.After(patience)
	for _, addr := range ask {
		if g.tries[addr] == nil && len(g.tries) < dialConcurrent {
			g.tries[addr] = g.begin(ctx, addr)
		}
	}
	late := false
	for _, addr := range ask {
		one := g.tries[addr]
		if one == nil {
			closed[addr] = cmp.Or(g.said[addr], errNotTried)
			continue
		}
		if !late {
			select {
			case <-one.ended:
			case <-enough:
				late = true
			}
		}
		select {
		case <-one.ended:
			delete(g.tries, addr)
			g.open[addr] = one.err == nil
			if g.said[addr] = one.err; one.err != nil {
				closed[addr] = one.err
			}
		default:
			closed[addr] = cmp.Or(g.said[addr], errNotOpened)
		}
	}
	return closed
}

// begin connects beside the step, whose end does not end it.
func (g *gate) begin(ctx context.Context, addr netip.AddrPort) *try {
	one := &try{ended: make(chan struct{})}
	go func() {
		defer close(one.ended)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), dialTimeout)
		defer cancel()
		one.err = g.dial(ctx, addr)
	}()
	return one
}
