package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"sluice/internal/label"
	"sluice/routing"
)

// metrics are the proxy's own figures for Prometheus.
type metrics struct {
	reloads, failures, commands prometheus.Counter
	ended                       prometheus.Counter // old workers
	routes, problems            prometheus.Gauge
	oldWorkers                  prometheus.Gauge
	servers, notAfter           *prometheus.GaugeVec
	shown                       map[series]bool // of servers and notAfter
}

type series struct {
	of     *prometheus.GaugeVec
	labels [2]string
}

func newMetrics(registry prometheus.Registerer) *metrics {
	m := &metrics{
		reloads:  prometheus.NewCounter(prometheus.CounterOpts{Name: "sluice_proxy_reloads_total", Help: "Reloads of HAProxy."}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{Name: "sluice_proxy_step_failures_total", Help: "Looks at the swarm, or changes of HAProxy, that failed and were tried again."}),
		commands: prometheus.NewCounter(prometheus.CounterOpts{Name: "sluice_proxy_commands_total", Help: "Runtime commands that changed HAProxy without a reload."}),
		ended:    prometheus.NewCounter(prometheus.CounterOpts{Name: "sluice_proxy_old_workers_ended_total", Help: "Old HAProxy workers that a reload ended with their connections, because there were more than MAX_OLD_WORKERS."}),
		routes:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "sluice_proxy_routes", Help: "Routes in force."}),
		problems: prometheus.NewGauge(prometheus.GaugeOpts{Name: "sluice_proxy_problems", Help: "Labels that could not be used."}),
		servers:  prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "sluice_proxy_servers", Help: "Tasks that take traffic."}, []string{"service", "backend"}),
	}
	m.oldWorkers = prometheus.NewGauge(prometheus.GaugeOpts{Name: "sluice_proxy_old_workers", Help: "HAProxy workers from before a reload that finish their connections."})
	m.notAfter = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "sluice_proxy_certificate_not_after_seconds", Help: "When a certificate in use expires, as Unix time."}, []string{"certificate", "origin"})
	registry.MustRegister(m.ended, m.oldWorkers, m.reloads, m.failures, m.commands, m.routes, m.problems, m.servers, m.notAfter)
	return m
}

func (m *metrics) observe(t routing.Table, served []certificate, problems []label.Problem) {
	m.routes.Set(float64(len(t.AllRoutes())))
	m.problems.Set(float64(len(problems)))
	before := m.shown
	m.shown = make(map[series]bool, len(before))
	set := func(of *prometheus.GaugeVec, value float64, labels ...string) {
		of.WithLabelValues(labels...).Set(value)
		m.shown[series{of, [2]string(labels)}] = true
	}
	for _, b := range t.Backends {
		set(m.servers, float64(len(b.Servers)), b.Service, b.Name)
	}
	for _, c := range served {
		if c.used {
			set(m.notAfter, float64(c.info.NotAfter.Unix()), c.Name, c.Origin)
		}
	}
	for s := range before { // what is gone must not stay, and a scrape at this moment must miss nothing that is there
		if !m.shown[s] {
			s.of.DeleteLabelValues(s.labels[:]...)
		}
	}
}
