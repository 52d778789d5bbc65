package routing_test

import (
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"sluice/internal/label"
	"sluice/routing"
)

// scene reads services as the tests write them: a line for the service, below it its labels without "com.df." and its
// tasks, with an address on the network "proxy" or as network=address.
//
//	service demo  replicas=3 networks=proxy,other
//	    notify       true
//	    servicePath  /demo
//	    port         8080
//	    task demo.1  10.0.0.1 other=10.1.0.1
//	    outbound db.example.com 192.0.2.1
//
// Without replicas as many are wanted as there are tasks; without networks the service is on "proxy".
func scene(t testing.TB, text string) []routing.Service {
	t.Helper()
	var services []routing.Service
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0 || fields[0] == "#":
		case fields[0] == "service":
			s := routing.Service{Name: fields[1], Labels: map[string]string{}, Networks: []string{"proxy"}, Replicas: -1}
			for _, option := range fields[2:] {
				key, value, _ := strings.Cut(option, "=")
				switch key {
				case "stack":
					s.Stack = value
				case "replicas":
					s.Replicas = atoi(t, value)
				case "networks":
					s.Networks = strings.Split(value, ",")
				default:
					t.Fatalf("a service has no option %q", option)
				}
			}
			services = append(services, s)
		case len(services) == 0:
			t.Fatalf("%q stands before the first service", line)
		case fields[0] == "task":
			s := &services[len(services)-1]
			task := routing.Task{Name: fields[1], Addresses: map[string]netip.Addr{}}
			for _, place := range fields[2:] {
				network, addr, named := strings.Cut(place, "=")
				if !named {
					network, addr = "proxy", place
				}
				task.Addresses[network] = netip.MustParseAddr(addr)
			}
			s.Tasks = append(s.Tasks, task)
		case fields[0] == "outbound":
			s := &services[len(services)-1]
			if s.Outbound == nil {
				s.Outbound = map[string][]netip.Addr{}
			}
			s.Outbound[fields[1]] = append(s.Outbound[fields[1]], netip.MustParseAddr(fields[2]))
		default:
			key := fields[0]
			value := strings.TrimPrefix(strings.TrimSpace(line), key)
			services[len(services)-1].Labels[label.Prefix+key] = strings.TrimSpace(value)
		}
	}
	for i := range services {
		if services[i].Replicas < 0 {
			services[i].Replicas = len(services[i].Tasks)
		}
	}
	return services
}

func atoi(t testing.TB, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// settings are what the tests render with; the binds are the test's business.
func settings(binds ...string) routing.Settings {
	var entries []routing.HTTPEntry
	for _, bind := range binds {
		entries = append(entries, routing.HTTPEntry{Address: bind})
	}
	return routing.Settings{
		Entries: entries, Handover: "abns@sluice-test", HardStopAfter: 10 * time.Second,
		Timeouts: routing.Timeouts{Connect: 2 * time.Second, Client: 10 * time.Second, Server: 10 * time.Second, Queue: 5 * time.Second,
			Tunnel: time.Minute, HTTPRequest: 5 * time.Second, HTTPKeepAlive: 5 * time.Second},
	}
}

// patient are settings of a HAProxy that runs: a machine that is busy elsewhere shall close no connection by that.
func patient(binds ...string) routing.Settings {
	s := settings(binds...)
	t := &s.Timeouts
	t.Client, t.Server, t.Queue, t.HTTPRequest, t.HTTPKeepAlive = time.Minute, time.Minute, time.Minute, time.Minute, time.Minute
	return s
}

func build(services []routing.Service) (routing.Table, []label.Problem) {
	return routing.BuildTable(services, routing.Options{Network: "proxy", Secrets: secrets()})
}

func render(t testing.TB, table routing.Table, s routing.Settings) routing.Config {
	t.Helper()
	config, err := routing.Render(table, s)
	if err != nil {
		t.Fatal(err)
	}
	return config
}
