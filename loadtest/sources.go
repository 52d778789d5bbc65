package main

import (
	"net/http"

	"sluice/internal/swarm"
	"sluice/loadtest/observe"
	"sluice/loadtest/scenario"
)

// sources are the places to look at, the most trusted first.
func sources(o scenario.Observe) ([]observe.Source, func(), error) {
	var out []observe.Source
	closeAll := func() {}
	client := &http.Client{Transport: &http.Transport{}}
	if o.Swarm != "" {
		cluster, err := swarm.Open(o.Swarm)
		if err != nil {
			return nil, nil, err
		}
		closeAll = func() { _ = cluster.Close() }
		out = append(out, observe.Swarm{Cluster: cluster, Service: o.Service})
	}
	if o.Proxy != "" {
		out = append(out, observe.Proxy{URL: o.Proxy, Service: o.Service, Client: client})
	}
	if o.Scaler != "" {
		out = append(out, observe.Scaler{URL: o.Scaler, Service: o.Service, Client: client})
	}
	return out, closeAll, nil
}
