package main

import (
	"cmp"
	"context"
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
	swarm    swarmReader
	services []swarm.Service
	networks map[string]string // ID -> name
	listed   time.Time         // zero: list again

	changed bool         // services or networks, since the last complete listing
	tasks   []swarm.Task // of the last complete listing, in the engine's order, which stays
	last    listing      // the last complete one
	away    error        // of the last attempt
	asked   time.Time    // when it ended
}

// listing is one complete look at the swarm.
type listing struct {
	services  []routing.Service
	tasks     int
	complete  bool          // false: nothing was ever read
	converges bool          // a task is on its way up or down, or an update is in progress
	cost      time.Duration // how long the engine took
	version   uint64        // the same as long as nothing else was seen
}

// A manager's engine that hangs must not hold up what the API waits for.
const (
	listTimeout = 10 * time.Second
	awayPause   = 5 * time.Second // while the engine is away and the API waits, it is asked so often
)

// look answers the swarm as it is. While it cannot be read that is an error, and the listing is the last complete one.
func (l *lister) look(ctx context.Context, now time.Time, apiWaits bool) (listing, error) {
	if l.away != nil && l.last.complete && apiWaits && now.Sub(l.asked) < awayPause {
		return l.last, l.away
	}
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	found, err := l.list(ctx, now)
	l.away, l.asked = err, time.Now()
	if err == nil {
		l.last = found
	}
	return l.last, err
}

// list answers a complete listing or an error, never a part of one. What is as it was last time is the last listing
// itself.
func (l *lister) list(ctx context.Context, now time.Time) (listing, error) {
	if now.Sub(l.listed) > servicesMaxAge {
		services, err := l.swarm.Services(ctx, swarm.Filter{Label: notifyLabel})
		if err != nil {
			return listing{}, err
		}
		list, err := l.swarm.Networks(ctx)
		if err != nil {
			return listing{}, err
		}
		networks := map[string]string{}
		for _, n := range list {
			networks[n.ID] = n.Name
		}
		l.changed = l.changed || !maps.Equal(networks, l.networks) || !reflect.DeepEqual(services, l.services)
		l.services, l.listed, l.networks = services, now, networks
	}
	ids := make([]string, 0, len(l.services))
	for _, s := range l.services {
		ids = append(ids, s.ID)
	}
	tasks, err := l.swarm.Tasks(ctx, ids)
	if err != nil {
		return listing{}, err
	}
	if l.last.complete && !l.changed && slices.EqualFunc(tasks, l.tasks, sameTask) {
		result := l.last
		result.cost = time.Since(now)
		return result, nil
	}
	result := convert(l.services, tasks, l.networks)
	result.cost, result.version = time.Since(now), l.last.version+1
	l.tasks, l.changed = tasks, false
	return result, nil
}

// sameTask tells whether routing would see no difference.
func sameTask(a, b swarm.Task) bool {
	return a.ID == b.ID && a.ServiceID == b.ServiceID && a.NodeID == b.NodeID && a.Slot == b.Slot && a.Desired == b.Desired && a.State == b.State &&
		a.Since.Equal(b.Since) && maps.Equal(a.Addresses, b.Addresses)
}

// forget makes the next list read the services again.
func (l *lister) forget() { l.listed = time.Time{} }

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
