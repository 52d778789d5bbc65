package main

import "github.com/prometheus/client_golang/prometheus"

// metrics are the scaler's own figures for Prometheus.
type metrics struct {
	ticks             prometheus.Histogram
	services, invalid prometheus.Gauge
	desired, wanted   *prometheus.GaugeVec
	changes           *prometheus.CounterVec
}

func newMetrics(registry prometheus.Registerer) *metrics {
	m := &metrics{
		ticks:    prometheus.NewHistogram(prometheus.HistogramOpts{Name: "sluice_scaler_tick_seconds", Help: "Time of one look at all services.", Buckets: prometheus.ExponentialBuckets(0.005, 2, 11)}),
		services: prometheus.NewGauge(prometheus.GaugeOpts{Name: "sluice_scaler_services", Help: "Services with scaling labels."}),
		invalid:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "sluice_scaler_invalid_policies", Help: "Services whose scaling labels cannot be used."}),
		desired:  prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "sluice_scaler_desired_replicas", Help: "Replicas that were decided."}, []string{"service"}),
		wanted:   prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "sluice_scaler_wanted_replicas", Help: "Replicas that the rules ask for, before any limit."}, []string{"service"}),
		changes:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sluice_scaler_changes_total", Help: "Changes of replicas that were carried out."}, []string{"service", "direction"}),
	}
	registry.MustRegister(m.ticks, m.services, m.invalid, m.desired, m.wanted, m.changes)
	return m
}

// forget drops the figures of a service that is gone.
func (m *metrics) forget(service string) {
	label := prometheus.Labels{"service": service}
	m.desired.DeletePartialMatch(label)
	m.wanted.DeletePartialMatch(label)
	m.changes.DeletePartialMatch(label)
}
