package main

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"sluice/internal/influx"
	"sluice/internal/influx/influxtest"
	"sluice/policy"
)

// lines of line protocol, with the time that they are of.
type lines struct{ strings.Builder }

func (l *lines) add(at time.Time, format string, args ...any) {
	fmt.Fprintf(l, format+" %d\n", append(args, at.UnixNano())...)
}

func (l *lines) post(t testing.TB, server *influxtest.Server) {
	t.Helper()
	answer, err := http.Post(server.URL+"/write?db="+url.QueryEscape(server.DB), "text/plain", strings.NewReader(l.String()))
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusNoContent {
		t.Fatal(answer.Status)
	}
	l.Reset()
}

// policyOf is the policy of these labels, with bounds and a target where they give none.
func policyOf(t testing.TB, service string, labels []string) policy.Policy {
	t.Helper()
	all := map[string]string{policy.Prefix + "max": "100", policy.Prefix + "target": "1"}
	for _, l := range labels {
		key, value, _ := strings.Cut(l, "=")
		all[policy.Prefix+key] = value
	}
	p, _, problems := policy.Parse(service, all, time.LoadLocation)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return p
}

// seen is what a policy with one rule makes of the samples as of now: the value, or why there is none.
func seen(t testing.TB, f *feed, now time.Time, service string, replicas int, labels ...string) string {
	t.Helper()
	p := policyOf(t, service, labels)
	in := policy.Input{Replicas: replicas, Replicated: true}
	for range replicas {
		in.Tasks = append(in.Tasks, policy.Task{Running: true, Since: now.Add(-time.Hour)})
	}
	f.fill(now, &in, service, p)
	d, _ := p.Evaluate(now, in, policy.State{})
	o := d.Rules[0]
	text := o.Missing
	if text == "" {
		text = fmt.Sprintf("%.4g", o.Value)
	}
	if lack := in.Partial[p.Rules[0].Source()]; lack != "" {
		text += " (" + lack + ")"
	}
	return text
}

// wishOf is the wish of a service with these labels.
func wishOf(t testing.TB, service string, grouped bool, labels ...string) wish {
	t.Helper()
	return wish{service: service, grouped: grouped, every: time.Second, rules: policyOf(t, service, labels).Rules}
}

var haproxyMetrics = []string{"sessions", "sessionRate", "requestRate", "queue", "responseTime", "errorRate", "bytesOut"}

// metricWishes are rules of every metric of HAProxy, for services of which some share a backend.
func metricWishes(t testing.TB, services ...string) (list []wish) {
	for _, s := range services {
		var labels []string
		for i, m := range haproxyMetrics {
			labels = append(labels, fmt.Sprintf("metric.%d=%s", i+1, m))
		}
		list = append(list, wishOf(t, s, strings.HasPrefix(s, "member"), labels...))
	}
	return list
}

// TestOnTheRealInfluxDB shares one server, for it takes long to start.
func TestOnTheRealInfluxDB(t *testing.T) {
	t.Parallel() // with TestOnTheRealSwarm
	server := influxtest.Start(t)
	t.Run("every metric of the proxies", func(t *testing.T) { readsEveryMetric(t, server.Other(t, "metrics")) })
	t.Run("a server that hangs is given up and comes back", func(t *testing.T) { hungServerIsGivenUp(t, server.Other(t, "hung")) })
	t.Run("replay of the past", func(t *testing.T) { replaysThePast(t, server.Other(t, "past")) })
	t.Run("figures of HAProxy", func(t *testing.T) { readFigures(t, server) })
	t.Run("containers", func(t *testing.T) { readContainers(t, server) })
	t.Run("queries of rules", func(t *testing.T) { askQueries(t, server) })
	t.Run("wrong types", func(t *testing.T) { meetWrongTypes(t, server) })
	t.Run("the proxies say the same", func(t *testing.T) { bothSourcesAgree(t, server) })
	t.Run("missing database", func(t *testing.T) {
		reader := influx.NewReader(influx.Config{URL: server.URL, Bucket: "nothing/autogen"})
		defer reader.Close()
		f := newFeed(reader, "nothing/autogen", time.Minute, zerolog.Nop())
		f.pull(t.Context(), wishes("sessions", "svc"))
		if got := seen(t, f, time.Now(), "svc", 1); got != f.trouble+", no sessions measured within the last 2m" || f.trouble == "" {
			t.Errorf("%q", got)
		}
	})
}

// readFigures has three proxies of which one is restarted: its counters begin again.
func readFigures(t *testing.T, server *influxtest.Server) {
	now := time.Now()
	var l lines
	for s := range 30 {
		at := now.Add(time.Duration(s-30) * time.Second)
		for p := range 3 {
			n := s // of the counters
			if p == 2 && s >= 20 {
				n = s - 20
			}
			tags := fmt.Sprintf("host=node,server=proxy-%d", p)
			// 10 answers a second at the first proxy, half of them errors and 100 ms; 30 without errors and 20 ms at the others
			rate, failed, wait := 10, 5*n, 90
			if p > 0 {
				rate, failed, wait = 30, 0, 10
			}
			done := rate * n
			l.add(at, `haproxy,%s,type=backend,sv=BACKEND,proxy=web-be80_1,service=web scur_mean=4.5,scur=4i,req_rate_mean=%d,qcur=2i,req_tot=%di,stot=%di,http_response.5xx=%di,bout=%di,qtime=6i,ctime=4i,rtime=%di`,
				tags, rate, done, done+1, failed, 1000*n, wait)
			l.add(at, `haproxy,%s,type=server,sv=web.1,proxy=web-be80_1,service=web scur=4i,qcur=2i,req_tot=%di,stot=%di,http_response.5xx=%di,bout=%di`,
				tags, done, done+1, failed, 1000*n)
			l.add(at, `haproxy,%s,type=backend,sv=BACKEND,proxy=db-be5432_1,service=db scur_mean=2,req_rate_mean=8,qcur=0i,stot=%di,econ=%di,eresp=%di,bout=%di,qtime=0i,ctime=3i,rtime=0i`, tags, 8*n, n, n, 500*n)
			l.add(at, `haproxy,%s,type=backend,sv=BACKEND,proxy=group-be6379_1 scur_mean=100,stot=%di`, tags, 100*n)
			for _, member := range []string{"a", "b"} {
				l.add(at, `haproxy,%s,type=server,sv=member_%s.1,proxy=group-be6379_1,service=member_%s scur=7i,qcur=1i,stot=%di,econ=0i,eresp=0i,bout=%di,qtime=0i,ctime=1i,rtime=0i`, tags, member, member, 5*n, 100*n)
			}
		}
	}
	l.post(t, server)
	f := realFeed(t, server)
	all := metricWishes(t, "web", "db", "member_a")
	f.pull(t.Context(), all)
	f.pull(t.Context(), all) // db is known to be TCP now
	if f.trouble != "" {
		t.Fatal(f.trouble)
	}
	for service, want := range map[string]map[string]string{
		"web": {"sessions": "13.5", "requestRate": "70", "sessionRate": "70", "queue": "6", "bytesOut": "3000", "errorRate": "0.07143", "responseTime": "31.43"},
		"db":  {"sessions": "6", "requestRate": "24", "sessionRate": "24", "queue": "0", "bytesOut": "1500", "errorRate": "0.25", "responseTime": "3"},
		// servers of a backend that is nobody's; nothing of what is read between two points
		"member_a": {"sessions": "21", "requestRate": "15", "sessionRate": "15", "queue": "3", "bytesOut": "300", "errorRate": "0", "responseTime": "1"},
	} {
		got := map[string]string{}
		for metric := range want {
			got[metric] = seen(t, f, now, service, 1, "metric="+metric, "window=5s", "windowOffset=3s") // after the restart of proxy-2
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", service, diff)
		}
	}
	for _, s := range f.samples.of("web") {
		for _, p := range s.Points {
			if p.Value < 0 || math.IsNaN(p.Value) || s.Metric == "bytesOut" && p.Value > 1100 {
				t.Errorf("%s of %s: %v at the restart", s.Metric, s.Proxy, p)
			}
		}
	}
	if got := len(f.samples.of("member_b")); got != 0 {
		t.Errorf("read a service that nobody asked for: %d", got)
	}
}

// readContainers has two nodes, then two others of which one falls silent and the other loses a container.
func readContainers(t *testing.T, server *influxtest.Server) {
	now := time.Now()
	var l lines
	write := func(service, node string, slot, until int) {
		for s := -105; s <= until; s += 10 {
			at := now.Add(time.Duration(s) * time.Second)
			l.add(at, `docker,engine_host=%s,host=%s n_containers_running=9i`, node, node)
			tags := fmt.Sprintf("engine_host=%s,container_name=%s.%d.x,com.docker.swarm.service.name=%s", node, service, slot, service)
			l.add(at, `docker_container_cpu,%s,cpu=cpu-total usage_total=%di,usage_percent=1`, tags, (int64(s)+1000)*int64(slot)*500_000_000)
			l.add(at, `docker_container_mem,%s usage_percent=%d,usage=1i`, tags, 20*slot)
		}
	}
	for _, node := range []string{"node-1", "node-2"} {
		write("app", node, 1, -5)
		write("app", node, 2, -5)
	}
	write("moved", "node-3", 1, -5)
	write("moved", "node-3", 2, -45) // gone, and its node looks on
	write("moved", "node-4", 3, -45)
	l.post(t, server)
	f := realFeed(t, server)
	f.side = f.timeout
	f.pull(t.Context(), []wish{wishOf(t, "app", false, "metric.1=cpu", "metric.2=memory"), wishOf(t, "moved", false, "metric=memory")})
	for metric, want := range map[string]string{"cpu": "75", "memory": "30"} { // 50 % and 100 % of a core, 20 % and 40 %
		if got := seen(t, f, now, "app", 4, "metric="+metric); got != want {
			t.Errorf("%s is %s, want %s", metric, got, want)
		}
	}
	if got, want := seen(t, f, now, "app", 5, "metric=cpu"), "75 (cpu of 4 of 5 tasks is measured)"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := seen(t, f, now, "other", 1, "metric=cpu"), "no cpu measured within the last 2m (cpu of 0 of 1 tasks is measured)"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	p, _, _ := policy.Parse("moved", map[string]string{policy.Prefix + "max": "9", policy.Prefix + "target": "50", policy.Prefix + "metric": "memory", policy.Prefix + "stabilizeDown": "0s"}, time.LoadLocation)
	in := policy.Input{Replicas: 3, Replicated: true, Tasks: []policy.Task{{Running: true}, {Running: true}, {Running: true}}}
	f.fill(now, &in, "moved", p)
	if d, _ := p.Evaluate(now, in, policy.State{}); !strings.Contains(d.Reason, "but Telegraf of node node-4 has been silent for 45s: hold at 3") {
		t.Errorf("%d: %s", d.To, d.Reason)
	}
}

func askQueries(t *testing.T, server *influxtest.Server) {
	now := time.Now()
	var l lines
	for s := range 30 {
		for _, queue := range []string{"mail", "sms"} {
			l.add(now.Add(time.Duration(s-30)*time.Second), `jobs,queue=%s,service=worker waiting=%di`, queue, s)
		}
	}
	l.post(t, server)
	f := realFeed(t, server)
	f.side = f.timeout
	f.queries.configs = fakeConfigs{"jobs": `from(bucket: "telegraf/autogen") |> range(start: -1m) |> filter(fn: (r) => r.service == "{{service}}") |> group() |> last()`}
	text := func(tail string) string {
		return `from(bucket: "telegraf/autogen") |> range(start: -1m) |> filter(fn: (r) => r._measurement == "jobs" and r.service == "{{service}}")` + tail
	}
	tests := []struct {
		name, service string
		labels        []string
		want          string
	}{
		{"last rows of all tables are added up", "worker", []string{"query=" + text("")}, "58"},
		{"or averaged", "worker", []string{"query=" + text(""), "targetType=value"}, "29"},
		{"a mean has no time", "worker", []string{"query=" + text(" |> group() |> mean()")}, "14.5"},
		{"text from a config", "worker", []string{"queryConfig=jobs"}, "29"},
		{"no rows", "idle", []string{"query=" + text("")}, "no query measured within the last 2m"},
		{"config that is not there", "worker", []string{"queryConfig=nothing"}, "config nothing: there is no config of this name"},
	}
	var list []wish
	for _, tt := range tests {
		list = append(list, wishOf(t, tt.service, false, append(tt.labels, "metric=query")...))
	}
	for i, tt := range tests {
		f.queries.begin(t.Context(), list[i:i+1], f.side)
		f.queries.collect(t.Context())
		f.answered = now
		if got := seen(t, f, time.Now(), tt.service, 1, append(tt.labels, "metric=query")...); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	wrong := []string{"metric=query", "query=from(bucket: 1)"}
	f.queries.begin(t.Context(), []wish{wishOf(t, "worker", false, wrong...)}, f.side)
	f.queries.collect(t.Context())
	if got := seen(t, f, time.Now(), "worker", 1, wrong...); !strings.HasPrefix(got, "query: query InfluxDB: ") || strings.Contains(got, "\n") {
		t.Errorf("%s", got)
	}
}

// meetWrongTypes has fields that somebody wrote as texts, and as integers where others are floats.
func meetWrongTypes(t *testing.T, server *influxtest.Server) {
	now := time.Now()
	old := now.Add(-30 * 24 * time.Hour) // another shard: there a field may have another type
	var l lines
	l.add(old, `haproxy,server=p,type=backend,sv=BACKEND,proxy=x-be80_1,service=odd req_rate_mean="many",scur_mean=3i`)
	l.post(t, server)
	for s := range 5 {
		l.add(now.Add(time.Duration(s-5)*time.Second), `haproxy,server=p,type=backend,sv=BACKEND,proxy=x-be80_1,service=odd req_rate_mean=6,scur_mean=3`)
		l.add(now.Add(time.Duration(s-5)*time.Second), `docker_container_mem,engine_host=n,container_name=odd.1.x,com.docker.swarm.service.name=odd limit="lots"`)
	}
	l.post(t, server)
	f := realFeed(t, server)
	f.side = f.timeout
	f.pull(t.Context(), []wish{wishOf(t, "odd", false, "metric.1=sessions", "metric.2=requestRate", "metric.3=memory")})
	for metric, want := range map[string]string{"sessions": "3", "requestRate": "6", "memory": "no memory measured within the last 2m (memory of 0 of 1 tasks is measured)"} {
		if got := seen(t, f, now, "odd", 1, "metric="+metric); got != want {
			t.Errorf("%s: %s, want %s", metric, got, want)
		}
	}
}

// fakeConfigs are Docker configs by name.
type fakeConfigs map[string]string

func (f fakeConfigs) Config(_ context.Context, name string) (string, error) {
	if text, found := f[name]; found {
		return text, nil
	}
	return "", fmt.Errorf("there is no config of this name")
}
