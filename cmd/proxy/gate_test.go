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
			closed := g.closed(t.Context(), table, nil)
			if took := time.Since(began); took > dialTimeout {
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
	g.closed(t.Context(), table, map[netip.AddrPort]bool{addr: true})
	if asked != 0 {
		t.Error("a task that serves is asked")
	}
	g.closed(t.Context(), table, nil)
	g.closed(t.Context(), table, nil)
	if asked != 1 {
		t.Errorf("it is asked %d times", asked)
	}
	g.closed(t.Context(), routing.Table{}, nil)
	g.dial = func(context.Context, netip.AddrPort) error { return errors.New("refused") }
	if closed := g.closed(t.Context(), table, nil); closed[addr] == nil {
		t.Error("the address of a task that left is believed")
	}
}
