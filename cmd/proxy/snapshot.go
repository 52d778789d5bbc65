package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"time"

	"sluice/internal/swarm"
	"sluice/routing"
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

// servicesMaxAge bounds how long a list of services is believed without an event: events may get lost.
const servicesMaxAge = 15 * time.Second

// lister reads the swarm. Tasks are listed each time, for there are no events about them; services and networks when
// an event said so or the last list is old.
type lister struct {
	swarm swarmReader
	hurry chan struct{} // holds a signal when something cannot wait for the swarm; nil never does
	known known
	last  listing   // the last complete one
	away  error     // of the last attempt
	asked time.Time // when it ended

	answer chan answer // of the attempt under way, nil without one
	began  time.Time   // of that attempt
	forgot bool        // since it began
}

// known is what need not be listed each time.
type known struct {
	services []swarm.Service
	networks map[string]string // ID -> name
	listed   time.Time         // zero: list again
	tasks    []swarm.Task      // of the last complete listing, in the engine's order, which stays
}

// answer is what an attempt to list gave.
type answer struct {
	found listing
	known known
	err   error
}

// listing is one complete look at the swarm.
type listing struct {
	services  []routing.Service
	tasks     int
	complete  bool          // false: nothing was ever read
	converges bool          // a task is on its way up or down, or an update is in progress
	cost      time.Duration // how long the engine took
	nodeOf    map[netip.Addr]string
	version   uint64 // the same as long as nothing else was seen
}

// A manager's engine that hangs must not hold up what the API waits for.
const (
	listTimeout = 10 * time.Second
	awayPause   = 5 * time.Second // while the engine is away and the API waits, it is asked so often
	hurryPause  = 200 * time.Millisecond
	awayAfter   = 3 * time.Second // what was listed last is used when the engine has not answered for so long
)

var errNoAnswer = errors.New("list the swarm: no answer yet")

// look answers the swarm as it is. While it cannot be read that is an error, and the listing is the last complete one.
func (l *lister) look(ctx context.Context, now time.Time, apiWaits bool) (listing, error) {
	if l.away != nil && l.last.complete && apiWaits && now.Sub(l.asked) < awayPause {
		return l.last, l.away
	}
	if l.answer == nil {
		l.ask(ctx, now)
	}
	var enough <-chan time.Time
	hurry := l.hurry
	if l.last.complete {
		enough = time.After(awayAfter - time.Since(l.began))
	} else {
		hurry = nil // there is nothing to go on with
	}
	for {
		select {
		case a := <-l.answer:
			return l.take(a)
		case <-hurry:
			enough = time.After(min(hurryPause, awayAfter-time.Since(l.began)))
		case <-enough:
			select {
			case a := <-l.answer:
				return l.take(a)
			default:
			}
			if time.Since(l.began) >= awayAfter {
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
	l.answer, l.away, l.asked = nil, a.err, time.Now()
	if a.err == nil {
		l.last, l.known = a.found, a.known
	}
	if l.forgot {
		l.known.listed = time.Time{}
	}
	return l.last, a.err
}

// ask begins to list. A manager whose leader is lost hangs, for longer than listTimeout; meanwhile the last listing is what
// there is, and a later look takes the answer.
func (l *lister) ask(ctx context.Context, now time.Time) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), listTimeout)
	answers, from, before, last := make(chan answer, 1), l.swarm, l.known, l.last
	l.answer, l.began, l.forgot = answers, now, false
	go func() {
		defer cancel()
		found, next, err := list(ctx, from, before, last, now)
		answers <- answer{found, next, err}
	}()
}

// list answers a complete listing or an error, never a part of one. What is as it was last time is the last listing
// itself.
func list(ctx context.Context, from swarmReader, k known, last listing, now time.Time) (listing, known, error) {
	same := last.complete
	if now.Sub(k.listed) > servicesMaxAge {
		services, err := from.Services(ctx, swarm.Filter{Label: notifyLabel})
		if err != nil {
			return listing{}, k, err
		}
		list, err := from.Networks(ctx)
		if err != nil {
			return listing{}, k, err
		}
		networks := map[string]string{}
		for _, n := range list {
			networks[n.ID] = n.Name
		}
		same = same && maps.Equal(networks, k.networks) && reflect.DeepEqual(services, k.services)
		k.services, k.networks, k.listed = services, networks, now
	}
	ids := make([]string, 0, len(k.services))
	for _, s := range k.services {
		ids = append(ids, s.ID)
	}
	tasks, err := from.Tasks(ctx, ids)
	if err != nil {
		return listing{}, k, err
	}
	if same && slices.EqualFunc(tasks, k.tasks, sameTask) {
		last.cost = time.Since(now)
		return last, k, nil
	}
	result := convert(k.services, tasks, k.networks)
	result.nodeOf = nodesOf(tasks)
	result.cost, result.version = time.Since(now), last.version+1
	k.tasks = tasks
	return result, k, nil
}

// nodesOf says on which node an address is, where that is one.
func nodesOf(tasks []swarm.Task) map[netip.Addr]string {
	nodes := map[netip.Addr]string{}
	for _, t := range tasks {
		for _, addr := range t.Addresses {
			if other, taken := nodes[addr]; taken && other != t.NodeID {
				nodes[addr] = "" // two networks with the same addresses
			} else {
				nodes[addr] = t.NodeID
			}
		}
	}
	return nodes
}

// sameTask tells whether routing would see no difference.
func sameTask(a, b swarm.Task) bool {
	return a.ID == b.ID && a.ServiceID == b.ServiceID && a.NodeID == b.NodeID && a.Slot == b.Slot && a.Desired == b.Desired && a.State == b.State &&
		a.Since.Equal(b.Since) && maps.Equal(a.Addresses, b.Addresses)
}

// forget makes the next list read the services again.
func (l *lister) forget() { l.known.listed, l.forgot = time.Time{}, true }

// convert says the swarm in the words of routing: a task serves when it runs and is meant to.
func convert(services []swarm.Service, tasks []swarm.Task, networks map[string]string) listing {
	result := listing{tasks: len(tasks), complete: true}
	byService := map[string][]swarm.Task{}
	for _, t := range tasks {
		byService[t.ServiceID] = append(byService[t.ServiceID], t)
	}
	for _, s := range services {
		service := routing.Service{Name: s.Name, Stack: s.Stack, Labels: s.Labels, Replicas: s.Replicas}
		for _, id := range s.Networks {
			service.Networks = append(service.Networks, cmp.Or(networks[id], id))
		}
		mine := byService[s.ID]
		if s.Mode == swarm.Global {
			service.Replicas = len(mine)
		}
		newest := map[string]swarm.Task{} // by server name: while an update starts first, a slot has two tasks
		for _, t := range mine {
			if t.State != "running" || t.Desired != "running" {
				continue
			}
			name := serverName(s, t)
			if other, taken := newest[name]; !taken || t.Since.After(other.Since) {
				newest[name] = t
			}
		}
		for _, name := range slices.Sorted(maps.Keys(newest)) { // equal swarms give equal listings
			t := newest[name]
			addresses := map[string]netip.Addr{}
			for id, addr := range t.Addresses {
				addresses[cmp.Or(networks[id], id)] = addr
			}
			service.Tasks = append(service.Tasks, routing.Task{Name: name, Addresses: addresses})
		}
		if len(mine) != service.Replicas || len(newest) != service.Replicas || s.Update == "updating" || s.Update == "rollback_started" {
			result.converges = true
		}
		result.services = append(result.services, service)
	}
	return result
}

// serverName is <service>.<slot>; the tasks of a global service have no slot, so their node stands for it.
func serverName(s swarm.Service, t swarm.Task) string {
	if t.Slot == 0 {
		return fmt.Sprintf("%s.%.12s", s.Name, t.NodeID)
	}
	return fmt.Sprintf("%s.%d", s.Name, t.Slot)
}
