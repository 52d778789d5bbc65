package main

import (
	"context"
	"errors"
	"fmt"
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
	each  []time.Duration // of the next listings, the last of which stands; nil: all take takes
	tasks []swarm.Task
}

func (s *slowSwarm) Services(context.Context, swarm.Filter) ([]swarm.Service, error) {
	return []swarm.Service{{ID: "web", Name: "web", Mode: swarm.Replicated, Replicas: 1}}, nil
}
func (s *slowSwarm) Networks(context.Context) ([]swarm.Network, error) { return nil, nil }
func (s *slowSwarm) Tasks(ctx context.Context, _ []string) ([]swarm.Task, error) {
	tasks, takes := s.tasks, s.takes
	if len(s.each) > 0 {
		if takes = s.each[0]; len(s.each) > 1 {
			s.each = s.each[1:]
		}
	}
	select {
	case <-time.After(takes):
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

// An engine may need longer than listAgain for each of its answers, and the first one may never come.
func TestAnEngineThatIsSlowOrHangsIsReadInTheEnd(t *testing.T) {
	for _, tt := range []struct {
		name   string
		takes  []time.Duration // each attempt; the last one stands for all that follow
		waited time.Duration
	}{
		{"slow", []time.Duration{25 * time.Second}, 25 * time.Second},
		{"the first attempt hangs", []time.Duration{time.Hour, time.Second}, listAgain + time.Second},
		{"two hang", []time.Duration{time.Hour, time.Hour, time.Second}, 2*listAgain + time.Second},
		{"all hang for a time", []time.Duration{time.Hour, time.Hour, time.Hour, time.Hour, time.Second}, 4*listAgain + time.Second},
	} {
		for _, known := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, known before: %t", tt.name, known), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					slow := &slowSwarm{tasks: []swarm.Task{runningTask("web", 1, "10.0.0.1")}}
					l := lister{swarm: slow}
					if known {
						if _, err := l.look(t.Context(), time.Now(), false); err != nil {
							t.Fatal(err)
						}
						slow.tasks = append(slow.tasks, runningTask("web", 2, "10.0.0.2"))
					}
					slow.each = tt.takes
					for began := time.Now(); ; time.Sleep(time.Second) {
						step, cancel := context.WithTimeout(t.Context(), stepTimeout)
						got, err := l.look(step, time.Now(), false)
						cancel()
						if waited := time.Since(began); err == nil && (got.tasks != len(slow.tasks) || waited > tt.waited+awayAfter+2*time.Second || waited < tt.waited) {
							t.Errorf("%d tasks after %s, want %d after %s", got.tasks, waited, len(slow.tasks), tt.waited)
						}
						if err == nil {
							break
						}
						if time.Since(began) > time.Hour {
							t.Fatal(err)
						}
					}
					synctest.Wait()
				})
			})
		}
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
