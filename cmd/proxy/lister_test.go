package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/internal/swarm"
)

// slowSwarm takes its time to list tasks.
type slowSwarm struct {
	takes time.Duration
	tasks []swarm.Task
}

func (s *slowSwarm) Services(context.Context, swarm.Filter) ([]swarm.Service, error) {
	return []swarm.Service{{ID: "web", Name: "web", Mode: swarm.Replicated, Replicas: 1}}, nil
}
func (s *slowSwarm) Networks(context.Context) ([]swarm.Network, error) { return nil, nil }
func (s *slowSwarm) Tasks(ctx context.Context, _ []string) ([]swarm.Task, error) {
	tasks := s.tasks
	select {
	case <-time.After(s.takes):
		return tasks, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func TestTheLastListingStandsWhileTheSwarmHangs(t *testing.T) {
	one, two := []swarm.Task{runningTask("web", 1, "10.0.0.1")}, []swarm.Task{runningTask("web", 1, "10.0.0.1"), runningTask("web", 2, "10.0.0.2")}
	tests := []struct {
		name   string
		takes  time.Duration // the second listing
		hurry  time.Duration // when something cannot wait; 0: nothing
		want   int           // tasks
		waited time.Duration
		err    error
	}{
		{"an answer in time", time.Second, 0, 2, time.Second, nil},
		{"an answer in time for what cannot wait", time.Second, 900 * time.Millisecond, 2, time.Second, nil},
		{"what cannot wait goes on", time.Second, 100 * time.Millisecond, 1, 300 * time.Millisecond, nil},
		{"the swarm hangs", time.Hour, 0, 1, awayAfter, errNoAnswer},
		{"the swarm hangs and something cannot wait", time.Hour, 2900 * time.Millisecond, 1, awayAfter, errNoAnswer},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				slow := &slowSwarm{takes: 8 * time.Second, tasks: one}
				l := lister{swarm: slow, hurry: make(chan struct{}, 1)}
				poke(l.hurry)
				if first, err := l.look(t.Context(), time.Now(), false); err != nil || first.tasks != 1 {
					t.Fatalf("the first listing is not waited for: %+v, %v", first, err)
				}
				<-l.hurry
				slow.takes, slow.tasks = tt.takes, two
				began := time.Now()
				if tt.hurry > 0 {
					time.AfterFunc(tt.hurry, func() { poke(l.hurry) })
				}
				got, err := l.look(t.Context(), began, false)
				if waited := time.Since(began); got.tasks != tt.want || !errors.Is(err, tt.err) || waited != tt.waited {
					t.Errorf("%d tasks and %v after %s, want %d and %v after %s", got.tasks, err, waited, tt.want, tt.err, tt.waited)
				}
				slow.takes = 0
				for range 2 { // an attempt that was under way ends, and the next one
					time.Sleep(listTimeout)
					got, err = l.look(t.Context(), time.Now(), false)
				}
				if got.tasks != 2 || err != nil {
					t.Errorf("later: %d tasks and %v", got.tasks, err)
				}
			})
		})
	}
}

func TestAnEventDuringAListingIsNotForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &slowSwarm{}
		l := lister{swarm: slow, hurry: make(chan struct{}, 1)}
		if _, err := l.look(t.Context(), time.Now(), false); err != nil {
			t.Fatal(err)
		}
		l.forget()
		slow.takes = time.Second
		poke(l.hurry)
		if _, err := l.look(t.Context(), time.Now(), false); err != nil {
			t.Fatal(err)
		}
		l.forget() // while it is under way
		if _, err := l.look(t.Context(), time.Now(), false); err != nil {
			t.Fatal(err)
		}
		if !l.known.listed.IsZero() {
			t.Error("the services are not listed again")
		}
	})
}

func TestReadySaysWhatServes(t *testing.T) {
	tests := []struct {
		name string
		view view
		code int
		want string
	}{
		{"nothing was read", view{HAProxyOK: true}, http.StatusServiceUnavailable, `"down","reason":"the swarm has not been read yet"`},
		{"the swarm as it is", view{HAProxyOK: true, Applied: true}, http.StatusOK, `"ok"`},
		{"the swarm as it was", view{HAProxyOK: true, Applied: true, Failure: "list tasks: no"}, http.StatusOK, `"degraded","reason":"list tasks: no"`},
		{"HAProxy is away", view{Applied: true, Failure: "no master"}, http.StatusServiceUnavailable, `"down","reason":"no master"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			answer := httptest.NewRecorder()
			api{view: func() *view { return &tt.view }}.ready(answer, nil)
			if answer.Code != tt.code || !strings.Contains(answer.Body.String(), tt.want) {
				t.Errorf("%d %s, want %d %s", answer.Code, answer.Body, tt.code, tt.want)
			}
		})
	}
}
