package main

import (
	"math"
	"slices"
	"time"

	"sluice/policy"
)

// column is one thing that is kept of a backend, a server or a container. All of HAProxy are as the proxy writes them.
type column int

const (
	scurMean column = iota
	scur
	reqRateMean
	qcur
	answers5xx
	econ
	eresp
	reqTot
	stot
	bout
	qtime
	ctime
	rtime
	allTimes // qtime, ctime and rtime, added up by a proxy that was asked directly
	cpuTime  // nanoseconds since the container started
	memory   // percent
	alive    // Telegraf's word that it looked
	columns
)

// fieldNames are the fields of InfluxDB; "" is none.
var fieldNames = [columns]string{
	scurMean: "scur_mean", scur: "scur", reqRateMean: "req_rate_mean", qcur: "qcur", answers5xx: "http_response.5xx", econ: "econ", eresp: "eresp",
	reqTot: "req_tot", stot: "stot", bout: "bout", qtime: "qtime", ctime: "ctime", rtime: "rtime",
	cpuTime: "usage_total", memory: "usage_percent", alive: "n_containers_running",
}

// columnOf is the inverse.
var columnOf = func() map[string]column {
	byName := map[string]column{}
	for c, name := range fieldNames {
		if name != "" {
			byName[name] = column(c)
		}
	}
	return byName
}()

// measure says what a metric is made of.
type measure struct {
	http    []column // of backends
	tcp     []column // besides, where the backend is one of TCP
	servers []column // besides, of servers where several services share a backend
	point   func(t *track, i int) (value, weight float64, known bool)
}

// measures are the metrics of HAProxy and of containers. requestRate and sessionRate are one: a backend's stot counts
// every request, when it arrives. req_tot counts those that are answered, as do the times and the codes of the answers.
var measures = map[string]measure{
	"sessions":     {http: []column{scurMean}, servers: []column{scur}, point: gauge(scurMean, scur)},
	"requestRate":  {http: []column{reqRateMean}, servers: []column{stot}, point: arrivals},
	"sessionRate":  {http: []column{reqRateMean}, servers: []column{stot}, point: arrivals},
	"queue":        {http: []column{qcur}, point: gauge(qcur, qcur)},
	"bytesOut":     {http: []column{bout}, point: rate(bout, 1)},
	"errorRate":    {http: []column{answers5xx, reqTot}, tcp: []column{econ, eresp, stot}, point: errorShare},
	"responseTime": {http: []column{qtime, ctime, rtime, reqTot}, tcp: []column{stot}, point: waited},
	"cpu":          {http: []column{cpuTime}, point: level(rate(cpuTime, 1e-7))}, // 1e9 ns a second are 100 %
	"memory":       {http: []column{memory}, point: level(gauge(memory, memory))},
}

// ofContainers are the metrics that Telegraf measures.
func ofContainers(metric string) bool { return metric == "cpu" || metric == "memory" }

// gauge is a column, or another one where it is not known.
func gauge(c, otherwise column) func(*track, int) (float64, float64, bool) {
	return func(t *track, i int) (float64, float64, bool) {
		v := t.value(c, i)
		if math.IsNaN(v) {
			v = t.value(otherwise, i)
		}
		return v, 0, !math.IsNaN(v)
	}
}

// rate is the growth of a counter per second.
func rate(c column, unit float64) func(*track, int) (float64, float64, bool) {
	return func(t *track, i int) (float64, float64, bool) {
		grown := t.grown(i, c)
		return grown / t.elapsed(i).Seconds() * unit, 0, !math.IsNaN(grown)
	}
}

// level gives every value the weight of one task.
func level(of func(*track, int) (float64, float64, bool)) func(*track, int) (float64, float64, bool) {
	return func(t *track, i int) (float64, float64, bool) {
		v, _, known := of(t, i)
		return v, 1, known
	}
}

// arrivals are what the proxy measured of a backend, and by how much the counter of a server grew, of which it measures no
// rate. A backend's counter is no substitute: where a query meets a point that InfluxDB has not written whole, the rate
// would be another one until the next query.
func arrivals(t *track, i int) (float64, float64, bool) {
	if t.server != "" {
		return rate(stot, 1)(t, i)
	}
	v := t.value(reqRateMean, i)
	return v, 0, !math.IsNaN(v)
}

// answered is how many requests were answered since the point before.
func answered(t *track, i int) float64 {
	if n := t.grown(i, reqTot); !math.IsNaN(n) {
		return n
	}
	return t.grown(i, stot)
}

// errorShare is the share of the answers that were errors. Where nothing was answered it has no weight: it only says
// that the proxy is there.
func errorShare(t *track, i int) (float64, float64, bool) {
	failed, all := t.grown(i, answers5xx), answered(t, i)
	if math.IsNaN(failed) {
		failed = t.grown(i, econ) + t.grown(i, eresp)
	}
	if all == 0 {
		return 0, 0, true
	}
	return min(1, failed/all), all, !math.IsNaN(failed) && !math.IsNaN(all)
}

// waited is HAProxy's mean time to the response, which weighs as much as what was answered since the point before. A query
// may meet a point of which InfluxDB has not written every field yet: it has no time before all three are there.
func waited(t *track, i int) (float64, float64, bool) {
	v, all := t.value(allTimes, i), answered(t, i)
	if math.IsNaN(v) {
		v = t.value(qtime, i) + t.value(ctime, i) + t.value(rtime, i)
	}
	if all == 0 {
		return 0, 0, true
	}
	return v, all, !math.IsNaN(v) && !math.IsNaN(all)
}

// track is what one proxy said of one backend, or of one server of it; or Telegraf of one container.
type track struct {
	proxy, backend, server string

	at   []int64 // Unix milliseconds, ascending
	cols [columns][]float64
}

// set puts a value into its place. Times are in milliseconds, since a proxy that is asked directly tells no more: so a
// point that comes from two sources is one.
func (t *track) set(at int64, c column, v float64) {
	i := len(t.at)
	switch {
	case i == 0 || t.at[i-1] < at:
		t.at = append(t.at, at)
		for c := range t.cols {
			if t.cols[c] != nil {
				t.cols[c] = append(t.cols[c], math.NaN())
			}
		}
	default:
		var found bool
		if i, found = slices.BinarySearch(t.at, at); !found {
			t.at = slices.Insert(t.at, i, at)
			for c := range t.cols {
				if t.cols[c] != nil {
					t.cols[c] = slices.Insert(t.cols[c], i, math.NaN())
				}
			}
		}
	}
	if t.cols[c] == nil {
		t.cols[c] = make([]float64, len(t.at), cap(t.at))
		for n := range t.cols[c] {
			t.cols[c][n] = math.NaN()
		}
	}
	t.cols[c][i] = v
}

// value is NaN where it is not known.
func (t *track) value(c column, i int) float64 {
	if t.cols[c] == nil {
		return math.NaN()
	}
	return t.cols[c][i]
}

func (t *track) elapsed(i int) time.Duration {
	if i == 0 {
		return 0
	}
	return time.Duration(t.at[i]-t.at[i-1]) * time.Millisecond
}

// grown is by how much a counter rose since the point before. It is NaN at the first point, after a gap, and when the
// counter fell: a proxy that was restarted counts from what its HAProxy says then.
func (t *track) grown(i int, c column) float64 {
	if i == 0 || t.elapsed(i) > max(longestStep, 3*t.every()) {
		return math.NaN()
	}
	if d := t.value(c, i) - t.value(c, i-1); d >= 0 {
		return d
	}
	return math.NaN()
}

// longestStep is the time between two points over which a counter makes a rate, where points come each second.
const longestStep = 15 * time.Second

// every is the time between the last points, the shortest of a few: points may be missing, and one is never early.
func (t *track) every() time.Duration {
	var least time.Duration
	for i := len(t.at) - 1; i > 0 && i >= len(t.at)-4; i-- {
		if e := t.elapsed(i); least == 0 || e < least {
			least = e
		}
	}
	return least.Round(time.Second)
}

// points are the metric's.
func (t *track) points(m measure) []policy.Point {
	points := make([]policy.Point, 0, len(t.at))
	for i, at := range t.at {
		if v, weight, known := m.point(t, i); known {
			points = append(points, policy.Point{At: time.UnixMilli(at), Value: v, Weight: weight})
		}
	}
	return points
}

// forget drops points before a time; false when none is left.
func (t *track) forget(before int64) bool {
	i, _ := slices.BinarySearch(t.at, before)
	t.at = t.at[i:] // append moves the rest when the array is full
	for c := range t.cols {
		if t.cols[c] != nil {
			t.cols[c] = t.cols[c][i:]
		}
	}
	return len(t.at) > 0
}
