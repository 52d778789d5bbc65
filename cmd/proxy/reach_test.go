package main

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"sluice/routing"
)

// ether is what answers a knock: all addresses but those that are silent.
type ether struct {
	mu     sync.Mutex
	silent map[netip.Addr]bool
	asked  int
}

func (e *ether) set(addr string, silent bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.silent == nil {
		e.silent = map[netip.Addr]bool{}
	}
	e.silent[netip.MustParseAddr(addr)] = silent
}

func (e *ether) knock(ctx context.Context, addr netip.Addr) error {
	e.mu.Lock()
	e.asked++
	silent := e.silent[addr]
	e.mu.Unlock()
	if !silent {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

// reached is a reach over tasks a1, a2 on node a and b1 on node b, with what it leaves out.
type reached struct {
	*reach
	ether
	table  routing.Table
	nodeOf map[netip.Addr]string
	told   int
}

func newReached(t *testing.T, backends ...[]string) *reached {
	r := &reached{nodeOf: map[netip.Addr]string{}}
	for _, addr := range []string{"10.0.1.1", "10.0.1.2", "10.0.2.1"} {
		r.nodeOf[netip.MustParseAddr(addr)] = "node " + addr[5:6]
	}
	for _, addresses := range backends {
		var b routing.Backend
		for _, addr := range addresses {
			b.Servers = append(b.Servers, routing.Server{Addr: netip.AddrPortFrom(netip.MustParseAddr(addr), 80)})
		}
		r.table.Backends = append(r.table.Backends, b)
	}
	r.reach = newReach(func() { r.told++ }, zerolog.Nop())
	r.reach.knock = r.ether.knock
	return r
}

// out is what stays out after a while.
func (r *reached) out(waiting ...string) (out []string) {
	closed := map[netip.AddrPort]error{}
	for _, addr := range waiting {
		closed[netip.MustParseAddrPort(addr)] = errors.New("it takes no connection yet")
	}
	seen := map[string]bool{}
	left := r.closed(r.table, closed, r.nodeOf)
	for _, b := range r.table.Backends {
		for _, s := range b.Servers {
			if left[s.Addr] != nil && !seen[s.Addr.String()] {
				seen[s.Addr.String()] = true
				out = append(out, s.Addr.String())
			}
		}
	}
	return out
}

func TestTasksOfASilentNodeAreLeftOutUntilItAnswers(t *testing.T) {
	all := []string{"10.0.1.1", "10.0.1.2", "10.0.2.1"}
	tests := []struct {
		name     string
		backends [][]string
		silent   []string
		waiting  []string
		want     []string
	}{
		{"all answer", [][]string{all}, nil, nil, nil},
		{"a node is silent", [][]string{all}, []string{"10.0.1.1", "10.0.1.2"}, nil, []string{"10.0.1.1:80", "10.0.1.2:80"}},
		{"one task of a node is silent", [][]string{all}, []string{"10.0.1.1"}, nil, nil},
		{"every node is silent", [][]string{all}, all, nil, nil},
		{"a service has no other tasks", [][]string{all[:2]}, all[:2], nil, nil},
		{"its other tasks take no connection yet", [][]string{all}, all[2:], []string{"10.0.1.1:80", "10.0.1.2:80"}, nil},
		{"another service has no other tasks", [][]string{all, all[2:]}, all[2:], nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newReached(t, tt.backends...)
				ctx, end := context.WithCancel(t.Context())
				defer end()
				r.out()
				go r.run(ctx)
				time.Sleep(time.Second)
				for _, addr := range tt.silent {
					r.ether.set(addr, true)
				}
				time.Sleep(2 * time.Second)
				if diff := cmp.Diff(tt.want, r.out(tt.waiting...)); diff != "" {
					t.Error(diff)
				}
				for _, addr := range tt.silent {
					r.ether.set(addr, false)
				}
				time.Sleep((heardLeast + 2) * knockEvery)
				if out := r.out(tt.waiting...); out != nil {
					t.Errorf("after it answered again %v are left out", out)
				}
				end()
				synctest.Wait()
				if (r.told > 0) != (len(tt.silent) > 1 || tt.want != nil || len(tt.silent) == 1 && tt.silent[0] == "10.0.2.1") {
					t.Errorf("the reconciler was told %d times", r.told)
				}
			})
		})
	}
}

func TestANodeThatNeverAnsweredIsNotJudged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReached(t, []string{"10.0.1.1", "10.0.2.1"})
		r.ether.set("10.0.1.1", true)
		ctx, end := context.WithCancel(t.Context())
		defer end()
		r.out()
		go r.run(ctx)
		time.Sleep(5 * time.Second)
		if out := r.out(); out != nil || r.told > 0 {
			t.Errorf("left out are %v", out)
		}
		end()
		synctest.Wait()
	})
}

func TestOneTaskOfANodeIsAskedAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReached(t, []string{"10.0.1.1", "10.0.1.2", "10.0.2.1"}, []string{"10.0.1.1"})
		ctx, end := context.WithCancel(t.Context())
		defer end()
		r.out()
		go r.run(ctx)
		time.Sleep(10 * knockEvery)
		end()
		synctest.Wait()
		if r.asked > 2*11 {
			t.Errorf("two nodes are asked %d times in ten rounds", r.asked)
		}
	})
}

// Answers are written as they come: + is one, - is none.
func TestALostNodeIsTrustedWhenItHasAnsweredForAsLongAsItWasSilent(t *testing.T) {
	least := strings.Repeat("+", heardLeast-1)
	for _, row := range []struct {
		name, answers string
		lost, back    int // the answers after which it is lost, and not any more; 0: never
	}{
		{"one is missing now and then", "+-+-++-+", 0, 0},
		{"it is silent for a moment", "+--" + least + "+++", 3, 3 + heardLeast},
		{"it is silent again before it is trusted", "+--" + least + "-" + least + "++++++", 3, 3 + heardLeast + heardLeast + 2},
		{"it was silent for 6 s", "+" + strings.Repeat("-", 15) + strings.Repeat("+", 20), 3, 1 + 15 + 15},
		{"it was silent for a minute", "+" + strings.Repeat("-", 150) + strings.Repeat("+", 50), 3, 1 + 150 + heardMost},
		{"it loses most packets", "+" + strings.Repeat("--+", 20), 3, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			n, lost, back := &reachedNode{}, 0, 0
			for i, answer := range row.answers {
				if n.hear(answer == '+') {
					if n.lost && lost == 0 {
						lost = i + 1
					} else if !n.lost && back == 0 {
						back = i + 1
					} else {
						t.Errorf("it turned once more after %d answers", i+1)
					}
				}
			}
			if lost != row.lost || back != row.back {
				t.Errorf("it is lost after %d answers and back after %d, want %d and %d", lost, back, row.lost, row.back)
			}
		})
	}
}
