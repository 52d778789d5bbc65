package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"sluice/routing"
)

func TestMetricsOfBackendsThatAreGoneGo(t *testing.T) {
	registry := prometheus.NewRegistry()
	m := newMetrics(registry)
	shown := func() (backends []string) {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			for _, one := range f.Metric {
				if f.GetName() == "sluice_proxy_servers" {
					backends = append(backends, one.Label[0].GetValue())
				}
			}
		}
		return backends
	}
	table := func(names ...string) (t routing.Table) {
		for _, name := range names {
			t.Backends = append(t.Backends, routing.Backend{Service: "s", Name: name})
		}
		return t
	}
	for _, want := range [][]string{{"a", "b"}, {"b", "c"}, nil} {
		m.observe(table(want...), nil, nil)
		if diff := cmp.Diff(want, shown()); diff != "" {
			t.Error(diff)
		}
	}
}
