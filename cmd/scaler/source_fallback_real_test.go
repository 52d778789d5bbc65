package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/internal/influx/influxtest"
)

// fallsBackAndReturns stops the real InfluxDB and starts it again while load goes on: what a policy sees must go on too, and
// in the end InfluxDB, which gets its points late, must say what the proxy said meanwhile.
func fallsBackAndReturns(t *testing.T, server *influxtest.Server, api string, load func() error, all []wish) {
	f := realFeed(t, server)
	f.direct = newDirect([]string{api})
	pull := func() {
		if err := load(); err != nil {
			t.Error(err)
		}
		f.pull(t.Context(), all)
	}
	newest := func() (at time.Time) {
		for _, s := range f.samples.of("over_http") {
			if n := len(s.Points); n > 0 && s.Metric == "requestRate" {
				at = later(at, s.Points[n-1].At)
			}
		}
		return at
	}
	until(t, "InfluxDB is the source", func() bool { pull(); return f.origin(time.Now()) == "from InfluxDB" && !newest().IsZero() })
	server.Stop()
	stopped := time.Now()
	until(t, "the proxy is asked in its stead, and points go on", func() bool {
		pull()
		return strings.HasPrefix(f.origin(time.Now()), "from 1 proxy directly, InfluxDB has not answered") && newest().After(stopped.Add(3*time.Second))
	})
	if f.trouble != "" || seen(t, f, time.Now(), "over_http", 1, "metric=requestRate") == "0" {
		t.Errorf("trouble %q, requestRate %s", f.trouble, seen(t, f, time.Now(), "over_http", 1, "metric=requestRate"))
	}
	if want := ", the proxies are asked directly"; !strings.HasSuffix(f.remark(time.Now()), want) {
		t.Errorf("said %q, want %q at the end", f.remark(time.Now()), want)
	}
	server.Again()
	until(t, "InfluxDB is the source again", func() bool { pull(); return f.origin(time.Now()) == "from InfluxDB" })
	until(t, "InfluxDB and the policies have what the proxy measured meanwhile", func() bool {
		pull()
		fresh := realFeed(t, server)
		fresh.pull(t.Context(), all)
		theirs, ours := timesAfter(fresh, stopped), timesAfter(f, stopped)
		n := min(len(theirs), len(ours))
		if n < 10 || !slices.Equal(theirs[:n], ours[:n]) {
			return false
		}
		compare(t, fresh, f, all)
		return true
	})
}

// timesAfter are the times of what is known of a backend, in milliseconds since then.
func timesAfter(f *feed, then time.Time) (times []int64) {
	for _, s := range f.samples.of("over_http") {
		for _, p := range s.Points {
			if s.Metric == "queue" && p.At.After(then) {
				times = append(times, p.At.Sub(then).Milliseconds())
			}
		}
	}
	return times
}
