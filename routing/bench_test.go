package routing_test

import (
	"fmt"
	"net/netip"
	"testing"

	"sluice/internal/label"
	"sluice/routing"
)

// swarmOf makes n services of five tasks each, of the kinds that swarms have: most with a host, some with a path, some
// with both, a wildcard or a rewrite.
func swarmOf(n int) []routing.Service {
	services := make([]routing.Service, n)
	address := netip.MustParseAddr("10.0.0.1")
	for i := range services {
		s := &services[i]
		s.Name, s.Networks, s.Replicas = fmt.Sprintf("stack%d_service%d", i/10, i), []string{"other", "proxy"}, 5
		s.Labels = map[string]string{label.Prefix + "notify": "true", label.Prefix + "port": "8080", "com.docker.stack.namespace": "stack"}
		switch i % 5 {
		case 0:
			s.Labels[label.Prefix+"servicePath"] = fmt.Sprintf("/service%d,/api/service%d", i, i)
		case 1:
			s.Labels[label.Prefix+"serviceDomain"] = fmt.Sprintf("*.s%d.example.com", i)
		case 2:
			s.Labels[label.Prefix+"servicePath"] = fmt.Sprintf("/rewritten%d", i)
			s.Labels[label.Prefix+"reqPathSearchReplace"] = fmt.Sprintf("^/rewritten%d/,/", i)
		default:
			s.Labels[label.Prefix+"serviceDomain"] = fmt.Sprintf("s%d.example.com,www.s%d.example.com", i, i)
		}
		for slot := range 5 {
			s.Tasks = append(s.Tasks, routing.Task{Name: fmt.Sprintf("%s.%d", s.Name, slot+1), Addresses: map[string]netip.Addr{"proxy": address}})
			address = address.Next()
		}
	}
	return services
}

func BenchmarkBuildAndRender(b *testing.B) {
	for _, n := range []int{1_000, 10_000} {
		b.Run(fmt.Sprintf("services=%d", n), func(b *testing.B) {
			services := swarmOf(n)
			for b.Loop() {
				table, problems := build(services)
				if len(problems) > 0 {
					b.Fatal(problems[0])
				}
				render(b, table, settings("*:80"))
			}
		})
	}
}

func BenchmarkDiffOfOneTask(b *testing.B) {
	services := swarmOf(10_000)
	table, _ := build(services)
	running := load(render(b, table, settings("*:80"))).running()
	services[5_000].Tasks[2].Addresses["proxy"] = netip.MustParseAddr("10.9.9.9")
	table, _ = build(services)
	want := render(b, table, settings("*:80"))
	for b.Loop() {
		if plan := routing.Diff(running, want); plan.Reload != "" || len(plan.Commands) != 1 {
			b.Fatalf("got %+v", plan)
		}
	}
}

func BenchmarkParseServers(b *testing.B) {
	answer := []byte(serverState)
	head, line := answer[:len(answer)-len("4 b-be1_0 1 b.1 10.0.0.3 0 1 1 1 0 1 0 0 0 0 0 0 - 82 - 0 0 - - 0\n\n")], "4 backend%d 1 server.%d 10.0.0.3 2 0 1 1 0 1 0 0 0 0 0 0 - 82 - 0 0 - - 0\n"
	for i := range 50_000 {
		head = fmt.Appendf(head, line, i/5, i)
	}
	for b.Loop() {
		if _, err := routing.ParseServers(head); err != nil {
			b.Fatal(err)
		}
	}
}
