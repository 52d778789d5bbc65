package main

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sluice/haproxystats"
)

// recentAnswer is /v1/stats as a client reads it.
type recentAnswer struct {
	Instance string
	Interval float64
	Backends map[string]struct {
		Service string
		Points  [][5]*float64
	}
}

func getRecent(t *testing.T, r *recent, query string) (answer recentAnswer) {
	t.Helper()
	w := httptest.NewRecorder()
	r.ServeHTTP(w, httptest.NewRequest("GET", "/v1/stats"+query, nil))
	if w.Code != 200 {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	return answer
}

// samplesOf makes samples of idle backends.
func samplesOf(t *testing.T, s *haproxystats.Sampler, at time.Time, scur int, backends ...string) []haproxystats.Sample {
	t.Helper()
	text := "# pxname,svname,scur,stot,qcur,type,\nhttp,FRONTEND,9,9,9,0,\n"
	for _, b := range backends {
		text += fmt.Sprintf("%s,BACKEND,%d,10,2,1,\n", b, scur)
	}
	rows, err := haproxystats.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return s.Next(at, []haproxystats.Worker{{PID: 1, Rows: rows}})
}

func serviceOf(backend string) (service, stack string) { return "svc_" + backend, "svc" }

func TestRecentServesTheLastMinutesOfBackends(t *testing.T) {
	r, s := newRecent("proxy-1", time.Second), haproxystats.NewSampler()
	now := time.Now()
	for i := range 1000 {
		at := now.Add(time.Duration(i-999) * time.Second)
		r.add(at, samplesOf(t, s, at, i, "a", "b"), serviceOf)
	}
	all := getRecent(t, r, "")
	if all.Instance != "proxy-1" || all.Interval != 1 || len(all.Backends) != 2 || all.Backends["a"].Service != "svc_a" {
		t.Errorf("got %s %v %d backends of %s", all.Instance, all.Interval, len(all.Backends), all.Backends["a"].Service)
	}
	points := all.Backends["a"].Points
	if n := len(points); n < 898 || n > 900 {
		t.Errorf("%d points, want the 900 of 15 minutes", n)
	}
	for i := 1; i < len(points); i++ {
		if *points[i][0] != *points[i-1][0]+1000 {
			t.Fatalf("points %d and %d are of %v and %v", i-1, i, *points[i-1][0], *points[i][0])
		}
	}
	last := points[len(points)-1]
	want := [5]float64{float64(now.UnixMilli()), 998.5, 999, 0, 2}
	for i := range want {
		if last[i] == nil || *last[i] != want[i] {
			t.Errorf("last point, value %d: got %v, want %v", i, last[i], want[i])
		}
	}
	one := getRecent(t, r, fmt.Sprintf("?service=svc_b&since=%d", now.Add(-2*time.Second).UnixMilli()))
	if len(one.Backends) != 1 || len(one.Backends["b"].Points) != 2 {
		t.Errorf("service and since: got %v", one.Backends)
	}
}

func TestRecentSaysNullForARateThatIsNotKnown(t *testing.T) {
	r := newRecent("proxy-1", time.Second)
	now := time.Now()
	r.add(now, samplesOf(t, haproxystats.NewSampler(), now, 1, "a"), nil)
	if p := getRecent(t, r, "").Backends["a"].Points[0]; p[3] != nil {
		t.Errorf("rate of the first point is %v", *p[3])
	}
}

func TestRecentRefusesATimeThatIsNone(t *testing.T) {
	w := httptest.NewRecorder()
	newRecent("proxy-1", time.Second).ServeHTTP(w, httptest.NewRequest("GET", "/v1/stats?since=now", nil))
	if w.Code != 400 {
		t.Errorf("status %d", w.Code)
	}
}

func TestRecentForgetsBackendsThatAreGone(t *testing.T) {
	r, s := newRecent("proxy-1", time.Second), haproxystats.NewSampler()
	now := time.Now()
	r.add(now.Add(-time.Hour), samplesOf(t, s, now.Add(-time.Hour), 1, "old"), serviceOf)
	r.add(now, samplesOf(t, s, now, 1, "new"), serviceOf)
	if got := getRecent(t, r, "").Backends; len(got) != 1 || len(r.backends) != 1 {
		t.Errorf("got %v", got)
	}
}

func TestTrackKeepsTheNewestWhenItsLimitChanges(t *testing.T) {
	var tr track
	check := func(n int, want ...int64) {
		t.Helper()
		got := tr.since(-1)
		if len(got) != len(want) {
			t.Fatalf("after %d: %d points, want %d", n, len(got), len(want))
		}
		for i := range want {
			if got[i].at != want[i] {
				t.Errorf("after %d: point %d is %d, want %d", n, i, got[i].at, want[i])
			}
		}
	}
	for i := range int64(7) {
		tr.add(recentPoint{at: i}, 5)
	}
	check(7, 2, 3, 4, 5, 6)
	tr.add(recentPoint{at: 7}, 3)
	check(8, 5, 6, 7)
	tr.add(recentPoint{at: 8}, 3)
	check(9, 6, 7, 8)
	for i := int64(9); i < 12; i++ {
		tr.add(recentPoint{at: i}, 5)
	}
	check(12, 7, 8, 9, 10, 11)
}

func TestRecentHasTheCountersThatScalingNeeds(t *testing.T) {
	r, s, now := newRecent("proxy-1", time.Second), haproxystats.NewSampler(), time.Now()
	rows, err := haproxystats.Parse(strings.NewReader("# pxname,svname,scur,qcur,stot,req_tot,bout,econ,eresp,hrsp_5xx,qtime,ctime,rtime,type,\n" +
		"web,BACKEND,3,1,20,18,5000,7,7,4,5,2,30,1,\ndb,BACKEND,3,0,20,,5000,2,1,,0,2,0,1,\n" +
		"group,BACKEND,3,0,20,,5000,2,1,,0,2,0,1,\ngroup,redis.1,2,0,12,,900,1,0,,0,2,0,2,\ngroup,gone.1,2,0,12,,900,1,0,,0,2,0,2,\nweb,web.1,3,0,20,18,5000,0,0,4,5,2,30,2,\n"))
	if err != nil {
		t.Fatal(err)
	}
	owner := func(backend string) (service, stack string) {
		return map[string]string{"web": "shop_web", "db": "shop_db", "group/redis.1": "shop_redis"}[backend], ""
	}
	r.add(now, s.Next(now, []haproxystats.Worker{{PID: 1, Rows: rows}}), owner)
	w := httptest.NewRecorder()
	r.ServeHTTP(w, httptest.NewRequest("GET", "/v1/stats", nil))
	var got struct {
		Backends map[string]struct {
			Service string
			Points  [][]*float64
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	// qcur, errors, arrived, done, sent, waited; scur before them
	for name, want := range map[string]string{"web": "shop_web 3 1 4 20 18 5000 37", "db": "shop_db 3 0 3 20 20 5000 2", "group": " 3 0 3 20 20 5000 2", "group/redis.1": "shop_redis 2 0 1 12 12 900 2"} {
		b := got.Backends[name]
		if len(b.Points) != 1 || len(b.Points[0]) != 10 {
			t.Fatalf("%s: %s", name, w.Body)
		}
		p := b.Points[0]
		if text := fmt.Sprint(b.Service, " ", *p[1], *p[4], *p[5], *p[6], *p[7], *p[8], *p[9]); text != want {
			t.Errorf("%s: %s, want %s", name, text, want)
		}
	}
	if len(got.Backends) != 4 {
		t.Errorf("servers of a service's own backend, or of nobody, are there: %s", w.Body)
	}
}

func TestRecentServesWorkersReloadsAndErrors(t *testing.T) {
	r, s := newRecent("proxy-1", time.Second), haproxystats.NewSampler()
	now := time.Now()
	at := func(second int) time.Time { return now.Add(time.Duration(second-9) * time.Second) }
	answers := func(second, failed int) {
		rows, err := haproxystats.Parse(strings.NewReader(fmt.Sprintf("# pxname,svname,scur,stot,hrsp_5xx,type,\napp,BACKEND,0,10,%d,1,\n", failed)))
		if err != nil {
			t.Fatal(err)
		}
		r.add(at(second), s.Next(at(second), []haproxystats.Worker{{PID: 1, Rows: rows}}), serviceOf)
	}
	answers(0, 2)
	r.addWorkers(at(0), 1, 0, figures{reloads: 1, reloadReason: "start"})
	answers(1, 5)
	r.addWorkers(at(1), 2, 1, figures{reloads: 2, reloadReason: `new backend "shop"`})
	r.addWorkers(at(2), 1, 0, figures{reloads: 2, reloadReason: `new backend "shop"`})
	w := httptest.NewRecorder()
	r.ServeHTTP(w, httptest.NewRequest("GET", fmt.Sprintf("/v1/stats?since=%d", at(0).UnixMilli()), nil))
	var got struct {
		Workers [][]int64
		Reloads []struct {
			At, Total int64
			Reason    string
		}
		Backends map[string]struct{ Points [][]*float64 }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	want := [][]int64{{at(1).UnixMilli(), 2, 1, 2}, {at(2).UnixMilli(), 1, 0, 2}}
	if fmt.Sprint(got.Workers) != fmt.Sprint(want) {
		t.Errorf("workers %v, want %v", got.Workers, want)
	}
	if len(got.Reloads) != 1 || got.Reloads[0].At != at(1).UnixMilli() || got.Reloads[0].Total != 2 || got.Reloads[0].Reason != `new backend "shop"` {
		t.Errorf("reloads %+v, want the second with its reason", got.Reloads)
	}
	if p := got.Backends["app"].Points; len(p) != 1 || *p[0][5] != 5 {
		t.Errorf("points %v, want one with 5 errors", w.Body)
	}
}
