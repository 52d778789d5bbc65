package main

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"sluice/internal/swarm"
	"sluice/routing"
)

// listing is the swarm in the words of routing.
type listing struct {
	services  []routing.Service
	tasks     int
	complete  bool          // false: nothing was ever read
	converges bool          // a task is on its way up or down, or an update is in progress
	cost      time.Duration // how long the engine took for all tasks
	took      time.Duration // and for this look
	nodeOf    map[netip.Addr]string
	version   uint64 // the same as long as nothing else was seen
}

// listing answers all that is known; the last listing itself while that is the same.
func (k known) listing(last listing) listing {
	if !last.complete || last.version != k.version {
		last = listing{complete: true, version: k.version, nodeOf: k.nodes(), services: make([]routing.Service, 0, len(k.services))}
		for _, one := range k.services {
			last.services = append(last.services, one.said)
			last.tasks += len(one.tasks)
			last.converges = last.converges || one.moves
		}
	}
	last.cost = k.costs.get()
	return last
}

// nodes says on which node an address is, where that is one.
func (k known) nodes() map[netip.Addr]string {
	nodes := map[netip.Addr]string{}
	for _, one := range k.services {
		for _, t := range one.tasks {
			for _, addr := range t.Addresses {
				if other, taken := nodes[addr]; taken && other != t.NodeID {
					nodes[addr] = "" // two networks with the same addresses
				} else {
					nodes[addr] = t.NodeID
				}
			}
		}
	}
	return nodes
}

// say puts a service and its tasks in the words of routing: a task serves when it runs and is meant to.
func (one *serviceSeen) say(networks map[string]string) {
	s := one.service
	said := routing.Service{Name: s.Name, Stack: s.Stack, Labels: s.Labels, Replicas: s.Replicas}
	for _, id := range s.Networks {
		said.Networks = append(said.Networks, cmp.Or(networks[id], id))
	}
	if s.Mode == swarm.Global {
		said.Replicas = len(one.tasks)
	}
	newest := map[string]swarm.Task{} // by server name: while an update starts first, a slot has two tasks
	for _, t := range one.tasks {
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
		said.Tasks = append(said.Tasks, routing.Task{Name: name, Addresses: addresses})
	}
	one.said = said
	one.moves = len(one.tasks) != said.Replicas || len(newest) != said.Replicas || s.Update == "updating" || s.Update == "rollback_started"
}

// serverName is <service>.<slot>; the tasks of a global service have no slot, so their node stands for it.
func serverName(s swarm.Service, t swarm.Task) string {
	if t.Slot == 0 {
		return fmt.Sprintf("%s.%.12s", s.Name, t.NodeID)
	}
	return fmt.Sprintf("%s.%d", s.Name, t.Slot)
}
