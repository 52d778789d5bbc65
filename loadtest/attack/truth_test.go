package attack

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/loadtest/scenario"
)

// The server knows how long each answer took. A client can only add to that, so the slowest so-and-so many are at least as slow as they were
// made, whatever else the machine does. How little it adds shows where the machine does nothing else for two seconds.
func TestLatenciesAreThoseOfTheServer(t *testing.T) {
	const attempts = 5
	for attempt := 1; ; attempt++ {
		usual, latencies := usual(t), slowed(t)
		added := ""
		for _, want := range []struct {
			rank    int // of 1000
			atLeast time.Duration
			below   time.Duration
		}{{500, 0, 100*time.Millisecond + usual}, {900, 100 * time.Millisecond, 400*time.Millisecond + usual}, {989, 100 * time.Millisecond, time.Minute}, {990, 400 * time.Millisecond, time.Minute}} {
			got := latencies[want.rank]
			if got < want.atLeast {
				t.Fatalf("request %d of 1000 by latency took %s, want %s at least", want.rank, got, want.atLeast)
			}
			if got >= want.below {
				added += fmt.Sprintf("request %d of 1000 by latency took %s, want less than %s; ", want.rank, got, want.below)
			}
		}
		if added == "" {
			return
		}
		if t.Log(added); attempt == attempts {
			t.Fatalf("%d times more than the server took", attempts)
		}
	}
}

// slowed are the latencies, in order, of 1,000 requests to a server that takes 100 ms for every tenth and 400 ms for every hundredth.
func slowed(t *testing.T) []time.Duration {
	t.Helper()
	var served atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		switch n := served.Add(1); {
		case n%100 == 0:
			stall(r.Context(), 400*time.Millisecond)
		case n%10 == 0:
			stall(r.Context(), 100*time.Millisecond)
		}
	}))
	defer server.Close()
	var latencies []time.Duration
	for _, o := range attack(t, load(server.URL, 500, 2*time.Second)) {
		latencies = append(latencies, o.Latency())
	}
	slices.Sort(latencies)
	if len(latencies) != 1000 {
		t.Fatalf("%d requests, want 1000", len(latencies))
	}
	return latencies
}

// usual is what a request takes on this machine at this moment that the server answers at once: twice what nine of ten take.
func usual(t *testing.T) time.Duration {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	var latencies []time.Duration
	for _, o := range attack(t, load(server.URL, 500, time.Second)) {
		latencies = append(latencies, o.Latency())
	}
	slices.Sort(latencies)
	return 2 * latencies[len(latencies)*9/10]
}

// Coordinated omission: while the server stands still, a client that waits for answers sends nothing and so measures one slow request. Here every
// request that was due meanwhile is sent, and none of them can have ended before the server went on.
func TestEveryRequestThatWasDueInAStallWaitsForItsEnd(t *testing.T) {
	var mu sync.Mutex
	var served int
	var from, to time.Duration
	start := time.Now()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		mu.Lock() // everyone who comes meanwhile stands here
		defer mu.Unlock()
		if served++; served == 100 {
			from = time.Since(start)
			<-time.After(time.Second)
			to = time.Since(start)
		}
	}))
	defer server.Close()
	s := load(server.URL, 200, 5*time.Second) // the stall begins after half a second, on a busy machine later
	s.Connections = 1000
	var got outcomes
	schedule := scenario.NewSchedule(s.Phases)
	if _, err := Run(t.Context(), s, schedule, start, got.add); err != nil {
		t.Fatal(err)
	}
	want := schedule.Before(to) - schedule.Before(from)
	waited := 0
	for _, o := range got.all {
		if o.Due >= from && o.Due < to {
			waited++
			if o.Done < to || o.Latency() < to-o.Due {
				t.Errorf("the request due at %s ended at %s, while the server stood still until %s", o.Due, o.Done, to)
			}
		}
	}
	if waited != want || want < 190 {
		t.Errorf("%d requests waited, want the %d that were due from %s to %s", waited, want, from, to)
	}
	if kinds := count(got.all); kinds[""] != 1000 {
		t.Errorf("outcomes %v, want 1000 good ones", kinds)
	}
}

func TestEveryRequestIsSentAtMostOnceAndNotBeforeItIsDue(t *testing.T) {
	var served atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served.Add(1) }))
	defer server.Close()
	s := load(server.URL, 0, 0)
	s.Phases = []scenario.Phase{
		{Name: "wave", Kind: scenario.Sine, Rates: []float64{0, 1000}, Period: 500 * time.Millisecond, Duration: time.Second},
		{Name: "spike", Kind: scenario.Spike, Rates: []float64{10, 2000}, At: 100 * time.Millisecond, Width: 200 * time.Millisecond, Duration: 500 * time.Millisecond},
	}
	schedule := scenario.NewSchedule(s.Phases)
	got := attack(t, s)
	if len(got) != schedule.Len() || int(served.Load()) != schedule.Len() {
		t.Errorf("%d outcomes, %d served, want %d", len(got), served.Load(), schedule.Len())
	}
	slices.SortFunc(got, func(a, b Outcome) int { return int(a.Due - b.Due) })
	for n, o := range got {
		if due, phase := schedule.Due(n); o.Due != due || o.Phase != phase || o.Sent < due {
			t.Fatalf("request %d of phase %d was due at %s and sent at %s, want phase %d at %s", n, o.Phase, o.Due, o.Sent, phase, due)
		}
	}
}

func TestAClosedLoopWaitsForItsAnswersAndThinks(t *testing.T) {
	var now, most, served atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		served.Add(1)
		stall(r.Context(), 50*time.Millisecond)
		now.Add(-1)
	}))
	defer server.Close()
	s := load(server.URL, 0, 0)
	s.Phases = []scenario.Phase{{Name: "people", Kind: scenario.Closed, Rates: []float64{0}, Users: 4, Think: 50 * time.Millisecond, Duration: 3 * time.Second}}
	got := attack(t, s)
	// A round takes at least 100 ms: no user comes to more than thirty in three seconds.
	if len(got) > 120 || len(got) < 5 || int(served.Load()) != len(got) || most.Load() > 4 {
		t.Errorf("%d requests, %d served, %d at one time; want at most 120 by 4 users", len(got), served.Load(), most.Load())
	}
	for _, o := range got {
		if o.Due != o.Sent && o.Lateness() > 500*time.Millisecond || o.Kind != "" || o.Due > 3*time.Second {
			t.Errorf("%+v: want latency from sending, no failure, none after the phase", o)
		}
	}
}

func TestAClosedLoopKeepsTheLimits(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	s := load(server.URL, 0, 0)
	s.Phases = []scenario.Phase{{Name: "people", Kind: scenario.Closed, Rates: []float64{0}, Users: 50, Duration: 3 * time.Second}}
	s.Limit.Rate = 100
	if n := len(attack(t, s)); n > 301 || n < 20 {
		t.Errorf("%d requests in three seconds, want the limit of 100 a second", n)
	}
	s.Limit = scenario.Limit{Requests: 30, Rate: 1e6}
	if n := len(attack(t, s)); n != 30 {
		t.Errorf("%d requests, want the limit of 30", n)
	}
}
