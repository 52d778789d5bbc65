package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/internal/swarm"
)

// askedSwarm notes what it is asked for.
type askedSwarm struct {
	fakeSwarm
	asked  []string // the services of each list of tasks
	failed error    // of lists of tasks
}

func (d *askedSwarm) Tasks(ctx context.Context, ids []string) ([]swarm.Task, error) {
	d.asked = append(d.asked, strings.Join(ids, " "))
	tasks, err := d.fakeSwarm.Tasks(ctx, ids)
	return tasks, errors.Join(err, d.failed)
}

func TestBetweenWholeListsOnlyTheTasksOfServicesThatMoveAreAskedFor(t *testing.T) {
	d := &askedSwarm{}
	for _, name := range []string{"a", "b", "c"} {
		d.services = append(d.services, swarm.Service{ID: name, Name: name, Mode: swarm.Replicated, Replicas: 1, Version: 1})
		d.tasks = append(d.tasks, runningTask(name, 1, "127.0.0.1"))
	}
	l := &lister{swarm: d}
	start := time.Now()
	look := func(at time.Duration) listing {
		t.Helper()
		found, err := l.look(t.Context(), start.Add(at), false)
		if err != nil && d.failed == nil {
			t.Fatal(err)
		}
		l.cost = 20 * time.Millisecond // as of a large swarm
		return found
	}
	counts := func(found listing) (n []string) {
		for _, s := range found.services {
			n = append(n, fmt.Sprint(len(s.Tasks)))
		}
		return n
	}
	for _, step := range []struct {
		name   string
		at     time.Duration // from the first look
		change func()
		asked  string
		tasks  string
		moves  bool
	}{
		{"the first look is at all", 0, func() {}, "a b c", "1 1 1", false},
		{"a service that changed is asked for", 5 * time.Millisecond, func() { d.services[1].Replicas, d.services[1].Version = 2, 2; l.forget() }, "b", "1 1 1", true},
		{"and again until it has what it wants", 10 * time.Millisecond, func() { d.tasks = append(d.tasks, runningTask("b", 2, "127.0.0.2")) }, "b", "1 2 1", false},
		{"then nothing is", 15 * time.Millisecond, func() {}, "", "1 2 1", false},
		{"an event about nobody knows what", 20 * time.Millisecond, func() { d.tasks = d.tasks[1:]; l.hinted = start.Add(20 * time.Millisecond); l.forget() }, "", "1 2 1", true},
		{"makes it look at all when that is due", 900 * time.Millisecond, func() {}, "a b c", "0 2 1", true},
		{"and once more, for lists come after events", 2 * time.Second, func() { d.tasks = append(d.tasks, runningTask("a", 1, "127.0.0.3")) }, "a b c", "1 2 1", false},
		{"what differed and could not be read", 2005 * time.Millisecond, func() { d.services[2].Version = 2; l.forget(); d.failed = errors.New("away") }, "c", "1 2 1", false},
		{"is not forgotten", 2010 * time.Millisecond, func() { d.failed = nil }, "a b c", "1 2 1", false},
	} {
		d.asked = nil
		step.change()
		found := look(step.at)
		if got := strings.Join(d.asked, ", "); got != step.asked {
			t.Errorf("%s: asked for %q, not %q", step.name, got, step.asked)
		}
		if got := strings.Join(counts(found), " "); got != step.tasks || found.converges != step.moves {
			t.Errorf("%s: tasks %s, converges %v", step.name, got, found.converges)
		}
	}
}
