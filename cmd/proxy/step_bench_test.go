package main

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
)

// BenchmarkStep is a look at a swarm of 1,000 services of five tasks in which nothing has changed.
func BenchmarkStep(b *testing.B) {
	r := newRig(b)
	r.loop.gate.dial = func(context.Context, netip.AddrPort) error { return nil }
	for i := range 1000 {
		name := fmt.Sprint("service", i)
		r.swarm.services = append(r.swarm.services, r.service(name, 5, fmt.Sprintf("serviceDomain=s%d.test,www.s%d.test", i, i)))
		for slot := range 5 {
			r.swarm.tasks = append(r.swarm.tasks, runningTask(name, slot+1, fmt.Sprintf("127.%d.%d.%d", slot+1, i/250, i%250+1)))
		}
	}
	r.settle()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.loop.step(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
