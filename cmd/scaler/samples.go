package main

import (
	"cmp"
	"slices"
	"time"

	"sluice/internal/influx"
	"sluice/policy"
)

// history is how far back points are kept at least, and asked for at the start: enough for the window and the
// stabilization of the default policy. They are kept for as long as the longest window looks back; a policy that wants
// more for its stabilization observes for that long before it scales down.
const history = policy.Lookback + 90*time.Second

// fields says which field of measurement haproxy is which metric of a policy.
var fields = map[string]string{"scur_mean": "sessions", "req_rate_mean": "requestRate", "qcur": "queue"}

// samples are the points of the last minutes by service, and the clocks of the proxies they came from.
type samples struct {
	services map[string][]*policy.Series // by name; each list in order of metric, proxy, backend
	clocks   map[string]*clock           // by proxy
	keep     time.Duration               // how far back points are kept
}

func newSamples() *samples {
	return &samples{services: map[string][]*policy.Series{}, clocks: map[string]*clock{}, keep: history}
}

// add takes the rows of one answer that arrived at now, and forgets what is too old.
func (s *samples) add(now time.Time, rows []influx.Record) {
	for _, row := range rows {
		metric, service, proxy := fields[row.Field], row.Tags["service"], row.Tags["server"]
		if metric == "" || service == "" || proxy == "" || row.Time.IsZero() {
			continue
		}
		insert(s.find(service, metric, proxy, row.Tags["proxy"]), policy.Point{At: row.Time, Value: row.Value})
		c := s.clocks[proxy]
		if c == nil {
			c = &clock{}
			s.clocks[proxy] = c
		}
		c.newest = later(c.newest, row.Time)
	}
	for proxy, c := range s.clocks {
		c.arrived(now)
		if now.Sub(c.newest) > s.keep {
			delete(s.clocks, proxy)
		}
	}
	s.forget(now.Add(-s.keep))
}

// of gives a policy the series of a service. The points are shared and never changed in place once they are read.
func (s *samples) of(service string) []policy.Series {
	var list []policy.Series
	for _, series := range s.services[service] {
		copied := *series
		if c := s.clocks[series.Proxy]; c != nil {
			copied.Ahead = c.ahead()
		}
		list = append(list, copied)
	}
	return list
}

// oldest is the time of the newest point of the proxy that is most behind; zero when none is known. Proxies that have
// been silent for longer than a policy would wait for them do not count.
func (s *samples) oldest(now time.Time) time.Time {
	var oldest time.Time
	for _, c := range s.clocks {
		if now.Sub(c.newest) < policy.Lookback && (oldest.IsZero() || c.newest.Before(oldest)) {
			oldest = c.newest
		}
	}
	return oldest
}

func (s *samples) find(service, metric, proxy, backend string) *policy.Series {
	list := s.services[service]
	want := &policy.Series{Metric: metric, Proxy: proxy, Backend: backend}
	i, found := slices.BinarySearchFunc(list, want, func(a, b *policy.Series) int {
		return cmp.Or(cmp.Compare(a.Metric, b.Metric), cmp.Compare(a.Proxy, b.Proxy), cmp.Compare(a.Backend, b.Backend))
	})
	if !found {
		s.services[service] = slices.Insert(list, i, want)
		return want
	}
	return list[i]
}

// forget drops points before t, and series without any left.
func (s *samples) forget(t time.Time) {
	for service, list := range s.services {
		list = slices.DeleteFunc(list, func(series *policy.Series) bool {
			i := 0
			for i < len(series.Points) && series.Points[i].At.Before(t) {
				i++
			}
			series.Points = series.Points[i:] // append moves the rest when the array is full
			return len(series.Points) == 0
		})
		if s.services[service] = list; len(list) == 0 {
			delete(s.services, service)
		}
	}
}

// insert puts a point in its place; a point of the same time is the same point, asked for again.
func insert(series *policy.Series, p policy.Point) {
	points := series.Points
	if n := len(points); n == 0 || points[n-1].At.Before(p.At) {
		series.Points = append(points, p)
		return
	}
	i, found := slices.BinarySearchFunc(points, p, func(a, b policy.Point) int { return a.At.Compare(b.At) })
	if !found {
		series.Points = slices.Insert(points, i, p)
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
