//go:build linux

package outage

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/internal/swarm/swarmtest/nodes"
	"sluice/loadtest/attack"
	"sluice/loadtest/scenario"
)

// load is a steady load on the proxies of some nodes: GETs and POSTs on each, 40 requests a second.
type load struct {
	t        *testing.T
	targets  []string
	schedule scenario.Schedule
	cancel   context.CancelFunc
	ended    chan struct{}
	start    time.Time
	at       time.Duration // when something was taken away
	done     time.Duration // when the routes had followed

	mu       sync.Mutex
	outcomes []attack.Outcome
}

func (f *fleet) load(on ...*nodes.Node) *load {
	f.t.Helper()
	s := &scenario.Scenario{KeepAlive: true, Timeout: scenario.DefaultTimeout, Connections: scenario.DefaultConnections}
	l := &load{t: f.t, ended: make(chan struct{}), start: time.Now()}
	for _, n := range on {
		for _, method := range []string{"GET", "POST"} {
			t := scenario.Target{URL: "http://" + n.Address(80) + "/app/", Method: method, Weight: map[string]int{"GET": 3, "POST": 1}[method]}
			if method == "POST" {
				t.Body = "an order"
			}
			s.Targets = append(s.Targets, t)
			l.targets = append(l.targets, method+" "+n.Name)
		}
	}
	s.Phases = []scenario.Phase{{Name: "steady", Kind: scenario.Constant, Rates: []float64{float64(40 * len(on))}, Duration: 10 * time.Minute}}
	l.schedule = scenario.NewSchedule(s.Phases)
	ctx, cancel := context.WithCancel(f.t.Context())
	l.cancel = cancel
	go func() {
		defer close(l.ended)
		_, err := attack.Run(ctx, s, l.schedule, l.start, func(o attack.Outcome) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.outcomes = append(l.outcomes, o)
		})
		if err != nil && !errors.Is(err, context.Canceled) {
			f.t.Error(err)
		}
	}()
	f.t.Cleanup(func() { cancel(); <-l.ended })
	l.answered(20 * len(on))
	return l
}

// answered waits for so many more good answers.
func (l *load) answered(n int) {
	l.t.Helper()
	good := func() (good int) {
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, o := range l.outcomes {
			if o.Kind == "" {
				good++
			}
		}
		return good
	}
	before := good()
	nodes.Await(l.t, "the load is answered", func() bool { return good() >= before+n })
}

// followed notes when what was taken away was no more routed.
func (l *load) followed(at time.Time) {
	l.at, l.done = at.Sub(l.start), time.Since(l.start)
	l.t.Logf("the routes followed after %s", (l.done - l.at).Round(10*time.Millisecond))
}

// decided tells whether all requests that were due earlier have ended.
func (l *load) decided(until time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	ended := 0
	for _, o := range l.outcomes {
		if o.Due < until {
			ended++
		}
	}
	return ended == l.schedule.Before(until)
}

// end stops the load and judges it: what is taken away may take some requests with it that were under way to it, but
// before and after that none may fail.
func (l *load) end(lost int) {
	t := l.t
	t.Helper()
	l.answered(40)
	until := time.Since(l.start)
	nodes.Await(l.t, "what was due has ended", func() bool { return l.decided(until) })
	l.cancel()
	<-l.ended
	var failed, unexplained []attack.Outcome
	slow, longest := 0, time.Duration(0)
	for _, o := range l.outcomes {
		if o.Latency() > time.Second {
			slow++
		}
		longest = max(longest, o.Latency())
		if o.Kind == "" || o.Kind == attack.Cut && o.Due >= until {
			continue
		}
		failed = append(failed, o)
		if l.done == 0 || o.Done < l.at || o.Due > l.done {
			unexplained = append(unexplained, o)
		}
	}
	t.Logf("%d requests, %d failed, %d took longer than 1 s, at most %s\n%s", len(l.outcomes), len(failed), slow, longest.Round(time.Millisecond), l.describe(failed))
	if len(unexplained) > 0 {
		t.Errorf("%d requests failed that were not under way to what was taken away, which was from %s to %s:\n%s", len(unexplained), l.at, l.done, l.describe(unexplained))
	}
	if len(failed) > lost {
		t.Errorf("%d requests failed, more than %d", len(failed), lost)
	}
}

func (l *load) describe(failed []attack.Outcome) string {
	var lines []string
	for _, o := range failed {
		lines = append(lines, fmt.Sprintf("%s at %s, after %s: %s %d %v", l.targets[o.Target], o.Due.Round(time.Millisecond), o.Latency().Round(time.Millisecond), o.Kind, o.Status, o.Err))
	}
	return strings.Join(lines, "\n")
}
