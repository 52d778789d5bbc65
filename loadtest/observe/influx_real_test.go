package observe

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"sluice/internal/influx"
	"sluice/internal/influx/influxtest"
)

func TestInfluxTellsWhatTheProxyAndTheScalerWrote(t *testing.T) {
	server := influxtest.Start(t)
	for attempt := 1; ; attempt++ {
		began := time.Now()
		diff := told(t, server.Other(t, fmt.Sprint("attempt", attempt)))
		if diff == "" {
			return
		}
		if time.Since(began) < late/2 || attempt == 5 { // else the points may have been too old when they were asked for
			t.Fatalf("reading (-want +got):\n%s", diff)
		}
	}
}

// told writes what a proxy and a scaler do, reads it back and answers the difference.
func told(t *testing.T, server *influxtest.Server) (diff string) {
	t.Helper()
	now := time.Now().UTC().Truncate(time.Second).Add(-5 * time.Second)
	at := func(second int) time.Time { return now.Add(time.Duration(second) * time.Second) }
	tag := func(pairs ...string) (tags []influx.Tag) {
		for i := 0; i < len(pairs); i += 2 {
			tags = append(tags, influx.Tag{Key: pairs[i], Value: pairs[i+1]})
		}
		return tags
	}
	backend := func(proxy string, second int, connections float64, failed int64) influx.Point {
		return influx.Point{
			Measurement: "haproxy", At: at(second),
			Tags: tag("proxy", "app-80", "server", proxy, "service", "app", "type", "backend"),
			Fields: []influx.Field{{Key: "scur_mean", Value: connections}, {Key: "scur_max", Value: connections + 1}, {Key: "qcur", Value: int64(2)},
				{Key: "req_rate_mean", Value: 30.0}, {Key: "http_response.5xx", Value: failed}},
		}
	}
	own := func(second int, workers, reloads int64, reason ...influx.Field) influx.Point {
		return influx.Point{Measurement: "sluice_proxy", At: at(second), Tags: tag("server", "one"),
			Fields: append([]influx.Field{{Key: "workers", Value: workers}, {Key: "draining", Value: workers - 1}, {Key: "reloads", Value: reloads}}, reason...)}
	}
	scale := func(second int, from, to int64, verdict, reason string) influx.Point {
		return influx.Point{Measurement: "sluice_scale", At: at(second), Tags: tag("service", "app"), Fields: []influx.Field{
			{Key: "current", Value: from}, {Key: "desired", Value: to}, {Key: "running", Value: from}, {Key: "min", Value: int64(1)}, {Key: "max", Value: int64(8)},
			{Key: "verdict", Value: verdict}, {Key: "reason", Value: reason}, {Key: "sessions", Value: 12.0}, {Key: "sessions_target", Value: 10.0}}}
	}
	lines, err := influx.Encode([]influx.Point{
		backend("one", 0, 3, 5), backend("one", 1, 5, 9), backend("two", 1, 2, 0),
		own(0, 1, 4), own(1, 2, 5, influx.Field{Key: "reload_reason", Value: "new backend shop"}), own(2, 1, 5),
		scale(0, 1, 1, "hold", "all is well"), scale(1, 1, 2, "up", `sessions 12 over "1" replica`), scale(2, 2, 2, "hold", "warming up"), scale(3, 2, 2, "hold", "warming up"),
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg := influx.Config{URL: server.URL, Bucket: server.Bucket}
	spool, err := influx.OpenSpool(t.TempDir(), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer spool.Close()
	if err := spool.Append(lines); err != nil {
		t.Fatal(err)
	}
	if err := influx.NewSender(cfg, spool, zerolog.Nop()).Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	reader := influx.NewReader(cfg)
	defer reader.Close()
	got, err := Influx{Reader: reader, Bucket: server.Bucket, Services: []string{"app", "shop"}}.Look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range got.Decisions {
		got.Decisions[i].At = got.Decisions[i].At.UTC()
	}
	want := Reading{
		Replicas: map[string]Replicas{"app": {Desired: 2, Running: 2}},
		Policies: map[string]Policy{"app": {1, 8, []Target{{"sessions", 10}}}},
		Loads: []Load{
			{Service: "app", Backend: "app-80", At: at(0), Connections: new(3.0), Peak: new(4.0), Queue: new(2.0), Rate: new(30.0)},
			{Service: "app", Backend: "app-80", At: at(1), Connections: new(7.0), Peak: new(9.0), Queue: new(4.0), Rate: new(60.0), Errors: new(4.0)},
		},
		Workers: []Workers{{"one", at(0), 1, 0, 4}, {"one", at(1), 2, 1, 5}, {"one", at(2), 1, 0, 5}},
		Reloads: []Reload{{"one", at(1), "new backend shop"}},
		Decisions: []Decision{
			{"app", at(1), 1, 2, "up", `sessions 12 over "1" replica`},
			{"app", at(2), 2, 2, "hold", "warming up"},
		},
	}
	return cmp.Diff(want, got)
}
