package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"sluice/internal/influx"
	"sluice/internal/swarm"
	"sluice/internal/swarm/swarmtest"
	"sluice/policy"
)

// only is a swarm that has no other services than these: tests run side by side.
type only struct {
	*swarm.Client
	names  []string
	before func() // runs once before the next Scale: somebody else is quicker
}

func (o *only) Services(ctx context.Context, f swarm.Filter) ([]swarm.Service, error) {
	list, err := o.Client.Services(ctx, f)
	return slices.DeleteFunc(list, func(s swarm.Service) bool { return !slices.Contains(o.names, s.Name) }), err
}

func (o *only) Scale(ctx context.Context, id string, s swarm.Scaling) error {
	if before := o.before; before != nil {
		o.before = nil
		before()
	}
	return o.Client.Scale(ctx, id, s)
}

// readings answers the sessions of every second that is asked for.
type readings struct {
	service string
	load    func() turns
}

// turns are loads since a time.
type turns []turn

type turn struct {
	since    time.Time
	sessions float64
}

func (h turns) at(t time.Time) float64 {
	var sessions float64
	for _, turn := range h {
		if !turn.since.After(t) {
			sessions = turn.sessions
		}
	}
	return sessions
}

func (s readings) Query(_ context.Context, flux string) ([]influx.Record, error) {
	bounds := rangeOf.FindStringSubmatch(flux)
	start, err := time.Parse(time.RFC3339Nano, bounds[1])
	if err != nil {
		return nil, err
	}
	var rows []influx.Record
	load := s.load()
	for at := start.Truncate(time.Second).Add(time.Second); at.Before(time.Now()); at = at.Add(time.Second) {
		rows = append(rows, influx.Record{
			Time: at, Value: load.at(at), Field: "scur_mean",
			Tags: map[string]string{"service": s.service, "server": "proxy-1", "proxy": s.service + "-be8080_1"},
		})
	}
	return rows, nil
}

// scaling is a real service under an invented load, with a scaler of its own.
type scaling struct {
	t       *testing.T
	service swarm.Service
	swarm   *only
	loop    *loop

	mu   sync.Mutex
	load turns
	out  strings.Builder
}

// brisk are labels with which nothing takes long.
func brisk(more ...string) map[string]string {
	labels := map[string]string{}
	for _, word := range append([]string{
		"max=4", "target=10", "window=1s", "panicWindow=0s", "tolerance=0", "warmup=0s", "rateUp=100/1m", "rateDown=100/1m",
		"stabilizeDown=2s", "cooldownUp=0s", "cooldownDown=2s",
	}, more...) {
		key, value, _ := strings.Cut(word, "=")
		labels[policy.Prefix+key] = value
	}
	return labels
}

// newScaling is a scaler of a service and of others, which somebody drives tick by tick.
func newScaling(t *testing.T, s swarm.Service, load float64, others ...string) *scaling {
	t.Helper()
	c := &scaling{t: t, service: s, load: turns{{sessions: load}}, swarm: &only{Client: swarmtest.Need(t), names: append(others, s.Name)}}
	log := zerolog.New(&synced{c: c})
	records := &recorder{log: log, metrics: newMetrics(prometheus.NewRegistry()), board: newBoard()}
	c.loop = newLoop(c.swarm, newFeed(readings{s.Name, c.current}, "telegraf/autogen", time.Second, log), records, log, 250*time.Millisecond)
	return c
}

// watchOver lets a scaler run for a service until the test ends.
func watchOver(t *testing.T, s swarm.Service, load float64) *scaling {
	t.Helper()
	c := newScaling(t, s, load)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); c.loop.run(ctx, c.swarm.Watch(ctx)) }()
	t.Cleanup(func() {
		cancel()
		<-ended
		if t.Failed() {
			last, _ := c.loop.recorder.board.get(c.service.Name)
			t.Logf("the last decision: %s at %s from %d replicas: %s\nlog of the scaler:\n%s", last.Verdict, last.At, last.Current, last.Reason, c.logged())
			services, err := c.swarm.Services(context.Background(), swarm.Filter{})
			t.Logf("the service now: %+v, %v", services, err)
		}
	})
	return c
}

type synced struct{ c *scaling }

func (s *synced) Write(line []byte) (int, error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	return s.c.out.Write(line)
}

func (c *scaling) logged() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.String()
}

func (c *scaling) current() turns {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.load
}

func (c *scaling) sessions(n float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.load = append(slices.Clip(c.load), turn{time.Now(), n})
}

// replicas waits until that many are desired.
func (c *scaling) replicas(n int) {
	c.t.Helper()
	swarmtest.Wait(c.t, fmt.Sprintf("%d replicas", n), func(context.Context) bool { return swarmtest.Inspect(c.t, c.service.ID).Replicas == n })
}

// sets counts the steps that were taken between these numbers. A warning about one that failed has the numbers too.
func (c *scaling) sets(from, to int) (steps int) {
	for line := range strings.Lines(c.logged()) {
		if strings.Contains(line, fmt.Sprintf(`"from":%d,"to":%d`, from, to)) && strings.Contains(line, `"message":"replicas set"`) {
			steps++
		}
	}
	return steps
}

// says waits until the last decision has these words.
func (c *scaling) says(words string) {
	c.t.Helper()
	var last string
	defer func() {
		if c.t.Failed() {
			c.t.Logf("the last decision: %s", last)
		}
	}()
	swarmtest.Wait(c.t, "a decision with "+words, func(context.Context) bool {
		s, _ := c.loop.recorder.board.get(c.service.Name)
		last = string(s.Verdict) + ": " + s.Reason
		return strings.Contains(last, words)
	})
}

// decides waits for so many more decisions.
func (c *scaling) decides(n int) {
	c.t.Helper()
	for range n {
		before, _ := c.loop.recorder.board.get(c.service.Name)
		swarmtest.Wait(c.t, "a decision", func(context.Context) bool {
			s, _ := c.loop.recorder.board.get(c.service.Name)
			return s.At.After(before.At)
		})
	}
}

// childOf names the service that a process of this test binary scales; its load stands in a file.
const (
	childOf   = "SLUICE_TEST_SCALER_OF"
	childLoad = "SLUICE_TEST_SCALER_LOAD"
)

// TestScalerProcess is the program of the processes that other tests kill; alone it does nothing.
func TestScalerProcess(t *testing.T) {
	name := os.Getenv(childOf)
	if name == "" {
		return
	}
	client, err := swarm.Open(os.Getenv("DOCKER_HOST"))
	if err != nil {
		t.Fatal(err)
	}
	log := zerolog.New(os.Stderr).With().Timestamp().Logger()
	records := &recorder{log: log, metrics: newMetrics(prometheus.NewRegistry()), board: newBoard()}
	load := func() (load turns) {
		content, _ := os.ReadFile(os.Getenv(childLoad))
		for line := range strings.Lines(string(content)) {
			var since int64
			var sessions float64
			if _, err := fmt.Sscan(line, &since, &sessions); err == nil {
				load = append(load, turn{time.Unix(0, since), sessions})
			}
		}
		return load
	}
	l := newLoop(&only{Client: client, names: []string{name}}, newFeed(readings{name, load}, "telegraf/autogen", time.Second, log), records, log, 250*time.Millisecond)
	l.run(t.Context(), client.Watch(t.Context()))
}
