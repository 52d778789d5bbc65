package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"sluice/routing"
)

// reach finds nodes that are lost or cut off. The swarm takes its time: 5 to 15 s without heartbeats until it calls a node down,
// and about 40 s when the node was the leader (measured), in which a share of all connections runs into nothing.
//
// It knocks on a port of a task on which nothing listens (a port, so that it needs no right that a ping needs). That is answered, by a refusal, by the kernel behind the task's
// address, so a task that is merely busy is not taken away. Only whole nodes are judged, and only those that have answered
// before: a network that swallows such connections says nothing.
type reach struct {
	knock   func(ctx context.Context, addr netip.Addr) error
	changed func() // is told that lost answers something else
	log     zerolog.Logger

	mu    sync.Mutex
	nodes map[string]*reachedNode // by ID
}

type reachedNode struct {
	tasks    []netip.Addr // that stand in the table
	answered bool         // ever
	lost     bool
	out      int // rounds from when it fell silent until it last was
	heard    int // rounds in a row, since it is lost
}

const (
	knockEvery   = 400 * time.Millisecond
	knockTimeout = 400 * time.Millisecond
	knockPort    = 9   // discard
	knockAtMost  = 16  // tasks of a silent node in one round
	knockNodes   = 128 // at the same time
	silentTwice  = 2   // rounds: a lost node is left out after 1.2 to 1.6 s
)

// A lost node gets requests again when it has answered without a gap for as many rounds as it was out, but for 5 s at least and
// 10 at most. An overlay network that was cut comes back at once, is taken down when its nodes find out that they had lost each
// other, up to 7 s after the cut, and stays away until they look again, every 10 s: what had been sent meanwhile would be lost.
const heardLeast, heardMost = 12, 25

var errNodeSilent = errors.New("its node does not answer")

func newReach(changed func(), log zerolog.Logger) *reach {
	return &reach{knock: knock, changed: changed, log: log, nodes: map[string]*reachedNode{}}
}

// knock tells whether the kernel behind an address answers, be it with a refusal.
func knock(ctx context.Context, addr netip.Addr) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", netip.AddrPortFrom(addr, knockPort).String())
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil
	}
	if err != nil {
		return err
	}
	return conn.Close()
}

// closed answers the servers of the table whose node is silent, and notes whom to ask from now on. A backend keeps such servers
// when it has no others: maybe it is this proxy that is cut off. Nil knows of no silent node.
func (r *reach) closed(t routing.Table, waiting map[netip.AddrPort]error, nodeOf map[netip.Addr]string) map[netip.AddrPort]error {
	if r == nil {
		return nil
	}
	lost := r.watch(t, nodeOf)
	if len(lost) == 0 {
		return nil
	}
	closed, needed := map[netip.AddrPort]error{}, map[netip.AddrPort]bool{}
	for _, b := range t.Backends {
		left := 0
		for _, s := range b.Servers {
			if lost[nodeOf[s.Addr.Addr()]] {
				closed[s.Addr] = errNodeSilent
			} else if waiting[s.Addr] == nil {
				left++
			}
		}
		for _, s := range b.Servers {
			needed[s.Addr] = needed[s.Addr] || left == 0
		}
	}
	for addr := range closed {
		if needed[addr] {
			delete(closed, addr)
		}
	}
	return closed
}

// watch takes over which tasks each node has and answers the nodes that are silent.
func (r *reach) watch(t routing.Table, nodeOf map[netip.Addr]string) (lost map[string]bool) {
	tasks := map[string][]netip.Addr{}
	for _, b := range t.Backends {
		for _, s := range b.Servers {
			if node := nodeOf[s.Addr.Addr()]; node != "" {
				tasks[node] = append(tasks[node], s.Addr.Addr())
			}
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	lost = map[string]bool{}
	for node := range r.nodes {
		if tasks[node] == nil {
			delete(r.nodes, node)
		}
	}
	for node, addresses := range tasks {
		if r.nodes[node] == nil {
			r.nodes[node] = &reachedNode{}
		}
		r.nodes[node].tasks = addresses
		if r.nodes[node].lost {
			lost[node] = true
		}
	}
	return lost
}

// hear counts an answer, or its absence, and says whether that changed what the node is taken for.
func (n *reachedNode) hear(answer bool) (changed bool) {
	before := n.lost
	switch {
	case !answer:
		n.out, n.heard = n.out+n.heard+1, 0
		n.lost = n.lost || n.answered && n.out >= silentTwice
	case n.lost && n.heard+1 < min(max(n.out, heardLeast), heardMost):
		n.heard++
	default:
		n.answered, n.lost, n.out, n.heard = true, false, 0, 0
	}
	return n.lost != before
}

// run knocks until ctx ends.
func (r *reach) run(ctx context.Context) {
	tick := time.NewTicker(knockEvery)
	defer tick.Stop()
	for {
		for r.round(ctx) && ctx.Err() == nil {
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// round knocks on every node once and says whether one has just begun to be silent: then the next round is due at once.
func (r *reach) round(ctx context.Context) (again bool) {
	r.mu.Lock()
	ask := make(map[string][]netip.Addr, len(r.nodes))
	for id, n := range r.nodes {
		ask[id] = n.tasks
	}
	r.mu.Unlock()
	var wait sync.WaitGroup
	var mu sync.Mutex
	heard := map[string]bool{}
	slots := make(chan struct{}, knockNodes)
	for id, tasks := range ask {
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			answers, sure := r.ask(ctx, tasks)
			mu.Lock()
			defer mu.Unlock()
			if sure {
				heard[id] = answers
			}
		})
	}
	wait.Wait()
	if ctx.Err() != nil {
		return false
	}
	return r.judge(heard)
}

// ask knocks on one task of a node and, while that is silent, on more of them. It is not sure when this machine is so busy
// that an answer may just not have been looked at.
func (r *reach) ask(ctx context.Context, tasks []netip.Addr) (answers, sure bool) {
	tasks = slices.Clone(tasks)
	rand.Shuffle(len(tasks), func(i, j int) { tasks[i], tasks[j] = tasks[j], tasks[i] })
	first, rest := tasks[:1], tasks[1:min(len(tasks), knockAtMost)]
	if answers, sure = r.any(ctx, first); answers || !sure || len(rest) == 0 {
		return answers, sure
	}
	return r.any(ctx, rest)
}

func (r *reach) any(ctx context.Context, tasks []netip.Addr) (answers, sure bool) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, knockTimeout)
	defer cancel()
	results := make(chan error, len(tasks))
	for _, addr := range tasks {
		go func() { results <- r.knock(ctx, addr) }()
	}
	for range tasks {
		if <-results == nil {
			return true, true
		}
	}
	return false, time.Since(began) < 2*knockTimeout
}

// judge counts what was heard of each node.
func (r *reach) judge(heard map[string]bool) (again bool) {
	r.mu.Lock()
	changed := false
	for id, answers := range heard {
		n := r.nodes[id]
		if n == nil {
			continue
		}
		turned := n.hear(answers)
		again = again || !answers && n.answered && !n.lost
		switch {
		case turned && n.lost:
			r.log.Warn().Str("node", id).Int("tasks", len(n.tasks)).Msg("node does not answer; tasks elsewhere get its requests")
		case turned:
			r.log.Info().Str("node", id).Int("tasks", len(n.tasks)).Msg("node answers again")
		}
		changed = changed || turned
	}
	r.mu.Unlock()
	if changed {
		r.changed()
	}
	return again
}
