package attack

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/loadtest/scenario"
)

func TestRateIsWithinOnePercentOfWhatWasAsked(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	punctual := time.Hour
	for range 5 { // attempts: a drift is there each time, a machine that is busy elsewhere is so at times
		got := attack(t, load(server.URL, 1000, 2*time.Second))
		if kinds := count(got); kinds[""] != 2000 {
			t.Fatalf("outcomes of %d requests: %v, want 2000 good ones", len(got), kinds)
		}
		// Whatever the machine does to single requests, they must not drift away, as those of a closed loop would: of the last 500, which a client
		// at 99 % of the rate would send 15 ms late at least, some leave on time.
		for _, o := range got {
			if o.Due >= 1500*time.Millisecond {
				punctual = min(punctual, o.Sent-o.Due)
			}
		}
		if punctual <= 15*time.Millisecond {
			return
		}
	}
	t.Errorf("the most punctual of the last 500 requests left %s late", punctual)
}

// A server that stands still for a second delays the requests that were due meanwhile. With one connection, a client that counts from sending
// sees one slow request of two hundred; a user who came meanwhile has waited all the same.
func TestStallIsSeenByEveryRequestThatWasDueInIt(t *testing.T) {
	var served atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if served.Add(1) == 50 {
			stall(r.Context(), time.Second)
		}
	}))
	defer server.Close()
	s := load(server.URL, 100, 2*time.Second)
	s.Connections = 1
	got := attack(t, s)
	slow := func(latency func(Outcome) time.Duration) int {
		n := 0
		for _, o := range got {
			if latency(o) > 300*time.Millisecond {
				n++
			}
		}
		return n
	}
	if n := slow(Outcome.Latency); n < 60 {
		t.Errorf("%d requests took more than 300 ms from when they were due, want the 70 of 0.7 s", n)
	}
	if n := slow(Outcome.Service); n > 30 { // some more where the machine itself stands still at times
		t.Errorf("%d requests took more than 300 ms from sending, want 1", n)
	}
	blocked := 0
	for _, o := range got {
		if o.Blocked > 300*time.Millisecond {
			blocked++
		}
	}
	if blocked < 60 {
		t.Errorf("%d requests know that they waited for a connection, want about 70", blocked)
	}
}

func TestFailuresHaveKinds(t *testing.T) {
	tests := []struct {
		name  string
		serve http.HandlerFunc
		want  Kind
	}{
		{"server error", status(503), Status5xx},
		{"client error", status(404), Status4xx},
		{"redirect is an answer", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://192.0.2.1/", http.StatusFound)
		}, ""},
		{"connection reset", hijack(func(c *net.TCPConn) { _ = c.SetLinger(0) }), Reset},
		{"closed before the answer", hijack(func(*net.TCPConn) {}), EOF},
		{"closed inside the answer", hijack(func(c *net.TCPConn) {
			_, _ = c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"))
		}), EOF},
		{"no HTTP", hijack(func(c *net.TCPConn) { _, _ = c.Write([]byte("220 mail\r\n\r\n")) }), Other},
		{"slow answer", func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // or the server does not notice that the client has gone
			stall(r.Context(), time.Minute)
		}, Timeout},
		{"slow body", func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).Flush()
			stall(r.Context(), time.Minute)
		}, Timeout},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(tt.serve)
			defer server.Close()
			s := load(server.URL, 10, 500*time.Millisecond)
			s.Targets[0].Method, s.Targets[0].Body = "POST", "vote=a"
			if tt.want == Timeout {
				s.Timeout = 3 * time.Second
			}
			if diff := cmp.Diff(map[Kind]int{tt.want: 5}, count(attack(t, s))); diff != "" {
				t.Errorf("kinds (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNobodyListeningIsRefused(t *testing.T) {
	server := httptest.NewServer(nil)
	server.Close()
	if diff := cmp.Diff(map[Kind]int{Refused: 5}, count(attack(t, load(server.URL, 10, 500*time.Millisecond)))); diff != "" {
		t.Errorf("kinds (-want +got):\n%s", diff)
	}
}

func TestRequestsThatFindNoConnectionInTimeAreUnsent(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { stall(r.Context(), time.Minute) }))
	defer server.Close()
	s := load(server.URL, 5000, 100*time.Millisecond)
	s.Connections, s.Timeout = 1, 3*time.Second
	kinds := count(attack(t, s))
	if kinds[Unsent] == 0 || kinds[Timeout] == 0 || kinds[Unsent]+kinds[Timeout] != 500 {
		t.Errorf("kinds %v, want all 500 timed out or unsent, and some of each", kinds)
	}
}

// A kept connection on which the server hangs up in place of an answer: the transport sends a GET again by itself, and a POST never.
func TestOnlyRequestsWithoutBodyAreRetriedAndThatIsCounted(t *testing.T) {
	for _, tt := range []struct {
		method, body string
		kind         Kind
	}{{"GET", "", ""}, {"POST", "vote=a", EOF}} {
		t.Run(tt.method, func(t *testing.T) {
			var hung atomic.Bool
			var served atomic.Int32
			hang := hijack(func(*net.TCPConn) {})
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if served.Add(1) == 3 && hung.CompareAndSwap(false, true) {
					hang(w, r)
				}
			}))
			defer server.Close()
			s := load(server.URL, 20, 500*time.Millisecond)
			s.Connections = 1 // on which the third request is never the first
			s.Targets[0].Method, s.Targets[0].Body = tt.method, tt.body
			got := attack(t, s)
			retries := 0
			for _, o := range got {
				retries += o.Retries
			}
			wantRetries, wantKinds := 1, map[Kind]int{"": 10}
			if tt.kind != "" {
				wantRetries, wantKinds = 0, map[Kind]int{"": 9, tt.kind: 1}
			}
			if diff := cmp.Diff(wantKinds, count(got)); diff != "" || retries != wantRetries {
				t.Errorf("%d retries, want %d; kinds (-want +got):\n%s", retries, wantRetries, diff)
			}
		})
	}
}

func TestConnectionsAreKeptOrNotAsAsked(t *testing.T) {
	for _, keep := range []bool{true, false} {
		server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		s := load(server.URL, 20, 500*time.Millisecond)
		s.KeepAlive, s.Connections = keep, 1
		dialed := 0
		for _, o := range attack(t, s) {
			dialed += o.Dialed
		}
		if want := map[bool]int{true: 1, false: 10}[keep]; dialed != want {
			t.Errorf("keepAlive %t opened %d connections for 10 requests, want %d", keep, dialed, want)
		}
		server.Close()
	}
}

func TestTargetsGetTheirShareAndTheirHeaders(t *testing.T) {
	var mu sync.Mutex
	got := map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		got[r.Method+" "+r.Host+r.URL.Path+" "+r.Header.Get("X-A")+" "+strings.Join(r.Header["User-Agent"], ",")]++
	}))
	defer server.Close()
	s := load(server.URL, 40, 500*time.Millisecond)
	s.Targets = []scenario.Target{
		{URL: server.URL + "/a", Method: "GET", Weight: 3, Headers: []scenario.Header{{Name: "Host", Value: "shop.example"}, {Name: "X-A", Value: "b"}, {Name: "user-agent", Value: "me"}}},
		{URL: server.URL + "/b", Method: "PUT", Weight: 1, Headers: []scenario.Header{{Name: "host", Value: "other"}}},
	}
	attack(t, s)
	if diff := cmp.Diff(map[string]int{"GET shop.example/a b me": 15, "PUT other/b  sluice-loadtest": 5}, got); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestAnInterruptStopsSendingAndCutsWhatHangs(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	var served atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if served.Add(1) == 3 {
			interrupt()
			stall(r.Context(), time.Minute)
		}
	}))
	defer server.Close()
	s := load(server.URL, 20, time.Minute)
	s.Timeout = time.Minute
	var outcomes outcomes
	stopped, err := Run(ctx, s, scenario.NewSchedule(s.Phases), time.Now(), outcomes.add)
	if err != nil || stopped > 30*time.Second {
		t.Errorf("sending stopped after %s: %v", stopped, err)
	}
	if kinds := count(outcomes.all); kinds[Cut] != 1 || kinds[""] < 2 {
		t.Errorf("kinds %v, want one cut off", kinds)
	}
}

type outcomes struct {
	mu  sync.Mutex
	all []Outcome
}

func (o *outcomes) add(one Outcome) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all = append(o.all, one)
}

func attack(t *testing.T, s *scenario.Scenario) []Outcome {
	t.Helper()
	var o outcomes
	if _, err := Run(t.Context(), s, scenario.NewSchedule(s.Phases), time.Now(), o.add); err != nil {
		t.Fatal(err)
	}
	return o.all
}

func load(url string, rate float64, length time.Duration) *scenario.Scenario {
	return &scenario.Scenario{
		Targets: []scenario.Target{{URL: url, Method: "GET", Weight: 1}}, KeepAlive: true, Timeout: 10 * time.Second, Connections: 100,
		Phases: []scenario.Phase{{Name: "all", Kind: scenario.Constant, Rates: []float64{rate}, Duration: length}},
	}
}

func count(all []Outcome) map[Kind]int {
	kinds := map[Kind]int{}
	for _, o := range all {
		kinds[o.Kind]++
	}
	return kinds
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// hijack takes the connection, does something to it, and closes it.
func hijack(do func(*net.TCPConn)) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		do(conn.(*net.TCPConn))
		conn.Close()
	}
}

// stall keeps a request for that long, or until its client has gone.
func stall(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
