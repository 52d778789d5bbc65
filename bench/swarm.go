package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"sluice/internal/swarm"
)

const (
	most       = 10 // replicas
	askEvery   = 4 * time.Millisecond
	lookEvery  = 10 * time.Millisecond
	swarmLimit = 3 * time.Minute // for one change of the replicas
)

// following measures how fast HAProxy follows the swarm: on a real swarm a service goes from 1 to 10 replicas and back under
// a steady load, and each task says in its answers who it is and when the request came. A task counts from the look at
// which the API first called it running, and from the time that its node gives for that state, which the API shows later;
// one that leaves from the look before it was to run no more.
func following(ctx context.Context, b bench) ([]row, error) {
	s, err := openSwarm(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	v := &visits{url: s.url, first: map[string]time.Time{}, last: map[string]time.Time{}}
	asking, stop := context.WithCancel(ctx)
	var ended sync.WaitGroup
	ended.Go(func() { v.ask(asking) })
	defer ended.Wait()
	defer stop()
	var came, stamped, left []float64
	for round := range b.rounds {
		running, err := s.grow(ctx, v)
		if err != nil {
			return nil, err
		}
		for task, at := range running {
			came = append(came, max(0, v.firstOf(task).Sub(at.shown).Seconds()))
			stamped = append(stamped, v.firstOf(task).Sub(at.stamped).Seconds())
		}
		leaving, err := s.shrink(ctx)
		if err != nil {
			return nil, err
		}
		for task, since := range leaving {
			left = append(left, max(0, v.lastOf(task).Sub(since).Seconds()))
		}
		b.say("  round %d: %d tasks came, 95 %% within %.3f s; %d left, 95 %% with no request after %.3f s", round+1, len(running), quantile(came, 0.95), len(leaving), quantile(left, 0.95))
	}
	detail := fmt.Sprintf("%d tasks; median %.3f s, longest %.3f s; %d of %d requests failed meanwhile", len(came), quantile(came, 0.5), slices.Max(came), v.failed, v.sent)
	in := limited("swarm to HAProxy, a task runs -> its first request, p95", "s", quantile(came, 0.95), 0.3)
	out := limited("swarm to HAProxy, a task is to stop -> its last request, p95", "s", quantile(left, 0.95), 0.3)
	stamp := row{Name: "swarm to HAProxy, a task's node says that it runs -> its first request, p95", Unit: "s", Ours: quantile(stamped, 0.95)}
	in.Detail, out.Detail = detail, fmt.Sprintf("%d tasks; median %.3f s, longest %.3f s", len(left), quantile(left, 0.5), slices.Max(left))
	return []row{in, stamp, out}, nil
}

// quantile of values, which it sorts.
func quantile(values []float64, q float64) float64 {
	slices.Sort(values)
	return values[min(len(values)-1, int(q*float64(len(values))))]
}

// visits are what the tasks said of the requests that they got.
type visits struct {
	url          string
	mu           sync.Mutex
	first, last  map[string]time.Time // by task
	sent, failed int
}

// ask sends a request every few milliseconds, whatever becomes of the others.
func (v *visits) ask(ctx context.Context) {
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	defer client.CloseIdleConnections()
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	var all sync.WaitGroup
	defer all.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			all.Go(func() { v.one(&client) })
		}
	}
}

func (v *visits) one(client *http.Client) {
	// Without GetBody the client cannot send it twice.
	request, err := http.NewRequest(http.MethodPost, v.url, struct{ *strings.Reader }{strings.NewReader("an order")})
	var response *http.Response
	if err == nil {
		response, err = client.Do(request)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.sent++
	if err != nil {
		v.failed++
		return
	}
	response.Body.Close()
	task, came := response.Header.Get("X-Task"), response.Header.Get("X-Came")
	at, err := time.Parse(time.RFC3339Nano, came)
	if response.StatusCode != http.StatusOK || err != nil {
		v.failed++
		return
	}
	if first, known := v.first[task]; !known || at.Before(first) {
		v.first[task] = at
	}
	if at.After(v.last[task]) {
		v.last[task] = at
	}
}

func (v *visits) firstOf(task string) time.Time {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.first[task]
}

func (v *visits) lastOf(task string) time.Time {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.last[task]
}

// start is when a task ran.
type start struct{ shown, stamped time.Time }

// grow scales to the most and answers when each new task was running, once all of them have had a request.
func (s *swarmSite) grow(ctx context.Context, v *visits) (running map[string]start, err error) {
	running = map[string]start{}
	before, err := s.swarm.Tasks(ctx, []string{s.app})
	if err != nil {
		return nil, err
	}
	return running, s.scale(ctx, most, func(tasks []swarm.Task) bool {
		served := 0
		for _, task := range tasks {
			old := slices.ContainsFunc(before, func(b swarm.Task) bool { return b.ID == task.ID })
			if _, known := running[task.ID]; task.State == "running" && !old && !known {
				running[task.ID] = start{time.Now(), task.Since}
			}
			if !v.firstOf(task.ID).IsZero() {
				served++
			}
		}
		return len(tasks) == most && served == most
	})
}

// shrink scales to one replica and answers when each task was first seen to be on its way out, once all have ended.
func (s *swarmSite) shrink(ctx context.Context) (leaving map[string]time.Time, err error) {
	leaving = map[string]time.Time{}
	looked := time.Now() // the look before: from when on it may have been so
	before, err := s.swarm.Tasks(ctx, []string{s.app})
	if err != nil {
		return nil, err
	}
	return leaving, s.scale(ctx, 1, func(tasks []swarm.Task) bool {
		for _, old := range before {
			stays := slices.ContainsFunc(tasks, func(task swarm.Task) bool { return task.ID == old.ID })
			if _, known := leaving[old.ID]; !known && !stays {
				leaving[old.ID] = looked
			}
		}
		looked = time.Now()
		return len(tasks) == 1 && s.containers(ctx) == 1
	})
}
