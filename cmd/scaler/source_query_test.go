package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/internal/influx"
	"sluice/policy"
)

// fakeFlux answers every query with one row, and remembers what it was asked.
type fakeFlux struct {
	mu    sync.Mutex
	asked map[string]int
	value float64
	slow  time.Duration // of texts that contain "slow"
	fail  string        // texts that contain it
	most  int           // under way at once
	now   int
}

func (f *fakeFlux) Query(ctx context.Context, flux string) ([]influx.Record, error) {
	f.mu.Lock()
	f.asked[flux]++
	f.now++
	f.most = max(f.most, f.now)
	f.mu.Unlock()
	defer func() { f.mu.Lock(); f.now--; f.mu.Unlock() }()
	if strings.Contains(flux, "slow") {
		select {
		case <-time.After(f.slow):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if f.fail != "" && strings.Contains(flux, f.fail) {
		return nil, errors.New("error @1:1: undefined\n identifier")
	}
	return []influx.Record{{Value: f.value}}, nil
}

// queryWish is a service with rules of these texts.
func queryWish(service string, texts ...string) wish {
	w := wish{service: service, every: time.Second}
	for i, text := range texts {
		w.rules = append(w.rules, policy.Rule{Index: i + 1, Metric: "query", Query: text, Window: 15 * time.Second, PerReplica: true})
	}
	return w
}

// passQueries passes ticks of a second and says how long the longest took.
func passQueries(t *testing.T, q *queries, n int, wishes ...wish) (longest time.Duration) {
	for range n {
		start := time.Now()
		q.begin(t.Context(), wishes, 250*time.Millisecond)
		side, cancel := context.WithTimeout(t.Context(), 250*time.Millisecond)
		q.collect(side)
		cancel()
		longest = max(longest, time.Since(start))
		time.Sleep(time.Second - time.Since(start)) // the clock is synctest's
	}
	return longest
}

func TestQueriesWithOneTextShareAnAnswerAndAreAskedNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeFlux{asked: map[string]int{}, value: 7}
		q := newQueries(f, nil)
		passQueries(t, q, 20, queryWish("a", "jobs", "of {{service}}"), queryWish("b", "jobs", "of {{service}}"))
		for text, want := range map[string]int{"jobs": 4, "of a": 4, "of b": 4} {
			if f.asked[text] != want {
				t.Errorf("%q was asked %d times in 20 s, want %d", text, f.asked[text], want)
			}
		}
		for _, service := range []string{"a", "b"} {
			if series := q.of(service); len(series) != 2 || series[0].Metric != "query.1" || len(series[0].Points) != 4 || series[0].Points[3].Value != 7 {
				t.Errorf("%s: %+v", service, series)
			}
		}
		passQueries(t, q, 10, queryWish("a", "jobs"))
		if f.asked["of b"] != 4 || len(q.asked) != 1 {
			t.Errorf("asked on for a service that is gone: %v", f.asked)
		}
	})
}

func TestSlowQueryHoldsUpNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeFlux{asked: map[string]int{}, value: 7, slow: time.Hour, fail: "wrong"}
		q := newQueries(f, nil)
		if longest := passQueries(t, q, 12, queryWish("a", "slow", "quick", "wrong")); longest > 250*time.Millisecond {
			t.Errorf("a tick took %s", longest)
		}
		in := policy.Input{Failures: map[string]string{}}
		for i := range 3 {
			q.fill(&in, "a", fmt.Sprint("query.", i+1))
		}
		if in.Failures["query.1"] != "query: context deadline exceeded" || in.Failures["query.2"] != "" || in.Failures["query.3"] != "query: error @1:1: undefined identifier" {
			t.Errorf("%v", in.Failures)
		}
		if len(q.of("a")) != 1 {
			t.Errorf("%v", q.of("a"))
		}
	})
}

func TestQueriesUnderWayAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeFlux{asked: map[string]int{}, slow: 900 * time.Millisecond}
		var texts []string
		for i := range 100 {
			texts = append(texts, fmt.Sprint("slow ", i))
		}
		passQueries(t, newQueries(f, nil), 10, queryWish("a", texts...))
		if f.most > queriesBusy || len(f.asked) != 100 {
			t.Errorf("%d at once, %d of 100 asked in 10 s", f.most, len(f.asked))
		}
	})
}

func TestConfigIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, configs := &fakeFlux{asked: map[string]int{}}, fakeConfigs{"jobs": "first {{service}}"}
		q := newQueries(f, configs)
		w := wish{service: "a", every: time.Second, rules: []policy.Rule{{Metric: "query", QueryConfig: "jobs", Window: time.Second}}}
		passQueries(t, q, 5, w)
		configs["jobs"] = "second {{window}}"
		passQueries(t, q, 40, w)
		if f.asked["first a"] == 0 || f.asked["second 1s"] == 0 {
			t.Errorf("asked %v", f.asked)
		}
		delete(configs, "jobs")
		passQueries(t, q, 40, w)
		in := policy.Input{Failures: map[string]string{}}
		q.fill(&in, "a", "query")
		if want := "config jobs: there is no config of this name"; in.Failures["query"] != want {
			t.Errorf("%v", in.Failures)
		}
		configs["jobs"] = "{{nothing}}"
		passQueries(t, q, 40, w)
		if q.fill(&in, "a", "query"); !strings.HasPrefix(in.Failures["query"], "config jobs: the query has the placeholder {{nothing}}") {
			t.Errorf("%v", in.Failures)
		}
	})
}
