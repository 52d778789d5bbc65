package main

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"sluice/routing"
)

const (
	resolveAgain   = 10 * time.Second       // how long an answer of the name server is believed
	resolveTimeout = 5 * time.Second        // how long one question may take
	resolveFirst   = 500 * time.Millisecond // how long a step waits for a name that it never had
)

// resolver finds the addresses of hosts outside the swarm. A step waits only for names that are new, and only for a
// moment; names are asked again beside it, and the last good answer stands while the name server is away.
type resolver struct {
	lookup func(ctx context.Context, host string) ([]netip.Addr, error)

	mu    sync.Mutex
	hosts map[string]*resolution
}

type resolution struct {
	addresses []netip.Addr
	asked     time.Time
	answered  chan struct{} // closed when the question of asked is answered
}

func newResolver() *resolver {
	return &resolver{hosts: map[string]*resolution{}, lookup: func(ctx context.Context, host string) ([]netip.Addr, error) {
		return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	}}
}

// fill hands each service the addresses of the hosts that its labels name, as lists with that separator, and tells whether
// there are any.
func (r *resolver) fill(ctx context.Context, now time.Time, services []routing.Service, separator string) (any bool) {
	names := routing.OutboundHosts(services, separator)
	if len(names) == 0 {
		return false
	}
	r.awaitNew(ctx, r.ask(ctx, now, names))
	known := map[string][]netip.Addr{}
	r.mu.Lock()
	for _, name := range names {
		known[name] = r.hosts[name].addresses
	}
	r.mu.Unlock()
	for i := range services {
		services[i].Outbound = known
	}
	return true
}

// ask starts the questions that are due, forgets names that nobody uses, and answers the questions about new names.
func (r *resolver) ask(ctx context.Context, now time.Time, names []string) (fresh []chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name := range r.hosts {
		if !slices.Contains(names, name) {
			delete(r.hosts, name)
		}
	}
	for _, name := range names {
		known := r.hosts[name]
		if known != nil && now.Sub(known.asked) < resolveAgain {
			continue
		}
		question := &resolution{asked: now, answered: make(chan struct{})}
		if known == nil {
			fresh = append(fresh, question.answered)
		} else {
			question.addresses = known.addresses
		}
		r.hosts[name] = question
		go r.answer(context.WithoutCancel(ctx), name, question) // a step ends before a slow name server does
	}
	return fresh
}

func (r *resolver) answer(ctx context.Context, name string, question *resolution) {
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	defer close(question.answered)
	addresses, err := r.lookup(ctx, name)
	if err != nil {
		return // the route says that its name has no address
	}
	// Both families lead to the same host, which may not listen on both.
	if slices.ContainsFunc(addresses, isIPv4) {
		addresses = slices.DeleteFunc(addresses, func(a netip.Addr) bool { return !isIPv4(a) })
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	question.addresses = addresses
}

func isIPv4(a netip.Addr) bool { return a.Unmap().Is4() }

func (r *resolver) awaitNew(ctx context.Context, fresh []chan struct{}) {
	limit := time.After(resolveFirst)
	for _, answered := range fresh {
		select {
		case <-answered:
		case <-limit:
			return
		case <-ctx.Done():
			return
		}
	}
}
