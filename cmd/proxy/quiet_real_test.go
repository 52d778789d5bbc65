package main

import (
	"testing"
	"time"

	"sluice/internal/swarm"
)

func TestAStepThatSeesNothingNewDecidesNothing(t *testing.T) {
	r := newRig(t)
	r.swarm.services = []swarm.Service{r.service("web", 1, "servicePath=/web")}
	r.swarm.tasks = []swarm.Task{r.task("web", 1, "first", "127.0.0.11")}
	r.settle()
	step := func() (decided bool) {
		t.Helper()
		before := r.loop.view.Load()
		if _, err := r.loop.step(t.Context()); err != nil {
			t.Fatal(err)
		}
		after := r.loop.view.Load()
		return len(after.Services) > 0 && &after.Services[0] != &before.Services[0]
	}
	for r.loop.quiet.at.IsZero() {
		step()
	}
	r.loop.lister.forget() // an event that changes nothing
	if step() {
		t.Error("equal services and tasks were decided again")
	}
	r.swarm.change(func() {
		r.swarm.services[0].Replicas = 2
		r.swarm.tasks = append(r.swarm.tasks, r.task("web", 2, "second", "127.0.0.12"))
	})
	if !step() {
		t.Error("a task that came was not looked at")
	}
	for r.loop.quiet.at.IsZero() {
		step()
	}
	if a, b := r.get("/web"), r.get("/web"); a == b {
		t.Errorf("two requests went to the same of two tasks: %q", a)
	}
	r.loop.quiet.at = time.Now().Add(-lookWhole)
	if !step() {
		t.Error("what depends on the clock is never looked at")
	}
}
