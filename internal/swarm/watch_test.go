package swarm

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/events"
)

func TestWatchSignalsWhatMatters(t *testing.T) {
	for _, row := range []struct {
		kind   events.Type
		action events.Action
		want   bool
	}{
		{"service", "create", true},
		{"service", "update", true},
		{"service", "remove", true},
		{"node", "update", true},
		{"network", "create", true},
		{"container", "start", true},
		{"container", "kill", true},
		{"container", "die", true},
		{"container", "health_status: healthy", true},
		{"container", "create", false}, // comes before start
	} {
		if got := relevant(events.Message{Type: row.kind, Action: row.action}); got != row.want {
			t.Errorf("%s %s: %v", row.kind, row.action, got)
		}
	}
}

func TestWatchHoldsOneSignal(t *testing.T) {
	e := &engine{api: "1.41", events: make(chan events.Message)}
	hints := startEngine(t, e).Watch(t.Context())
	receive(t, hints) // it follows
	for range 5 {
		e.events <- events.Message{Type: "service", Action: "update"}
	}
	await(t, "a signal", func() bool { return len(hints) == 1 })
	if cap(hints) != 1 {
		t.Errorf("room for %d signals", cap(hints))
	}
}

func TestWatchReconnectsWithGrowingPauses(t *testing.T) {
	e := &engine{api: "1.41", cut: true}
	p := pauses{first: 100 * time.Millisecond, longest: time.Second}
	hints := startEngine(t, e).watch(t.Context(), p)
	for range 6 {
		receive(t, hints) // each attempt that reaches the engine signals
	}
	follows := e.followed()
	for i, atLeast := range []time.Duration{100, 200, 400, 800, 1000} {
		if gap := follows[i+1].Sub(follows[i]); gap < atLeast*time.Millisecond {
			t.Errorf("attempt %d came after %v, want %v or more", i+1, gap, atLeast*time.Millisecond)
		}
	}
}

func TestWatchIsSilentWhileTheEngineIsAwayAndComesBack(t *testing.T) {
	e := &engine{api: "1.41", cut: true}
	c := startEngine(t, e)
	away, err := Open("tcp://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	for range away.watch(ctx, pauses{first: time.Millisecond, longest: 5 * time.Millisecond}) {
		t.Error("signal of an engine that does not answer")
	}
	receive(t, c.Watch(t.Context()))
}

func TestWatchEndsWithItsContext(t *testing.T) {
	e := &engine{api: "1.41"}
	c := startEngine(t, e)
	ctx, cancel := context.WithCancel(t.Context())
	hints := c.Watch(ctx)
	receive(t, hints)
	cancel()
	for range hints { // until closed
	}
	await(t, "its goroutines to end", func() bool {
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		return !strings.Contains(string(stacks), "swarm.(*Client).watch") && !strings.Contains(string(stacks), "client.(*Client).Events")
	})
}

func receive(t *testing.T, hints <-chan struct{}) {
	t.Helper()
	select {
	case _, ok := <-hints:
		if !ok {
			t.Fatal("closed")
		}
	case <-time.After(time.Minute):
		t.Fatal("no signal")
	}
}
