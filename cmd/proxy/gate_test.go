package main

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"sluice/routing"
)

// TestTasksThatNeverAnswerHoldUpNobody has a thousand tasks that swallow what is sent to them beside one that listens.
func TestTasksThatNeverAnswerHoldUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		defer time.Sleep(dialTimeout) // until all tries have ended
		listens := netip.MustParseAddrPort("10.1.0.1:80")
		backend := routing.Backend{Servers: []routing.Server{{Addr: listens}}}
		for i := range 1000 {
			backend.Servers = append(backend.Servers, routing.Server{Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 80)})
		}
		g := newGate()
		g.dial = func(ctx context.Context, addr netip.AddrPort) error {
			if addr == listens {
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		}
		table := routing.Table{Backends: []routing.Backend{backend}}
		for steps := 1; ; steps++ {
			began := time.Now()
			closed := g.closed(t.Context(), table, nil, dialPatience)
			if took := time.Since(began); took > dialPatience {
				t.Fatalf("a step waits %s", took)
			}
			if _, waits := closed[listens]; !waits {
				if len(closed) != 1000 {
					t.Errorf("%d are closed", len(closed))
				}
				return
			} else if steps == 1000 {
				t.Fatal("the one that listens never has its turn")
			}
		}
	})
}

func TestWhatServesIsNotAskedAndWhatLeftIsForgotten(t *testing.T) {
	addr := netip.MustParseAddrPort("10.0.0.1:80")
	table := routing.Table{Backends: []routing.Backend{{Servers: []routing.Server{{Addr: addr}}}}}
	asked := 0
	g := newGate()
	g.dial = func(context.Context, netip.AddrPort) error { asked++; return nil }
	g.closed(t.Context(), table, map[netip.AddrPort]bool{addr: true}, dialPatience)
	if asked != 0 {
		t.Error("a task that serves is asked")
	}
	g.closed(t.Context(), table, nil, dialPatience)
	g.closed(t.Context(), table, nil, dialPatience)
	if asked != 1 {
		t.Errorf("it is asked %d times", asked)
	}
	g.closed(t.Context(), routing.Table{}, nil, dialPatience)
	g.dial = func(context.Context, netip.AddrPort) error { return errors.New("refused") }
	if closed := g.closed(t.Context(), table, nil, dialPatience); closed[addr] == nil {
		t.Error("the address of a task that left is believed")
	}
}

func TestATaskThatAnswersLateIsNotAskedTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		defer time.Sleep(dialTimeout) // until all tries have ended
		addr := netip.MustParseAddrPort("10.0.0.1:80")
		table := routing.Table{Backends: []routing.Backend{{Servers: []routing.Server{{Addr: addr}}}}}
		asked := 0
		g := newGate()
		g.dial = func(context.Context, netip.AddrPort) error { asked++; time.Sleep(100 * time.Millisecond); return nil }
		if closed := g.closed(t.Context(), table, nil, dialPatience); closed[addr] == nil {
			t.Error("it is open before it has answered")
		}
		if closed := g.closed(t.Context(), table, nil, dialTimeout); closed[addr] != nil || asked != 1 {
			t.Errorf("when it has answered: %v, asked %d times", closed, asked)
		}
	})
}

func TestAnAnswerFromBeforeATaskLeftIsNotThatOfTheNextOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		defer time.Sleep(dialTimeout) // until all tries have ended
		addr := netip.MustParseAddrPort("10.0.0.1:80")
		table := routing.Table{Backends: []routing.Backend{{Servers: []routing.Server{{Addr: addr}}}}}
		g := newGate()
		g.dial = func(context.Context, netip.AddrPort) error { time.Sleep(100 * time.Millisecond); return nil }
		g.closed(t.Context(), table, nil, dialPatience)
		g.closed(t.Context(), routing.Table{}, nil, dialPatience)
		g.dial = func(context.Context, netip.AddrPort) error { return errors.New("refused") }
		synctest.Wait()
		if closed := g.closed(t.Context(), table, nil, dialTimeout); closed[addr] == nil {
			t.Error("the address of a task that left is believed")
		}
	})
}
