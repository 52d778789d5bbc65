package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"sluice/internal/label"
	"sluice/routing"
)

// metrics are the proxy's own figures for Prometheus.
type metrics struct {
	reloads, failures, commands prometheus.Counter
	routes, problems            prometheus.Gauge
	servers, notAfter           *prometheus.GaugeVec
}

func newMetrics(registry prometheus.Registerer) *metrics {
	m := &metrics{
		reloads:  prometheus.NewCounter(prometheus.CounterOpts{Name: "sluice_proxy_reloads_total", Help: "Reloads of HAProxy."}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{Name: "sluice_proxy_step_failures_total", Help: "Looks at the swarm, or changes of HAProxy, that failed and were tried again."}),
		commands: prometheus.NewCounter(prometheus.CounterOpts{Name: "sluice_proxy_commands_total", Help: "Runtime commands that changed HAProxy without a reload."}),
		routes:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "sluice_proxy_routes", Help: "Routes in force."}),
		problems: prometheus.NewGauge(prometheus.GaugeOpts{Name: "sluice_proxy_problems", Help: "Labels that could not be used."}),
		servers:  prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "sluice_proxy_servers", Help: "Tasks that take traffic."}, []string{"service", "backend"}),
	}
	m.notAfter = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "sluice_proxy_certificate_not_after_seconds", Help: "When a certificate in use expires, as Unix time."}, []string{"certificate", "origin"})
	registry.MustRegister(m.reloads, m.failures, m.commands, m.routes, m.problems, m.servers, m.notAfter)
	return m
}

func (m *metrics) observe(t routing.Table, served []certificate, problems []label.Problem) {
	m.routes.Set(float64(len(t.AllRoutes())))
	m.problems.Set(float64(len(problems)))
	m.servers.Reset() // backends that are gone must not stay
	for _, b := range t.Backends {
		m.servers.WithLabelValues(b.Service, b.Name).Set(float64(len(b.Servers)))
	}
	m.notAfter.Reset()
	for _, c := range served {
		if c.used {
			m.notAfter.WithLabelValues(c.Name, c.Origin).Set(float64(c.info.NotAfter.Unix()))
		}
	}
}
