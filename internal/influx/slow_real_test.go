package influx_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"sluice/internal/influx/influxtest"
)

// between stands between the sender and the real InfluxDB.
func between(t *testing.T, server *influxtest.Server, treat func(http.ResponseWriter, *http.Request, http.Handler)) *influxtest.Server {
	t.Helper()
	real, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	to := httputil.NewSingleHostReverseProxy(real)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { treat(w, r, to) }))
	t.Cleanup(front.Close)
	behind := *server
	behind.URL = front.URL
	return &behind
}

// TestLostAcknowledgementsRepeatNothing loses every second answer after InfluxDB has taken the points: they are sent
// again, and are there once, for a point is known by its series and time.
func TestLostAcknowledgementsRepeatNothing(t *testing.T) {
	real := influxtest.StartWriteOnly(t)
	var calls, lost atomic.Int64
	r := newRig(t, between(t, real, func(w http.ResponseWriter, q *http.Request, to http.Handler) {
		if calls.Add(1)%2 == 1 {
			to.ServeHTTP(httptest.NewRecorder(), q)
			lost.Add(1)
			panic(http.ErrAbortHandler) // the connection is cut instead of an answer
		}
		to.ServeHTTP(w, q)
	}))
	for range 5 {
		r.put(20)
		until(t, "points arrive", r.drained)
	}
	if got := real.Count("m", "n"); got != 100 {
		t.Errorf("InfluxDB has %d points, want 100", got)
	}
	if n := lost.Load(); n < 5 {
		t.Errorf("only %d answers were lost", n)
	}
	if st := r.sender.Stats(); st.Dropped+st.Refused > 0 {
		t.Errorf("dropped or refused: %+v", st)
	}
}

// TestSlowServerGetsLargerBatches gives InfluxDB half a second for each request: what comes in meanwhile goes out
// together, so that a slow server does not fall behind.
func TestSlowServerGetsLargerBatches(t *testing.T) {
	real := influxtest.StartWriteOnly(t)
	var calls atomic.Int64
	r := newRig(t, between(t, real, func(w http.ResponseWriter, q *http.Request, to http.Handler) {
		calls.Add(1)
		select {
		case <-time.After(500 * time.Millisecond):
		case <-q.Context().Done():
			return
		}
		to.ServeHTTP(w, q)
	}))
	start := time.Now()
	r.put(300)
	took := time.Since(start)
	if took > time.Minute {
		t.Errorf("300 appends took %s: they waited for the server", took)
	}
	until(t, "all arrive", r.drained)
	if got := real.Count("m", "n"); got != 300 {
		t.Errorf("InfluxDB has %d points, want 300", got)
	}
	if n := calls.Load(); n > 20+2*int64(took/time.Second) { // two a second while they come in
		t.Errorf("%d requests for 300 points that came in together", n)
	}
}
