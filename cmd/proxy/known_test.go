package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sluice/internal/swarm"
)

// askedSwarm answers what it is asked for, and notes that.
type askedSwarm struct {
	fakeSwarm
	networks []swarm.Network
	asked    []string // the services of each list of tasks
	failed   error    // of lists of tasks
}

func (d *askedSwarm) Networks(context.Context) ([]swarm.Network, error) { return d.networks, nil }

func (d *askedSwarm) Tasks(ctx context.Context, ids []string) ([]swarm.Task, error) {
	d.asked = append(d.asked, strings.Join(ids, " "))
	tasks, err := d.fakeSwarm.Tasks(ctx, ids)
	tasks = slices.DeleteFunc(tasks, func(t swarm.Task) bool { return !slices.Contains(ids, t.ServiceID) })
	return tasks, errors.Join(err, d.failed)
}

// dear makes the lists of all tasks take so long, whatever they took.
func (k *known) dear(cost time.Duration) {
	k.costs = shortest{}
	k.costs.add(cost)
}

func TestBetweenWholeListsOnlyTheTasksOfServicesThatMoveAreAskedFor(t *testing.T) {
	d := &askedSwarm{}
	for _, name := range []string{"a", "b", "c"} {
		d.services = append(d.services, swarm.Service{ID: name, Name: name, Mode: swarm.Replicated, Replicas: 1, Version: 1})
		d.tasks = append(d.tasks, runningTask(name, 1, "127.0.0.1"))
	}
	l := &lister{swarm: d}
	start := time.Now()
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
		{"an event about nobody knows what", 20 * time.Millisecond, func() { d.tasks = d.tasks[1:]; l.hint(start.Add(20 * time.Millisecond)) }, "", "1 2 1", true},
		{"makes it look at all when that is due", 900 * time.Millisecond, func() {}, "a b c", "0 2 1", true},
		{"and once more, for lists come after events", 2 * time.Second, func() { d.tasks = append(d.tasks, runningTask("a", 1, "127.0.0.3")) }, "a b c", "1 2 1", false},
		{"what differed and could not be read", 2005 * time.Millisecond, func() { d.services[2].Version = 2; l.forget(); d.failed = errors.New("away") }, "c", "1 2 1", false},
		{"is not forgotten", 2010 * time.Millisecond, func() { d.failed = nil }, "c", "1 2 1", false},
		{"a service that is gone is not asked for", 2015 * time.Millisecond, func() { d.services[0].Replicas, d.services[0].Version = 3, 2; l.forget() }, "a", "1 2 1", true},
		{"though it moved", 2020 * time.Millisecond, func() { d.services = d.services[1:]; l.forget() }, "", "2 1", false},
	} {
		d.asked = nil
		step.change()
		found, err := l.look(t.Context(), start.Add(step.at), false)
		if err != nil && d.failed == nil {
			t.Fatal(err)
		}
		l.known.dear(20 * time.Millisecond) // as of a large swarm
		var counts []string
		for _, s := range found.services {
			counts = append(counts, fmt.Sprint(len(s.Tasks)))
		}
		if got := strings.Join(d.asked, ", "); got != step.asked {
			t.Errorf("%s: asked for %q, not %q", step.name, got, step.asked)
		}
		if got := strings.Join(counts, " "); got != step.tasks || (found.converges || l.unsure()) != step.moves {
			t.Errorf("%s: tasks %s, converges %v, unsure %v", step.name, got, found.converges, l.unsure())
		}
	}
}

// drawn changes a swarm at random, as the engine would: what is about a service gives it another version.
func (d *askedSwarm) drawn(t *rapid.T) (event bool) {
	pick := func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "which") }
	any := len(d.services) > 0
	switch kind := rapid.SampledFrom([]string{"service", "gone", "replicas", "label", "task", "lost", "state", "network", "nothing"}).Draw(t, "change"); {
	case kind == "service":
		id := fmt.Sprint("s", len(d.asked), "-", len(d.services))
		d.services = slices.Insert(d.services, rapid.IntRange(0, len(d.services)).Draw(t, "place"),
			swarm.Service{ID: id, Name: id, Mode: rapid.SampledFrom([]swarm.Mode{swarm.Replicated, swarm.Global}).Draw(t, "mode"), Replicas: pick(3), Networks: []string{"n1"}})
		return true
	case kind == "gone" && any:
		i := pick(len(d.services))
		d.tasks = slices.DeleteFunc(d.tasks, func(one swarm.Task) bool { return one.ServiceID == d.services[i].ID })
		d.services = slices.Delete(d.services, i, i+1)
		return true
	case kind == "replicas" && any:
		s := &d.services[pick(len(d.services))]
		s.Replicas, s.Version = pick(4), s.Version+1
		return true
	case kind == "label" && any:
		s := &d.services[pick(len(d.services))]
		s.Labels, s.Version = map[string]string{"com.df.port": fmt.Sprint(pick(3))}, s.Version+1
		return true
	case kind == "task" && any:
		s := d.services[pick(len(d.services))]
		one := runningTask(s.ID, pick(4)+1, fmt.Sprintf("127.0.0.%d", pick(9)+1))
		one.ID, one.NodeID = fmt.Sprint(one.ID, pick(1000)), fmt.Sprint("node", pick(3))
		d.tasks = slices.Insert(d.tasks, rapid.IntRange(0, len(d.tasks)).Draw(t, "place"), one)
	case kind == "lost" && len(d.tasks) > 0:
		i := pick(len(d.tasks))
		d.tasks = slices.Delete(d.tasks, i, i+1)
	case kind == "state" && len(d.tasks) > 0:
		one := &d.tasks[pick(len(d.tasks))]
		one.State, one.Addresses = rapid.SampledFrom([]string{"running", "starting"}).Draw(t, "state"), map[string]netip.Addr{"n1": netip.AddrFrom4([4]byte{127, 0, 0, byte(pick(9))})}
	case kind == "network":
		d.networks = []swarm.Network{{ID: "n1", Name: fmt.Sprint("net", pick(2))}}
		return true
	}
	return rapid.Bool().Draw(t, "event")
}

func TestWhatWasSeenInPartsIsWhatAWholeLookSees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := &askedSwarm{}
		var k known
		var last listing
		now := time.Now()
		look := func() {
			// The lists that k was made of are not touched by what comes.
			d.services, d.tasks = slices.Clone(d.services), slices.Clone(d.tasks)
			next, err := k.next(context.Background(), d, now)
			if err != nil {
				t.Fatal(err)
			}
			k = next
			k.dear(time.Second)
			seen := k.listing(last)
			if fresh := k.listing(listing{}); seen.version == last.version && last.complete && !reflect.DeepEqual(content(fresh), content(last)) {
				t.Fatalf("the version is the same, and what was seen is not:\n%s", cmp.Diff(content(last), content(fresh), addresses))
			}
			last = seen
		}
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			if d.drawn(t) {
				k.listed = time.Time{}
			}
			now = now.Add(rapid.SampledFrom([]time.Duration{time.Millisecond, time.Second, 10 * time.Second}).Draw(t, "passes"))
			look()
		}
		k.listed = time.Time{}
		now = now.Add(time.Minute)
		look()
		whole, err := known{}.next(context.Background(), d, now)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(content(whole.listing(listing{})), content(last), addresses); diff != "" {
			t.Fatalf("(-a look at all +looks at parts):\n%s", diff)
		}
	})
}

var addresses = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

// content is what a listing says, without how it came about.
func content(l listing) map[string]any {
	return map[string]any{"services": l.services, "tasks": l.tasks, "converges": l.converges, "nodes": l.nodeOf}
}
