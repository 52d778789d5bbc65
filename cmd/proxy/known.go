package main

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"time"

	"sluice/internal/swarm"
	"sluice/routing"
)

// servicesMaxAge bounds how long a list of services is believed without an event: events may get lost.
const servicesMaxAge = 15 * time.Second

// How much of its time the engine may spend on lists of all tasks: one part of so many.
const (
	restShare = 20 // while nothing happens
	moveShare = 8  // while something does
	fewMoving = 50 // services that are asked for by name, at most

	costMost = 750 * time.Millisecond // counts as that: an engine that needed longer may have hung, and 15 s are enough to wait
)

// known is what the lists so far have told. It is a value: who asks for more gets another one, or an error and no part of one.
//
// Services and networks are listed when an event said so or their lists are old. Of tasks there are no events, so each look asks
// for them; but a list of all tasks of a large swarm is dear (5,000 of them: 7.5 MB), so between two of those it asks
// for the tasks of the services alone that move.
type known struct {
	services []serviceSeen     // in the engine's order
	networks map[string]string // ID -> name
	listed   time.Time         // when services and networks were; zero: list them again
	whole    time.Time         // when all tasks were; zero: never
	costs    shortest          // how long the engine took for those; a busy machine takes longer now and then
	version  uint64            // the same as long as routing sees no difference
}

// serviceSeen is a service and its tasks, and what routing is told of them.
type serviceSeen struct {
	service swarm.Service
	tasks   []swarm.Task
	said    routing.Service
	moves   bool // it has not what it wants yet
	due     bool // its tasks are to be asked for: it moves, or was changed since
}

// next looks at the swarm once more.
func (k known) next(ctx context.Context, from swarmReader, now time.Time) (known, error) {
	k.services = slices.Clone(k.services)
	if now.Sub(k.listed) > servicesMaxAge {
		if err := k.askServices(ctx, from, now); err != nil {
			return known{}, err
		}
	}
	if err := k.askTasks(ctx, from, now); err != nil {
		return known{}, err
	}
	return k, nil
}

func (k *known) askServices(ctx context.Context, from swarmReader, now time.Time) error {
	services, err := from.Services(ctx, swarm.Filter{Label: notifyLabel})
	if err != nil {
		return err
	}
	list, err := from.Networks(ctx)
	if err != nil {
		return err
	}
	networks := make(map[string]string, len(list))
	for _, n := range list {
		networks[n.ID] = n.Name
	}
	before := make(map[string]serviceSeen, len(k.services))
	for _, one := range k.services {
		before[one.service.ID] = one
	}
	renamed := !maps.Equal(networks, k.networks)
	same := !renamed && len(services) == len(k.services)
	seen := make([]serviceSeen, len(services))
	for i, s := range services {
		one, old := before[s.ID]
		one.due = one.due || !old || one.service.Version != s.Version
		if !old || renamed || !reflect.DeepEqual(one.service, s) {
			one.service, same = s, false
			one.say(networks)
		}
		same = same && k.services[i].service.ID == s.ID
		seen[i] = one
	}
	k.services, k.networks, k.listed = seen, networks, now
	if !same {
		k.version++
	}
	return nil
}

// askTasks asks for the tasks of the services that are due or, when it is time for that, of all.
func (k *known) askTasks(ctx context.Context, from swarmReader, now time.Time) error {
	due := 0
	for _, one := range k.services {
		if one.due {
			due++
		}
	}
	whole := now.Sub(k.whole) >= moveShare*k.costs.get() || due > fewMoving
	asked, ids := map[string]int{}, []string{} // places of the services that are asked for; nil would be all there are
	for i, one := range k.services {
		if whole || one.due {
			asked[one.service.ID] = i
			ids = append(ids, one.service.ID)
		}
	}
	began := time.Now()
	found, err := from.Tasks(ctx, ids)
	if err != nil {
		return err
	}
	if whole {
		k.costs.add(min(time.Since(began), costMost))
		k.whole = now
	}
	if k.take(asked, found) {
		k.version++
	}
	return nil
}

// take gives the services that were asked for their tasks and tells whether that changed anything. Most have those that
// they had, of which nothing is made anew.
func (k *known) take(asked map[string]int, found []swarm.Task) (changed bool) {
	same := make([]int, len(k.services)) // how many of its tasks a service has still; -1: it has others
	for _, t := range found {
		if i, mine := asked[t.ServiceID]; mine && same[i] >= 0 {
			if before := k.services[i].tasks; same[i] < len(before) && sameTask(before[same[i]], t) {
				same[i]++
			} else {
				same[i] = -1
			}
		}
	}
	others := map[string][]swarm.Task{}
	for _, t := range found {
		if i, mine := asked[t.ServiceID]; mine && same[i] != len(k.services[i].tasks) {
			others[t.ServiceID] = append(others[t.ServiceID], t)
		}
	}
	for id, i := range asked {
		one := &k.services[i]
		if same[i] != len(one.tasks) {
			one.tasks, changed = others[id], true
			one.say(k.networks)
		}
		one.due = one.moves
	}
	return changed
}

// sameTask tells whether routing would see no difference.
func sameTask(a, b swarm.Task) bool {
	return a.ID == b.ID && a.ServiceID == b.ServiceID && a.NodeID == b.NodeID && a.Slot == b.Slot && a.Desired == b.Desired && a.State == b.State &&
		a.Since.Equal(b.Since) && maps.Equal(a.Addresses, b.Addresses)
}
