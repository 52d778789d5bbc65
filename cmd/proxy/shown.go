package main

import (
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/haproxystats"
)

// shown is what HAProxy counted, as Prometheus sees it: the exporter's Sampler, behind a lock because a scrape comes at
// any time. One Sampler serves InfluxDB and Prometheus, so that both say the same.
type shown struct {
	owner func(backend string) (service, stack string)

	mu      sync.Mutex
	sampler *haproxystats.Sampler
	samples []haproxystats.Sample // of the last point
	servers []haproxystats.Sample // as they were read last, when the last point has none
	away    bool                  // HAProxy cannot be read: nothing is shown rather than something old
}

func newShown(owner func(string) (string, string)) *shown {
	return &shown{owner: owner, sampler: haproxystats.NewSampler()}
}

// next makes the samples of a point. They are valid until the next call.
func (s *shown) next(at time.Time, workers []haproxystats.Worker, servers bool) []haproxystats.Sample {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.samples
	s.samples, s.away = s.sampler.Next(at, workers), false // a slice of its own each time
	switch {
	case servers:
		s.servers = nil
	case s.servers == nil:
		for _, old := range before {
			if old.Type == haproxystats.Server {
				s.servers = append(s.servers, old)
			}
		}
	}
	return s.samples
}

func (s *shown) observe(at time.Time, workers []haproxystats.Worker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sampler.Observe(at, workers)
}

func (s *shown) gap() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sampler.Gap()
	s.away = true
}

// Describe says nothing: which metrics there are depends on HAProxy's version.
func (s *shown) Describe(chan<- *prometheus.Desc) {}

// Collect gives the values under the names of HAProxy's own exporter, and haproxy_up as older exporters had it.
func (s *shown) Collect(metrics chan<- prometheus.Metric) {
	s.mu.Lock()
	defer s.mu.Unlock()
	metrics <- prometheus.MustNewConstMetric(prometheus.NewDesc("haproxy_up", "1 when HAProxy could be read.", nil, nil),
		prometheus.GaugeValue, float64(boolInt(!s.away)))
	if s.away {
		return
	}
	for m := range haproxystats.Metrics(slices.Concat(s.samples, s.servers), s.owner) {
		keys, values := make([]string, len(m.Labels)), make([]string, len(m.Labels))
		for i, l := range m.Labels {
			keys[i], values[i] = l.Key, l.Value
		}
		kind := prometheus.GaugeValue
		if m.Counter {
			kind = prometheus.CounterValue
		}
		metric, err := prometheus.NewConstMetric(prometheus.NewDesc(m.Name, m.Help, keys, nil), kind, m.Value, values...)
		if err != nil {
			metric = prometheus.NewInvalidMetric(prometheus.NewDesc(m.Name, m.Help, keys, nil), err)
		}
		metrics <- metric
	}
}
