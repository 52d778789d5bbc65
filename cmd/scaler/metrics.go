package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"sluice/internal/influx"
	"sluice/policy"
)

// metrics are the scaler's own figures for Prometheus.
type metrics struct {
	ticks                        prometheus.Histogram
	services, invalid, lag       prometheus.Gauge
	desired, wanted, running     *prometheus.GaugeVec
	verdict                      *prometheus.GaugeVec
	changes, decisions, failures *prometheus.CounterVec
	webhooks, requests           *prometheus.CounterVec
}

func newMetrics(registry prometheus.Registerer) *metrics {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "sluice_scaler_" + name, Help: help})
	}
	gauges := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "sluice_scaler_" + name, Help: help}, labels)
	}
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sluice_scaler_" + name, Help: help}, labels)
	}
	m := &metrics{
		ticks:     prometheus.NewHistogram(prometheus.HistogramOpts{Name: "sluice_scaler_tick_seconds", Help: "Time of one look at all services.", Buckets: prometheus.ExponentialBuckets(0.005, 2, 11)}),
		services:  gauge("services", "Services with scaling labels."),
		invalid:   gauge("invalid_policies", "Services whose scaling labels cannot be used."),
		lag:       gauge("lag_seconds", "Age of the newest samples of the proxy that is most behind."),
		desired:   gauges("desired_replicas", "Replicas that were decided.", "service"),
		wanted:    gauges("wanted_replicas", "Replicas that the rules ask for, before any limit.", "service"),
		running:   gauges("running_replicas", "Tasks that run.", "service"),
		verdict:   gauges("verdict", "1 for the last verdict about a service.", "service", "verdict"),
		changes:   counters("changes_total", "Changes of replicas that were carried out.", "service", "direction"),
		decisions: counters("decisions_total", "Decisions.", "verdict"),
		failures:  counters("failures_total", "What could not be done and was tried again: looks at the swarm, samples of the source, updates of services.", "of"),
		webhooks:  counters("webhooks_total", "Changes that webhooks were told of: sent, failed, or dropped because too many waited.", "result"),
		requests:  counters("requests_total", "Requests that ask for replicas or a pause, by the HTTP status of the answer.", "code"),
	}
	registry.MustRegister(m.ticks, m.services, m.invalid, m.lag, m.desired, m.wanted, m.running, m.verdict, m.changes, m.decisions, m.failures, m.webhooks, m.requests)
	for _, of := range []string{"swarm", "source", "update"} {
		m.failures.WithLabelValues(of) // there from the start, so that a first failure is a rise
	}
	for _, result := range []string{"sent", "failed", "dropped"} {
		m.webhooks.WithLabelValues(result)
	}
	return m
}

// watchOutbox shows how the writing of decisions does.
func watchOutbox(registry prometheus.Registerer, stats func() influx.Stats) {
	registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "sluice_scaler_spool_points", Help: "Decisions that wait to be written to InfluxDB."},
			func() float64 { return float64(stats().Points) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "sluice_scaler_points_sent_total", Help: "Decisions that InfluxDB has taken."},
			func() float64 { return float64(stats().Sent) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "sluice_scaler_points_lost_total", Help: "Decisions that were dropped for want of room, or that InfluxDB refused."},
			func() float64 { st := stats(); return float64(st.Dropped + st.Refused) }))
}

// decided counts a decision, and shows what it says of the service.
func (m *metrics) decided(s *subject, d policy.Decision, changed bool) {
	if changed {
		m.changes.WithLabelValues(d.Service, string(d.Verdict)).Inc()
	}
	m.decisions.WithLabelValues(string(d.Verdict)).Inc()
	if s.shown != d.Verdict {
		m.verdict.DeletePartialMatch(prometheus.Labels{"service": d.Service})
		m.verdict.WithLabelValues(d.Service, string(d.Verdict)).Set(1)
		s.shown = d.Verdict
	}
	m.desired.WithLabelValues(d.Service).Set(float64(d.To))
	m.wanted.WithLabelValues(d.Service).Set(float64(d.Want))
	m.running.WithLabelValues(d.Service).Set(float64(s.running))
}

// forget drops the figures of a service that is gone.
func (m *metrics) forget(service string) {
	label := prometheus.Labels{"service": service}
	for _, of := range []interface{ DeletePartialMatch(prometheus.Labels) int }{m.desired, m.wanted, m.running, m.verdict, m.changes} {
		of.DeletePartialMatch(label)
	}
}
