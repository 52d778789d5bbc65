package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"sluice/internal/swarm"
)

// answers runs the reconciler and is an API on it.
func (r *rig) answers() api {
	again := make(chan struct{}, 1)
	ctx, cancel := context.WithCancel(r.t.Context())
	ended := make(chan struct{})
	go func() { r.loop.run(ctx, again); close(ended) }()
	r.t.Cleanup(func() { cancel(); <-ended })
	return api{view: r.loop.view.Load, declared: r.loop.declared, again: func() { poke(again) }}
}

func (r *rig) declare(a api, path string) (*view, error) {
	return a.change(r.t.Context(), func() (uint64, error) {
		return a.declared.put("out", labels{"com.df.servicePath": path, "com.df.port": fmt.Sprint(r.port), "com.df.outboundHostname": "127.0.0.12"}, false)
	})
}

func TestWhileTheSwarmCannotBeReadTheAPIChangesWhatWasReadLast(t *testing.T) {
	r := newRig(t)
	r.swarm.services = []swarm.Service{r.service("web", 1, "servicePath=/web")}
	r.swarm.tasks = []swarm.Task{r.task("web", 1, "web", "127.0.0.11")}
	r.task("out", 1, "out", "127.0.0.12")
	r.settle()
	a := r.answers()
	await(t, "it is ready", func() bool { return a.view().Applied })
	r.swarm.change(func() { r.swarm.err = errors.New("the engine is away") })
	a.again()
	await(t, "the failure is shown", func() bool { return a.view().Failure != "" })
	failed := a.view().FailedAt
	for _, path := range []string{"/out", "/other"} {
		if _, err := r.declare(a, path); err != nil {
			t.Fatal(err)
		}
		if got := r.get(path); got != "out "+path {
			t.Errorf("declared: got %q", got)
		}
		if got := r.get("/web"); got != "web /web" {
			t.Errorf("of the swarm: got %q", got)
		}
	}
	if v := a.view(); !strings.Contains(v.Failure, "the engine is away") || !v.FailedAt.Equal(failed) || !v.Applied || v.Unread {
		t.Errorf("the view says %q since %s, not since %s", v.Failure, v.FailedAt, failed)
	}
	if _, err := a.change(t.Context(), func() (uint64, error) { return a.declared.put("out", nil, false) }); err != nil {
		t.Fatal(err)
	}
	if got := r.get("/other"); got != "503" {
		t.Errorf("removed: got %q", got)
	}
	r.swarm.change(func() { r.swarm.err = nil; r.swarm.services, r.swarm.tasks = nil, nil })
	a.again()
	await(t, "the swarm as it is now", func() bool { return a.view().Failure == "" && len(a.view().Table.Backends) == 0 })
}

func TestAnEngineThatHangsDoesNotHoldUpTheAPI(t *testing.T) {
	r := newRig(t)
	r.settle()
	r.task("out", 1, "out", "127.0.0.12")
	r.loop.lister.away, r.loop.lister.asked = context.DeadlineExceeded, time.Now() // as after a listing that took too long
	r.loop.lister.forget()
	release := make(chan struct{})
	asked := make(chan struct{}, 100)
	r.loop.lister.swarm = hangingSwarm{release, asked}
	if _, err := r.loop.declared.put("out", labels{"com.df.servicePath": "/out", "com.df.port": fmt.Sprint(r.port), "com.df.outboundHostname": "127.0.0.12"}, false); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); r.loop.owes(); {
		r.loop.lister.asked = time.Now() // however long a step takes, the pause is not over
		if pause, err := r.loop.step(t.Context()); err == nil || pause > pauseFast {
			t.Fatalf("pause %s, error %v", pause, err)
		}
		if len(asked) > 0 || time.Now().After(deadline) {
			t.Fatal("the engine was asked before what the API waits for was in force")
		}
	}
	if got := r.get("/out"); got != "out /out" {
		t.Errorf("got %q", got)
	}
	close(release)
	if _, err := r.loop.step(t.Context()); err == nil || len(asked) == 0 {
		t.Errorf("it is not asked again: %v", err)
	}
}

// hangingSwarm answers nothing until it is released.
type hangingSwarm struct {
	release chan struct{}
	asked   chan struct{}
}

func (h hangingSwarm) Services(context.Context, swarm.Filter) ([]swarm.Service, error) {
	h.asked <- struct{}{}
	<-h.release
	return nil, errors.New("too late")
}
func (h hangingSwarm) Tasks(context.Context, []string) ([]swarm.Task, error) { return nil, nil }
func (h hangingSwarm) Networks(context.Context) ([]swarm.Network, error)     { return nil, nil }

func TestBeforeTheSwarmWasReadAChangeIsKeptAndTheAPISaysSoAtOnce(t *testing.T) {
	r := newRig(t)
	r.swarm.err = errors.New("the engine is away")
	r.task("out", 1, "out", "127.0.0.12")
	a := r.answers()
	await(t, "the failure is shown", func() bool { return a.view().Unread && a.view().Failure != "" })
	began := time.Now()
	_, err := r.declare(a, "/out")
	refused, _ := err.(refusal)
	if refused.code != http.StatusServiceUnavailable || !strings.Contains(refused.reason, "kept, but not in force yet: ") || !strings.Contains(refused.reason, "the engine is away") || time.Since(began) > applyTimeout/2 {
		t.Errorf("after %s: %+v", time.Since(began), err)
	}
	if v := a.view(); v.Applied {
		t.Error("it says that it is ready")
	}
	r.swarm.change(func() { r.swarm.err = nil })
	a.again()
	await(t, "what was kept is in force", func() bool { return r.get("/out") == "out /out" })
}
