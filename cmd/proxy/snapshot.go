package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
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

// lister reads the swarm. Services and networks are listed when an event said so or the last list is old, and tasks each
// time, for there are no events about them. All tasks of a large swarm are dear (5,000 of them: 7.5 MB and a quarter of a
// second of a core), so between two whole lists only those of services that move are asked for.
type lister struct {
	swarm    swarmReader
	services []swarm.Service
	networks map[string]string // ID -> name
	listed   time.Time         // zero: list again

	hinted time.Time               // when the last event came
	tasks  map[string][]swarm.Task // by service
	whole  time.Time               // when all tasks were listed; zero: never
	cost   time.Duration           // of that
	moves  []string                // IDs of services that were on their way to something

	last  listing   // the last complete one
	away  error     // of the last attempt
	asked time.Time // when it ended
}

// listing is one complete look at the swarm.
type listing struct {
	services  []routing.Service
	tasks     int
	complete  bool          // false: nothing was ever read
	converges bool          // a task is on its way up or down, or an update is in progress, or not all was looked at since an event
	cost      time.Duration // how long the engine took for all
	took      time.Duration // and for this look
	moves     []string      // IDs of the services that converge
}

// How much of its time the engine may spend on lists of all tasks: one part of so many.
const (
	restShare = 20 // while nothing happens
	moveShare = 8  // while something does
	fewMoving = 50 // services that are asked for by name, at most
)

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

// list answers a complete listing or an error, never a part of one.
func (l *lister) list(ctx context.Context, now time.Time) (listing, error) {
	changed := l.moves
	if now.Sub(l.listed) > servicesMaxAge {
		services, err := l.swarm.Services(ctx, swarm.Filter{Label: notifyLabel})
		if err != nil {
			return listing{}, err
		}
		networks, err := l.swarm.Networks(ctx)
		if err != nil {
			return listing{}, err
		}
		changed = append(differing(l.services, services), changed...)
		l.services, l.listed, l.networks = services, now, map[string]string{}
		for _, n := range networks {
			l.networks[n.ID] = n.Name
		}
	}
	tasks, err := l.listTasks(ctx, now, changed)
	if err != nil {
		l.whole = time.Time{} // what differed would be forgotten
		return listing{}, err
	}
	result := convert(l.services, tasks, l.networks)
	result.cost, result.took = l.cost, time.Since(now)
	// An event may be about any task, and may come before the lists show what it is about.
	result.converges = len(result.moves) > 0 || l.whole.Before(l.hinted.Add(fastAfter))
	l.moves = result.moves
	return result, nil
}

// listTasks answers the tasks of all services: as they are of those that moved or changed, and of the others as they were
// when all were listed.
func (l *lister) listTasks(ctx context.Context, now time.Time, changed []string) (all []swarm.Task, err error) {
	whole, ids := now.Sub(l.whole) >= moveShare*l.cost || len(changed) > fewMoving, changed
	if whole {
		ids = make([]string, 0, len(l.services))
		for _, s := range l.services {
			ids = append(ids, s.ID)
		}
	}
	asked := map[string]bool{}
	for _, id := range ids {
		asked[id] = true
	}
	ids = slices.Sorted(maps.Keys(asked))
	began := time.Now()
	found, err := l.swarm.Tasks(ctx, append([]string{}, ids...)) // nil would be all there are
	if err != nil {
		return nil, err
	}
	if whole {
		l.tasks, l.whole, l.cost = map[string][]swarm.Task{}, now, time.Since(began)
	}
	for _, id := range ids {
		delete(l.tasks, id)
	}
	for _, t := range found {
		if asked[t.ServiceID] {
			l.tasks[t.ServiceID] = append(l.tasks[t.ServiceID], t)
		}
	}
	for _, s := range l.services {
		all = append(all, l.tasks[s.ID]...)
	}
	return all, nil
}

// differing are the IDs of services that are new or have another version than before.
func differing(before, now []swarm.Service) (ids []string) {
	versions := map[string]uint64{}
	for _, s := range before {
		versions[s.ID] = s.Version
	}
	for _, s := range now {
		if version, known := versions[s.ID]; !known || version != s.Version {
			ids = append(ids, s.ID)
		}
	}
	return ids
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
			result.moves = append(result.moves, s.ID)
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
