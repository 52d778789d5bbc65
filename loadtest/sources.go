package main

import (
	"net"
	"net/http"

	"sluice/internal/influx"
	"sluice/internal/swarm"
	"sluice/loadtest/observe"
	"sluice/loadtest/scenario"
)

// sources are the places to look at, the most trusted first. InfluxDB is the last: what it knows is older than what the APIs say, and fills in where
// they are silent.
func sources(o scenario.Observe) ([]observe.Source, func(), error) {
	var out []observe.Source
	var closers []func()
	closeAll := func() {
		for _, end := range closers {
			end()
		}
	}
	client := &http.Client{Transport: &http.Transport{}}
	closers = append(closers, client.CloseIdleConnections)
	services := o.Services()
	if o.Swarm != "" {
		cluster, err := swarm.Open(o.Swarm)
		if err != nil {
			return nil, nil, err
		}
		closers = append(closers, func() { _ = cluster.Close() })
		out = append(out, observe.Swarm{Cluster: cluster, Services: services})
	}
	if o.Proxies != nil {
		out = append(out, observe.Proxy{URLs: o.Proxies, Services: services, Client: client, Lookup: net.DefaultResolver.LookupHost})
	}
	if o.Scaler != "" {
		sharper := o.Proxies != nil || o.Influx.URL != ""
		out = append(out, observe.Scaler{URL: o.Scaler, Services: services, Client: client, Connections: !sharper})
	}
	if i := o.Influx; i.URL != "" {
		reader := influx.NewReader(influx.Config{URL: i.URL, Token: i.Token, Org: i.Org, Bucket: i.Bucket})
		closers = append(closers, reader.Close)
		out = append(out, observe.Influx{Reader: reader, Bucket: i.Bucket, Services: services})
	}
	return out, closeAll, nil
}
