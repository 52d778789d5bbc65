package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"

	"sluice/routing"
)

// gate keeps a task from traffic until its port takes connections. The swarm calls a task without a health check
// running as soon as its process exists; HAProxy would give it requests before it listens. Without this, scaling from
// 1 to 10 slow starters would send most requests to tasks that refuse, more often than `retries 3` can mend.
type gate struct {
	open map[netip.AddrPort]bool // has taken a connection, and stands in the table since
	dial func(ctx context.Context, addr netip.AddrPort) error
}

const (
	dialTimeout    = 250 * time.Millisecond // of one, and of all of a step: tasks that leave must not wait for those that come
	dialConcurrent = 128
)

var errNotTried = errors.New("it has not been tried yet")

func newGate() *gate { return &gate{open: map[netip.AddrPort]bool{}, dial: connect} }

func connect(ctx context.Context, addr netip.AddrPort) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", addr.String())
	if err != nil {
		return err
	}
	return conn.Close()
}

// closed answers the addresses of the table that take no connection yet, with the reason. What HAProxy already serves
// is not asked: a task that is busy must not be taken away.
func (g *gate) closed(ctx context.Context, t routing.Table, serving map[netip.AddrPort]bool) map[netip.AddrPort]error {
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
	for addr := range g.open {
		if !present[addr] {
			delete(g.open, addr) // the address may be given to another task
		}
	}
	// Where not all have a turn, it is not always the same ones that wait behind those that never answer.
	rand.Shuffle(len(ask), func(i, j int) { ask[i], ask[j] = ask[j], ask[i] })
	return g.try(ctx, ask)
}

func (g *gate) try(ctx context.Context, ask []netip.AddrPort) map[netip.AddrPort]error {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	var mu sync.Mutex
	closed := map[netip.AddrPort]error{}
	var wait sync.WaitGroup
	slots := make(chan struct{}, dialConcurrent)
	for _, addr := range ask {
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			err := errNotTried
			if ctx.Err() == nil {
				err = g.dial(ctx, addr)
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				closed[addr] = err
			} else {
				g.open[addr] = true
			}
		})
	}
	wait.Wait()
	return closed
}
