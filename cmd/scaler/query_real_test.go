package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"sluice/internal/influx"
	"sluice/internal/influx/influxtest"
	"sluice/internal/swarm"
	"sluice/policy"
)

// post writes points of every service from each proxy, one a second, seconds back to now.
func post(t testing.TB, server *influxtest.Server, services, proxies int, from, to time.Time) {
	t.Helper()
	var points []influx.Point
	flush := func() {
		lines, err := influx.Encode(points)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.Post(server.URL+"/write?db="+url.QueryEscape(server.DB), "text/plain", bytes.NewReader(lines))
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusNoContent {
			t.Fatal(answer.Status)
		}
		points = points[:0]
	}
	for at := from; at.Before(to); at = at.Add(time.Second) {
		for s := range services {
			for p := range proxies {
				for _, kind := range []string{"backend", "frontend"} {
					points = append(points, influx.Point{
						Measurement: "haproxy", At: at.Add(time.Duration(p) * 100 * time.Millisecond),
						Tags: []influx.Tag{
							{Key: "host", Value: "node"}, {Key: "server", Value: fmt.Sprint("proxy-", p)}, {Key: "sv", Value: "BACKEND"}, {Key: "type", Value: kind},
							{Key: "proxy", Value: fmt.Sprintf("svc%d-be80_1", s)}, {Key: "service", Value: fmt.Sprint("svc", s)},
						},
						Fields: []influx.Field{{Key: "scur_mean", Value: 120.5}, {Key: "req_rate_mean", Value: 900.25}, {Key: "qcur", Value: int64(3)}, {Key: "scur", Value: int64(120)},
							{Key: "req_tot", Value: at.Unix() * 900}, {Key: "http_response.5xx", Value: at.Unix() * 9}, {Key: "bout", Value: at.Unix() * 1000},
							{Key: "qtime", Value: int64(1)}, {Key: "ctime", Value: int64(2)}, {Key: "rtime", Value: int64(30)}},
					})
				}
			}
		}
		if len(points) > 5000 {
			flush()
		}
	}
	flush()
}

func realFeed(t testing.TB, server *influxtest.Server) *feed {
	reader := influx.NewReader(influx.Config{URL: server.URL, Bucket: server.Bucket})
	t.Cleanup(reader.Close)
	f := newFeed(reader, server.Bucket, time.Minute, zerolog.Nop())
	f.timeout, f.containers.timeout = time.Minute, time.Minute // the machine may be busy
	return f
}

func readsEveryMetric(t *testing.T, server *influxtest.Server) {
	now := time.Now()
	post(t, server, 2, 3, now.Add(-20*time.Second), now)
	f := realFeed(t, server)
	f.pull(t.Context(), wishes("sessions requestRate queue", "svc1", `odd"name${x}`))
	if f.trouble != "" {
		t.Fatal(f.trouble)
	}
	if len(f.samples.of("svc0")) != 0 {
		t.Error("read a service that nobody asked for")
	}
	got := map[string]int{}
	for _, s := range f.samples.of("svc1") {
		got[s.Metric] += len(s.Points)
		if want := map[string]float64{"sessions": 120.5, "requestRate": 900.25, "queue": 3}[s.Metric]; s.Points[0].Value != want {
			t.Errorf("%s is %v, want %v", s.Metric, s.Points[0].Value, want)
		}
	}
	for _, metric := range []string{"sessions", "requestRate", "queue"} {
		if n := got[metric]; n < 59 || n > 60 {
			t.Errorf("%d points of %s from three proxies in 20 s", n, metric)
		}
	}
}

func hungServerIsGivenUp(t *testing.T, server *influxtest.Server) {
	now := time.Now()
	post(t, server, 1, 1, now.Add(-20*time.Second), now)
	f := realFeed(t, server)
	f.timeout = 300 * time.Millisecond
	server.Hang()
	f.pull(t.Context(), wishes("sessions", "svc0"))
	server.Resume()
	if f.trouble == "" {
		t.Error("a hung server is no trouble")
	}
	f.timeout = time.Minute
	f.pull(t.Context(), wishes("sessions", "svc0"))
	if f.trouble != "" || len(f.samples.of("svc0")) == 0 {
		t.Errorf("not back: %q", f.trouble)
	}
}

// A tick of 1,000 services behind one proxy, the swarm aside.
func BenchmarkTickOfThousandServices(b *testing.B) {
	server, now := influxtest.Start(b), time.Now()
	post(b, server, services, 1, now.Add(-30*time.Second), now)
	for name, metrics := range map[string][]string{
		"sessions": {"sessions"}, "errorRate": {"errorRate"}, "responseTime": {"responseTime"}, "everything": haproxyMetrics,
	} {
		b.Run(name, func(b *testing.B) { benchmarkTick(b, server, &now, metrics) })
	}
}

const services = 1000 // of the benchmark

func benchmarkTick(b *testing.B, server *influxtest.Server, now *time.Time, metrics []string) {
	fake := &fakeSwarm{}
	for n := range services {
		s := swarm.Service{ID: fmt.Sprint("id", n), Name: fmt.Sprint("svc", n), Mode: swarm.Replicated, Replicas: 3,
			Labels: map[string]string{policy.Prefix + "max": "10", policy.Prefix + "target": "50"}}
		for i, metric := range metrics {
			s.Labels[fmt.Sprint(policy.Prefix, "metric.", i+1)] = metric
		}
		fake.services = append(fake.services, s)
	}
	records := &recorder{log: zerolog.Nop(), spool: &fakeSpool{}, metrics: newMetrics(prometheus.NewRegistry()), board: newBoard()}
	l := newLoop(fake, realFeed(b, server), records, zerolog.Nop(), time.Second)
	begin := time.Now()
	l.tick(context.Background()) // reads the past
	b.Logf("first tick: %s %s", time.Since(begin), l.feed.trouble)
	for b.Loop() {
		b.StopTimer()
		next := time.Now()
		post(b, server, services, 1, *now, next)
		*now = next
		b.StartTimer()
		for _, s := range l.subjects {
			s.decided.At = time.Time{} // every subject is due
		}
		l.tick(context.Background())
		if l.feed.trouble != "" {
			b.Fatal(l.feed.trouble)
		}
	}
}
