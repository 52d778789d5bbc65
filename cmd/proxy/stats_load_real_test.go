package main

import (
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"sluice/haproxystats"
	"sluice/internal/influx/influxtest"
)

// both is a real HAProxy that the real Telegraf and the exporter read.
type both struct {
	*statsHAProxy
	t        *testing.T
	telegraf string
	socket   string
	exporter *exporter
}

func startBoth(t *testing.T) *both {
	b := &both{t: t, telegraf: influxtest.Tool(t, "telegraf"), socket: filepath.Join(t.TempDir(), "stats.sock")}
	b.statsHAProxy = startStatsHAProxy(t, "global\n  stats socket "+b.socket+"\n")
	b.exporter = newExporter(b, exportSettings{interval: time.Second, servers: true,
		origin: haproxystats.Origin{Host: "node-1", Server: b.socket}}, zerolog.Nop())
	return b
}

func (b *both) theirs() map[string]map[string]string {
	b.t.Helper()
	return pointsByRow(b.t, runTelegraf(b.t, b.telegraf, b.socket))
}

// ours is a point of now, with what Sluice adds left out.
func (b *both) ours() map[string]map[string]string {
	b.t.Helper()
	workers, _, complete, err := b.exporter.read(b.t.Context(), askAll)
	if err != nil || !complete {
		b.t.Fatal(err, complete)
	}
	now := time.Now()
	points := pointsByRow(b.t, encoded(b.exporter, now, b.exporter.shown.next(now, workers, true)))
	for _, p := range points {
		for _, extra := range []string{"scur_mean", "scur_max", "req_rate_mean"} {
			delete(p, extra)
		}
	}
	return points
}

// hold opens requests that stay open until release is closed.
func (b *both) hold(n int) (answered *sync.WaitGroup) {
	b.t.Helper()
	answered = &sync.WaitGroup{}
	for range n {
		answered.Go(func() {
			response, err := http.Get(b.url + "/hold")
			if err != nil {
				b.t.Error(err)
				return
			}
			response.Body.Close()
		})
	}
	eventually(b.t, "all requests are held", func() bool { return b.ours()["app BACKEND"]["scur"] == fmt.Sprintf("%di", n) })
	return answered
}

// TestTelegrafAndSluiceSayTheSame reads one HAProxy with both. Under load values move, so a value of Telegraf's must lie
// between ours of just before and just after; when only held requests are left, all must be equal.
func TestTelegrafAndSluiceSayTheSame(t *testing.T) {
	b := startBoth(t)
	held := b.hold(7)
	before, theirs, after := b.underLoad()
	names := func(p map[string]string) []string { return slices.Sorted(maps.Keys(p)) }
	for row, want := range theirs {
		if diff := cmp.Diff(names(want), names(after[row])); diff != "" {
			t.Errorf("%s: names (-Telegraf +Sluice):\n%s", row, diff)
		}
		for name, value := range want {
			if err := within(before[row][name], value, after[row][name], name); err != nil {
				t.Errorf("%s %s: %v", row, name, err)
			}
		}
	}
	if before["app BACKEND"]["stot"] == after["app BACKEND"]["stot"] {
		t.Error("no request came meanwhile: that was no load")
	}
	eventually(t, "the last second has no new session", func() bool { return b.ours()["http FRONTEND"]["rate"] == "0i" })
	quiet, ours := b.theirs(), b.ours()
	for _, points := range []map[string]map[string]string{quiet, ours} {
		for _, p := range points {
			delete(p, "lastsess") // seconds that pass between the two readings
			delete(p, "lastchg")
		}
	}
	if diff := cmp.Diff(quiet, ours); diff != "" {
		t.Errorf("at rest (-Telegraf +Sluice):\n%s", diff)
	}
	close(b.release)
	held.Wait()
}

// underLoad reads with both while requests come in.
func (b *both) underLoad() (before, theirs, after map[string]map[string]string) {
	stop := make(chan struct{})
	var senders sync.WaitGroup
	for range 4 {
		senders.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				response, err := http.Get(b.url + "/")
				if err != nil {
					b.t.Error(err)
					return
				}
				response.Body.Close()
			}
		})
	}
	first := b.ours()
	eventually(b.t, "requests come in", func() bool { return b.ours()["app BACKEND"]["stot"] != first["app BACKEND"]["stot"] })
	before, theirs, after = b.ours(), b.theirs(), b.ours()
	close(stop)
	senders.Wait()
	return before, theirs, after
}

// within judges a value by what kind of column it is: counters and maxima only grow, gauges move as they like.
func within(before, value, after, name string) error {
	if strings.HasPrefix(name, "tag ") && value != after {
		return fmt.Errorf("Telegraf says %s, Sluice %s", value, after)
	}
	if kind := func(v string) string { return v[len(v)-1:] }; kind(value) != kind(after) {
		return fmt.Errorf("Telegraf writes %s, Sluice %s", value, after)
	}
	low, errLow := strconv.Atoi(strings.TrimSuffix(before, "i"))
	n, err := strconv.Atoi(strings.TrimSuffix(value, "i"))
	high, errHigh := strconv.Atoi(strings.TrimSuffix(after, "i"))
	if errLow != nil || err != nil || errHigh != nil || !grows[name] {
		return nil
	}
	if n < low || n > high {
		return fmt.Errorf("Telegraf says %d, Sluice %d before and %d after", n, low, high)
	}
	return nil
}

// grows names the fields that never fall while one worker lives.
var grows = func() map[string]bool {
	names := map[string]bool{}
	for _, c := range haproxystats.Columns() {
		names[c.FieldName()] = c.Merge == haproxystats.Count || c.Merge == haproxystats.CountOnce || c.Merge == haproxystats.Max
	}
	return names
}()

// TestOnlyTelegrafLosesOpenConnectionsAtAReload is why Sluice has an exporter of its own.
func TestOnlyTelegrafLosesOpenConnectionsAtAReload(t *testing.T) {
	b := startBoth(t)
	held := b.hold(20)
	scur := func(points map[string]map[string]string) string { return points["app BACKEND"]["scur"] }
	if got := scur(b.theirs()); got != "20i" {
		t.Fatalf("Telegraf sees %s of 20 open requests before the reload", got)
	}
	stot := b.ours()["app BACKEND"]["stot"]
	if _, err := b.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := scur(b.theirs()); got != "0i" {
		t.Errorf("Telegraf sees %s after the reload: what is this test for?", got)
	}
	if got := scur(b.ours()); got != "20i" {
		t.Errorf("Sluice sees %s of 20 open requests after the reload", got)
	}
	shown := b.exporter.shown.samples
	for m := range haproxystats.Metrics(shown, nil) {
		if m.Name == "haproxy_backend_current_sessions" && m.Value != 20 {
			t.Errorf("Prometheus sees %v of 20", m.Value)
		}
	}
	close(b.release)
	held.Wait()
	eventually(t, "the old worker has ended", func() bool {
		workers, err := b.Workers(t.Context())
		return err == nil && len(workers) == 1
	})
	if after := b.ours()["app BACKEND"]; after["stot"] != stot || after["scur"] != "0i" {
		t.Errorf("the old worker has ended: stot %s, scur %s, want %s and 0i", after["stot"], after["scur"], stot)
	}
}
