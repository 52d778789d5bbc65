package main

import (
	"cmp"
	"math"
	"slices"
	"time"

	"sluice/internal/influx"
	"sluice/policy"
)

// history is how far back points are kept at least, and asked for at the start: enough for the window and the
// stabilization of the default policy. They are kept for as long as the longest window looks back; a policy that wants
// more for its stabilization observes for that long before it scales down.
const history = policy.Lookback + 90*time.Second

// samples are what was measured in the last minutes by service, and the clocks of those who measured it.
type samples struct {
	services map[string][]*track // by name; each list in order of proxy, backend, server
	clocks   map[string]*clock   // by proxy
	keep     time.Duration       // how far back points are kept
	wanted   map[string][]string // metrics by service, in order
}

func newSamples() *samples {
	return &samples{services: map[string][]*track{}, clocks: map[string]*clock{}, keep: history, wanted: map[string][]string{}}
}

// add takes the rows of HAProxy in one answer of InfluxDB that arrived at now, and forgets what is too old.
func (s *samples) add(now time.Time, rows []influx.Record) {
	for _, row := range rows {
		c, known := columnOf[row.Field]
		service, proxy, server := row.Tags["service"], row.Tags["server"], row.Tags["sv"]
		if !known || service == "" || proxy == "" {
			continue
		}
		if server == "BACKEND" {
			server = ""
		}
		s.put(service, track{proxy: proxy, backend: row.Tags["proxy"], server: server}, row.Time, c, row.Value)
		if clk := s.clocks[proxy]; clk != nil {
			clk.written = later(clk.written, row.Time)
		}
	}
	s.settle(now)
}

// put adds one value.
func (s *samples) put(service string, from track, at time.Time, c column, v float64) {
	if at.IsZero() || math.IsNaN(v) || math.IsInf(v, 0) {
		return
	}
	s.find(service, from).set(at.UnixMilli(), c, v)
	clk := s.clocks[from.proxy]
	if clk == nil {
		clk = &clock{}
		s.clocks[from.proxy] = clk
	}
	clk.newest = later(clk.newest, at)
}

// settle ends an answer that arrived at now.
func (s *samples) settle(now time.Time) {
	for proxy, c := range s.clocks {
		c.arrived(now)
		if now.Sub(c.newest) > s.keep {
			delete(s.clocks, proxy)
		}
	}
	s.forget(now.Add(-s.keep))
}

// of are the series of a service, in order of metric, proxy and backend.
func (s *samples) of(service string) []policy.Series {
	var list []policy.Series
	tracks := s.services[service]
	for _, metric := range s.wanted[service] {
		for _, t := range tracks {
			if t.server != "" && slices.ContainsFunc(tracks, func(o *track) bool { return o.server == "" && o.proxy == t.proxy && o.backend == t.backend }) {
				continue // the backend is the service's own, and counts what its servers do
			}
			points := t.points(measures[metric])
			if len(points) == 0 {
				continue
			}
			series := policy.Series{Metric: metric, Proxy: t.proxy, Backend: t.backend, Every: t.every(), Points: points}
			if c := s.clocks[t.proxy]; c != nil {
				series.Ahead = c.ahead()
			}
			list = append(list, series)
		}
	}
	return list
}

// tcp tells whether the service has a backend that counts no answers: those of TCP. Of the newest point InfluxDB may not
// have written every field yet, so the one before it has a say.
func (s *samples) tcp(service string) bool {
	return slices.ContainsFunc(s.services[service], func(t *track) bool {
		last := len(t.at) - 1
		return t.server == "" && math.IsNaN(t.value(reqTot, last)) && math.IsNaN(t.value(reqTot, max(0, last-1)))
	})
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

func (s *samples) find(service string, want track) *track {
	list := s.services[service]
	i, found := slices.BinarySearchFunc(list, want, func(a *track, b track) int {
		return cmp.Or(cmp.Compare(a.proxy, b.proxy), cmp.Compare(a.backend, b.backend), cmp.Compare(a.server, b.server))
	})
	if !found {
		s.services[service] = slices.Insert(list, i, &want)
		return &want
	}
	return list[i]
}

// forget drops points before t, and tracks without any left.
func (s *samples) forget(t time.Time) {
	for service, list := range s.services {
		list = slices.DeleteFunc(list, func(tr *track) bool { return !tr.forget(t.UnixMilli()) })
		if s.services[service] = list; len(list) == 0 {
			delete(s.services, service)
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
