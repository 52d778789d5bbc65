package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"sluice/internal/influx"
	"sluice/policy"
)

// fakeProxy answers /v1/stats with the points of one backend after since. It is driven by pulls, one after another.
type fakeProxy struct {
	*httptest.Server
	name   string
	body   string      // instead of points
	points [][]float64 // as in /v1/stats
	asked  []int64     // since of every request
}

func startProxy(t *testing.T, name string) *fakeProxy {
	p := &fakeProxy{name: name}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		since, _ := strconv.ParseInt(r.FormValue("since"), 10, 64)
		p.asked = append(p.asked, since)
		if p.body != "" {
			fmt.Fprint(w, p.body)
			return
		}
		points := [][]float64{}
		for _, point := range p.points {
			if int64(point[0]) > since {
				points = append(points, point)
			}
		}
		json.NewEncoder(w).Encode(map[string]any{"instance": p.name, "interval": 1, "backends": map[string]any{
			"app-be80_1": map[string]any{"service": "app", "points": points}}})
	}))
	t.Cleanup(p.Close)
	return p
}

// measured adds a point that is as old.
func (p *fakeProxy) measured(at time.Time, sessions float64) {
	p.points = append(p.points, []float64{float64(at.UnixMilli()), sessions, sessions, 10, 0, 0, 100, 100, 1000, 5})
}

// addresses are those of the proxies, each a name of its own.
func addresses(proxies ...*fakeProxy) (list []string) {
	for _, p := range proxies {
		list = append(list, p.Listener.Addr().String())
	}
	return list
}

func directFeed(r reader, proxies ...*fakeProxy) *feed {
	f := newFeed(r, "telegraf/autogen", 10*time.Second, zerolog.Nop())
	f.direct = newDirect(addresses(proxies...))
	return f
}

// times are those of the points of the service's sessions by proxy, in seconds before now.
func times(f *feed, now time.Time) map[string]string {
	got := map[string]string{}
	for _, s := range f.samples.of("app") {
		var list []string
		for _, p := range s.Points {
			list = append(list, fmt.Sprintf("%.0f", now.Sub(p.At).Seconds()))
		}
		got[s.Proxy] = strings.Join(list, " ")
	}
	return got
}

func TestProxiesAreTheOnlySourceWithoutInfluxDB(t *testing.T) {
	one, two := startProxy(t, "one"), startProxy(t, "two")
	f, now := directFeed(nil, one, two), time.Now()
	for s := 3; s > 0; s-- {
		one.measured(now.Add(-time.Duration(s)*time.Second), 30) // of the last 3 s
		two.measured(now.Add(-time.Duration(s)*time.Second), 12)
	}
	f.pull(t.Context(), wishes("sessions", "app"))
	if got := seen(t, f, now, "app", 1); got != "42" || f.remark(time.Now()) != "" || f.origin(time.Now()) != "from 2 proxies directly" {
		t.Errorf("%s, %q, %q", got, f.remark(time.Now()), f.origin(time.Now()))
	}
	if got := seen(t, f, now, "app", 1, "metric=cpu"); got != "cpu needs InfluxDB (INFLUX_URL)" {
		t.Errorf("cpu: %s", got)
	}
	newest := one.points[2][0]
	one.measured(now, 30)
	f.pull(t.Context(), wishes("sessions", "app"))
	if got := one.asked[1]; got != int64(newest) {
		t.Errorf("asked for what is after %d, though %.0f was known", got, newest)
	}
	if got, want := times(f, now), (map[string]string{"one": "3 2 1 0", "two": "3 2 1"}); !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
}

var forSeconds = regexp.MustCompile(`has not answered for \d+s`)

func TestFallbackLeavesNoGapAndCountsNothingTwice(t *testing.T) {
	fake, one := &fakeInflux{}, startProxy(t, "one")
	now := time.Now().Add(time.Second) // the last point is of now
	f := directFeed(fake, one)
	write := func(from, to int) { // seconds before now; both see the same instants, InfluxDB to the nanosecond
		for s := from; s >= to; s-- {
			at := now.Add(-time.Duration(s) * time.Second)
			fake.rows = append(fake.rows, influx.Record{Time: at, Value: 30, Field: "scur_mean", Tags: map[string]string{"service": "app", "server": "one", "proxy": "app-be80_1"}})
			one.measured(at, 30)
		}
	}
	check := func(when, want, origin, remark string) {
		t.Helper()
		f.pull(t.Context(), wishes("sessions", "app"))
		if got := times(f, now)["one"]; got != want {
			t.Errorf("%s: points %s, want %s", when, got, want)
		}
		said := []string{f.trouble, f.origin(time.Now()), f.remark(time.Now())}
		for i := range said { // how long is the machine's affair
			said[i] = forSeconds.ReplaceAllString(said[i], "does not answer")
		}
		if diff := cmp.Diff([]string{"", origin, remark}, said); diff != "" {
			t.Errorf("%s: trouble, origin, remark (-want +got):\n%s", when, diff)
		}
	}
	write(7, 4)
	check("at first", "7 6 5 4", "from InfluxDB", "")
	fake.failure = errors.New("connection refused")
	write(3, 3)
	check("InfluxDB fails", "7 6 5 4 3", "from 1 proxy directly, InfluxDB does not answer", "InfluxDB does not answer, the proxies are asked directly")
	write(2, 2)
	check("and fails on", "7 6 5 4 3 2", "from 1 proxy directly, InfluxDB does not answer", "InfluxDB does not answer, the proxies are asked directly")
	fake.failure = nil
	write(1, 1)
	check("InfluxDB is back", "7 6 5 4 3 2 1", "from InfluxDB", "")
	asked := len(one.asked)
	check("and stays", "7 6 5 4 3 2 1", "from InfluxDB", "")
	if len(one.asked) > asked {
		t.Error("the proxies are asked again within seconds though InfluxDB has all of them")
	}
}

func TestHungInfluxDBHoldsUpOneTickAlone(t *testing.T) {
	fake, one := &fakeInflux{hang: true}, startProxy(t, "one")
	f := directFeed(fake, one)
	f.timeout, f.side = time.Second, 10*time.Millisecond
	now := time.Now()
	one.measured(now, 30)
	f.pull(t.Context(), wishes("sessions", "app"))
	f.timeout = time.Hour
	f.pull(t.Context(), wishes("sessions", "app")) // begins another call, which nobody waits for
	if !f.asking.busy() || f.trouble != "" || seen(t, f, now, "app", 1) != "30" {
		t.Errorf("waiting %t, trouble %q", f.asking.busy(), f.trouble)
	}
}

func TestProxyThatDoesNotAnswerIsNotLessLoad(t *testing.T) {
	one, two, three, now := startProxy(t, "one"), startProxy(t, "two"), startProxy(t, "three"), time.Now()
	f := directFeed(nil, one, two, three)
	three.Close()
	one.measured(now, 10)
	two.measured(now, 10)
	f.pull(t.Context(), wishes("sessions", "app"))
	labels := map[string]string{policy.Prefix + "max": "9", policy.Prefix + "target": "10", policy.Prefix + "stabilizeDown": "0s"}
	p, _, _ := policy.Parse("app", labels, time.LoadLocation)
	in := policy.Input{Replicas: 3, Replicated: true, Tasks: []policy.Task{{Running: true}, {Running: true}, {Running: true}}}
	f.fill(now, &in, "app", p)
	d, _ := p.Evaluate(now, in, policy.State{})
	want := "sessions 20 over 3 replicas is 6.67 each, target 10: want 2, but proxy " + three.Listener.Addr().String() + " does not answer: hold at 3"
	if d.Reason != want {
		t.Errorf("%s, want %s", d.Reason, want)
	}
	one.measured(now.Add(time.Millisecond), 60) // what is heard may still ask for more
	f.pull(t.Context(), wishes("sessions", "app"))
	f.fill(now.Add(time.Second), &in, "app", p)
	if d, _ := p.Evaluate(now.Add(time.Second), in, policy.State{}); d.To <= 3 {
		t.Errorf("%d: %s", d.To, d.Reason)
	}
	one.Close()
	two.Close()
	f.pull(t.Context(), wishes("sessions", "app"))
	if f.trouble != "no proxy answers" {
		t.Errorf("trouble %q", f.trouble)
	}
}

// A name loses an address when its task ends, or when the node is cut off from the manager.
func TestAddressThatTheNameLostIsAskedOn(t *testing.T) {
	one, two, now := startProxy(t, "one"), startProxy(t, "two"), time.Now()
	known := []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	f := directFeed(nil)
	_, port, _ := net.SplitHostPort(one.Listener.Addr().String())
	f.direct = newDirect([]string{"tasks.proxy:" + port})
	f.direct.lookup = func(context.Context, string) ([]netip.Addr, error) { return known, nil }
	f.direct.known[two.Listener.Addr().String()] = &peer{named: now.Add(-time.Minute)}
	f.direct.known["127.0.0.1:1"] = &peer{named: now.Add(-time.Minute)} // gone, and does not answer
	f.direct.known["127.0.0.1:2"] = &peer{named: now.Add(-time.Hour)}
	one.measured(now, 1)
	two.measured(now, 2)
	f.pull(t.Context(), wishes("sessions", "app"))
	if got := seen(t, f, now, "app", 1); got != "3" {
		t.Errorf("sessions %s", got)
	}
	if _, found := f.direct.known["127.0.0.1:2"]; found {
		t.Error("an address of an hour ago is asked still")
	}
	f.direct.looked = time.Time{}
	f.direct.lookup = func(context.Context, string) ([]netip.Addr, error) { return nil, errors.New("no such host") }
	f.pull(t.Context(), wishes("sessions", "app"))
	if f.trouble != "" || len(f.direct.heard.spoke) != 2 {
		t.Errorf("without the name: %q, %d answer", f.trouble, len(f.direct.heard.spoke))
	}
}

func TestAnswersThatAreNoneAreRefused(t *testing.T) {
	for name, body := range map[string]string{
		"broken off": `{"instance":"one","backends":{"a":{"service":"app","points":[[1,2`,
		"nameless":   `{"backends":{}}`,
		"no list":    `{"instance":"one","backends":{"a":{"service":"app","points":[5]}}}`,
		"no number":  `{"instance":"one","backends":{"a":{"service":"app","points":[[1767225600000,"many"]]}}}`,
		"negative":   `{"instance":"one","backends":{"a":{"service":"app","points":[[1767225600000,-1]]}}}`,
		"no time":    `{"instance":"one","backends":{"a":{"service":"app","points":[[null,1]]}}}`,
		"far future": `{"instance":"one","backends":{"a":{"service":"app","points":[[1e300,1]]}}}`,
		"something":  `<html>`,
	} {
		if s, err := parseStats(strings.NewReader(body)); err == nil {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

func TestOlderProxyMeasuresLess(t *testing.T) {
	now := time.Now()
	one := startProxy(t, "one")
	one.body = fmt.Sprintf(`{"instance":"one","backends":{"app-be80_1":{"service":"app","points":[[%d,5,6,null,1,0],[%d,7,9,3,2,4]]}}}`, now.Add(-time.Second).UnixMilli(), now.UnixMilli())
	f := directFeed(nil, one)
	f.pull(t.Context(), wishes("sessions requestRate queue errorRate bytesOut", "app"))
	got := map[string]int{}
	for _, s := range f.samples.of("app") {
		got[s.Metric] = len(s.Points)
	}
	if want := (map[string]int{"sessions": 2, "requestRate": 1, "queue": 2}); !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
}

func TestPointThatIsNotWrittenWholeHasNoOtherRate(t *testing.T) {
	samples, now := newSamples(), time.Now()
	samples.want(wishes("requestRate errorRate", "app"), ofHAProxy)
	from := track{proxy: "one", backend: "app-be80_1"}
	for second, columns := range []map[column]float64{
		{reqRateMean: 5, stot: 0, reqTot: 0, answers5xx: 0, econ: 0, eresp: 0},
		{reqRateMean: 5, stot: 10, reqTot: 10, answers5xx: 5, econ: 0, eresp: 0},
		{stot: 20, econ: 0, eresp: 0},
	} {
		for c, v := range columns {
			samples.put("app", from, now.Add(time.Duration(second)*time.Second), c, v)
		}
	}
	if samples.tcp("app") {
		t.Error("a service over HTTP is taken for one over TCP")
	}
	for _, s := range samples.of("app") {
		if s.Metric == "requestRate" && len(s.Points) != 2 {
			t.Errorf("the rates are %+v", s.Points)
		}
	}
}

func TestServersOfASharedBackendStandForTheirService(t *testing.T) {
	now := time.Now()
	one := startProxy(t, "one")
	one.body = fmt.Sprintf(`{"instance":"one","backends":{
		"group-be1_1":{"service":"","points":[[%[1]d,9,9,9,9,9,9,9,9,9]]},
		"group-be1_1/app.1":{"service":"app","points":[[%[1]d,2,2,null,0,0,10,10,10,1],[%[2]d,2,2,null,0,0,15,15,10,1]]},
		"group-be1_1/app.2":{"service":"app","points":[[%[1]d,3,3,null,0,0,10,10,10,1],[%[2]d,3,3,null,0,0,15,15,10,1]]}}}`,
		now.Add(-time.Second).UnixMilli(), now.UnixMilli())
	f := directFeed(nil, one)
	f.pull(t.Context(), wishes("sessions requestRate", "app"))
	for metric, want := range map[string]string{"sessions": "5", "requestRate": "10"} {
		if got := seen(t, f, now, "app", 1, "metric="+metric); got != want {
			t.Errorf("%s is %s, want %s", metric, got, want)
		}
	}
}

func FuzzStatsOfProxies(f *testing.F) {
	f.Add(`{"instance":"one","interval":1,"backends":{"a":{"service":"app","points":[[1767225600000,1,2,null,0,0,1,1,1,1],[1767225601000,1,2,3,0,0,1,1,1,1]]}}}`)
	f.Add(`{"instance":"one","backends":{"a/b":{"service":"app","points":[[1767225602000,1],[1767225601000]]}}}`)
	f.Add(`{"instance":"","backends":null}`)
	f.Fuzz(func(t *testing.T, text string) {
		stats, err := parseStats(strings.NewReader(text))
		if err != nil {
			return
		}
		into := newSamples()
		into.keep = 1000000 * time.Hour
		into.want(wishes(strings.Join(haproxyMetrics, " "), "app"), ofHAProxy)
		stats.into(into)
		into.settle(time.UnixMilli(stats.newest()))
		for _, s := range into.of("app") {
			for i, p := range s.Points {
				if p.Value < 0 || p.Value != p.Value || p.Weight < 0 || i > 0 && !p.At.After(s.Points[i-1].At) {
					t.Fatalf("%s: point %d is %+v", s.Metric, i, p)
				}
			}
		}
	})
}
