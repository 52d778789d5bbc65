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
	services := []string{o.Service}
	if o.Swarm != "" {
		cluster, err := swarm.Open(o.Swarm)
		if err != nil {
			return nil, nil, err
		}
		closeAll = func() { _ = cluster.Close() }
		out = append(out, observe.Swarm{Cluster: cluster, Services: services})
	}
	if o.Proxy != "" {
		out = append(out, observe.Proxy{URL: o.Proxy, Services: services, Client: client})
	}
	if o.Scaler != "" {
		out = append(out, observe.Scaler{URL: o.Scaler, Services: services, Client: client, Connections: o.Proxy == ""})
	}
	return out, closeAll, nil
}
