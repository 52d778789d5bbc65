package main

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"sluice/internal/swarm"
)

// apply steps until the view shows that the version is in force.
func (r *rig) apply(version uint64) {
	r.t.Helper()
	for deadline := time.Now().Add(time.Minute); r.loop.view.Load().Declared < version; {
		if _, err := r.loop.step(r.t.Context()); err != nil {
			r.t.Fatal(err)
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("version %d is not in force: %+v", version, r.loop.view.Load())
		}
	}
}

func TestADeclaredServiceServesAsSoonAsTheViewSaysSo(t *testing.T) {
	r := newRig(t)
	r.swarm.services = []swarm.Service{r.service("web", 1, "servicePath=/web")}
	r.swarm.tasks = []swarm.Task{r.task("web", 1, "web", "127.0.0.11")}
	r.settle()
	r.task("out", 1, "out", "127.0.0.12")
	var mu sync.Mutex
	tries := map[netip.AddrPort]int{}
	r.loop.gate.dial = func(ctx context.Context, addr netip.AddrPort) error { // as on a machine that is away for a moment
		mu.Lock()
		tries[addr]++
		late := tries[addr] < 3
		mu.Unlock()
		if late {
			<-ctx.Done()
		}
		return connect(ctx, addr)
	}
	declared := labels{"com.df.servicePath": "/out", "com.df.port": fmt.Sprint(r.port), "com.df.outboundHostname": "127.0.0.12"}
	for _, name := range []string{"out", "web"} { // of the second one the swarm has a service too
		version, err := r.loop.declared.put(name, declared, false)
		if err != nil {
			t.Fatal(err)
		}
		r.apply(version)
		if got := r.get("/out"); got != "out /out" {
			t.Errorf("declared: got %q", got)
		}
		if got := r.get("/web"); got != "web /web" {
			t.Errorf("of the swarm: got %q", got)
		}
	}
	if problems := r.loop.view.Load().Problems; len(problems) != 1 || problems[0].Service != "web" {
		t.Errorf("the service that is declared though the swarm has it is not reported: %v", problems)
	}
	r.task("out", 1, "moved", "127.0.0.13")
	declared["com.df.outboundHostname"] = "127.0.0.13" // which needs no reload
	version, err := r.loop.declared.put("out", declared, false)
	if err != nil {
		t.Fatal(err)
	}
	r.apply(version)
	if got := r.get("/out"); got != "moved /out" {
		t.Errorf("moved: got %q", got)
	}
	version, err = r.loop.declared.put("out", nil, false)
	if err != nil {
		t.Fatal(err)
	}
	r.apply(version)
	if got := r.get("/out"); got != "503" {
		t.Errorf("removed: got %q", got)
	}
}

func TestAReloadThatIsAskedForHappensOnce(t *testing.T) {
	r := newRig(t)
	r.settle()
	before := r.reloads()
	r.apply(r.loop.declared.askReload())
	r.settle()
	if n := r.reloads() - before; n != 1 {
		t.Errorf("%d reloads", n)
	}
}
