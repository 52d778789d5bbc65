package main

import "github.com/prometheus/client_golang/prometheus"

// sourceGauges say to Prometheus which sources answer, and which one HAProxy's figures come from.
type sourceGauges struct{ up, used *prometheus.GaugeVec }

func newSourceGauges(registry prometheus.Registerer) *sourceGauges {
	g := &sourceGauges{
		up:   prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "sluice_scaler_source_up", Help: "1 when the source answered the last time it was asked."}, []string{"source"}),
		used: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "sluice_scaler_source_used", Help: "1 for the source of HAProxy's figures that is used."}, []string{"source"}),
	}
	registry.MustRegister(g.up, g.used)
	return g
}

// show sets the gauges; a source that was never asked has none.
func (g *sourceGauges) show(f *feed) {
	if g == nil {
		return
	}
	var list []source
	if f.reader != nil {
		list = append(list, f.influx, f.containers.source)
		g.used.WithLabelValues(f.influx.name).Set(number(!f.askedDirectly()))
	}
	if f.direct != nil {
		list = append(list, f.direct.source)
		g.used.WithLabelValues(f.direct.name).Set(number(f.askedDirectly()))
	}
	for _, s := range list {
		if s.trouble != "" || !s.answered.IsZero() {
			g.up.WithLabelValues(s.name).Set(number(s.trouble == ""))
		}
	}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
