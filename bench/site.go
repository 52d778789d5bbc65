package main

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"sluice/internal/label"
	"sluice/routing"
)

// site is a number of services and, for each, a request that it must take.
type site struct {
	services []routing.Service
	requests []target
}

// target is a request and the backend that it belongs to.
type target struct{ host, path, backend string }

// newSite makes services as swarms have them: of ten, six have a host, three a host shared by all and a path, one a
// path alone.
func newSite(n, tasks int) site {
	var s site
	address := netip.MustParseAddr("10.0.0.1")
	for i := range n {
		name := fmt.Sprintf("stack%d_service%d", i/10, i)
		service := routing.Service{Name: name, Networks: []string{"proxy"}, Replicas: tasks,
			Labels: map[string]string{label.Prefix + "notify": "true", label.Prefix + "port": "8080"}}
		t := target{host: "www.example.com", path: "/", backend: name + "-be8080_0"}
		switch {
		case i%10 < 6:
			t.host = fmt.Sprintf("service%d.example.com", i)
			service.Labels[label.Prefix+"serviceDomain"] = t.host
		case i%10 < 9:
			t.path = fmt.Sprintf("/api/service%d", i)
			service.Labels[label.Prefix+"serviceDomain"], service.Labels[label.Prefix+"servicePath"] = t.host, t.path
		default:
			t.host, t.path = fmt.Sprintf("host%d.example.org", i), fmt.Sprintf("/service%d", i)
			service.Labels[label.Prefix+"servicePath"] = t.path
		}
		t.path += map[bool]string{true: "", false: "/"}[strings.HasSuffix(t.path, "/")] + "page"
		for slot := range tasks {
			service.Tasks = append(service.Tasks, routing.Task{Name: fmt.Sprintf("%s.%d", name, slot+1), Addresses: map[string]netip.Addr{"proxy": address}})
			address = address.Next()
		}
		s.services, s.requests = append(s.services, service), append(s.requests, t)
	}
	return s
}

// render gives the configuration that the proxy would run.
func (s site) render(address string) (routing.Config, routing.Table, error) {
	table, problems := routing.BuildTable(s.services, routing.Options{Network: "proxy"})
	if len(problems) > 0 {
		return routing.Config{}, table, fmt.Errorf("a service cannot be routed: %s", problems[0])
	}
	config, err := routing.Render(table, routing.Settings{
		Entries: []routing.HTTPEntry{{Address: address}}, Handover: "abns@sluice-bench-" + address, HardStopAfter: time.Minute,
		Timeouts: routing.Timeouts{Connect: 5 * time.Second, Client: 20 * time.Second, Server: 20 * time.Second, Queue: 30 * time.Second,
			Tunnel: time.Hour, HTTPRequest: 5 * time.Second, HTTPKeepAlive: 15 * time.Second},
	})
	return config, table, err
}
