package routing_test

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"sluice/internal/label"
	"sluice/routing"
)

// rare are labels that few destinations have.
var rare = map[string][]string{
	"pathType":              {"path", "path_beg", "path_end", "path_sub", "path_reg"},
	"servicePathExclude":    {"/a/b", "/a", "/b"},
	"serviceDomainAlgo":     {"hdr_end(host)"}, // "*.test" is no regular expression
	"serviceDomainMatchAll": {"true"},
	"userAgent":             {"amiga", "amiga,amstrad"},
	"priority":              {"10", "-1"},
	"isDefaultBackend":      {"true"},
}

// drawServices draws a few services out of few names, hosts, paths and addresses, so that they often collide.
func drawServices(t *rapid.T) []routing.Service {
	names := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c", "a_b", "z.y"}), 0, 4, rapid.ID[string]).Draw(t, "services")
	hosts := rapid.SliceOfN(rapid.SampledFrom([]string{"a.test", "b.test", "*.a.test", "*.test", "*.x.a.test", "A.TEST"}), 0, 2)
	paths := rapid.SliceOfN(rapid.SampledFrom([]string{"/", "/a", "/a/", "/a/b", "/b;c", "/a/b/c"}), 0, 2)
	ports := rapid.SampledFrom([]string{"80", "8080", "x"})
	var services []routing.Service
	for _, name := range names {
		s := routing.Service{Name: name, Networks: []string{"proxy"}, Labels: map[string]string{label.Prefix + "notify": "true"}}
		for _, suffix := range []string{"", ".1", ".2"}[:rapid.IntRange(1, 3).Draw(t, "destinations")] {
			s.Labels[label.Prefix+"port"+suffix] = ports.Draw(t, "port")
			if h := hosts.Draw(t, "hosts"); len(h) > 0 {
				s.Labels[label.Prefix+"serviceDomain"+suffix] = strings.Join(h, ",")
			}
			if p := paths.Draw(t, "paths"); len(p) > 0 {
				s.Labels[label.Prefix+"servicePath"+suffix] = strings.Join(p, ",")
			}
			for _, name := range slices.Sorted(maps.Keys(rare)) { // in an order, or a failure could not be repeated
				if value := rapid.SampledFrom(append([]string{"", "", "", ""}, rare[name]...)).Draw(t, name); value != "" {
					s.Labels[label.Prefix+name+suffix] = value
				}
			}
			if rapid.IntRange(0, 3).Draw(t, "rewritten") == 0 {
				s.Labels[label.Prefix+"reqPathSearchReplace"+suffix] = "/a,/b"
			}
		}
		s.Tasks = drawTasks(t, name)
		s.Replicas = len(s.Tasks)
		services = append(services, s)
	}
	return services
}

func drawTasks(t *rapid.T, service string) (tasks []routing.Task) {
	for _, slot := range rapid.SliceOfNDistinct(rapid.IntRange(1, 12), 1, 4, rapid.ID[int]).Draw(t, "slots") {
		addr := netip.AddrFrom4([4]byte{10, 0, 0, byte(rapid.IntRange(1, 9).Draw(t, "address"))})
		tasks = append(tasks, routing.Task{Name: fmt.Sprintf("%s.%d", service, slot), Addresses: map[string]netip.Addr{"proxy": addr}})
	}
	return tasks
}

// drawPorts gives some of the destinations a port of their own, out of few, so that they collide and form groups.
func drawPorts(t *rapid.T, services []routing.Service) []routing.Service {
	for _, s := range services {
		for _, suffix := range []string{"", ".1", ".2"} {
			mode := rapid.SampledFrom([]string{"", "", "", "tcp", "sni"}).Draw(t, "mode")
			if _, exists := s.Labels[label.Prefix+"port"+suffix]; !exists || mode == "" {
				continue
			}
			s.Labels[label.Prefix+"reqMode"+suffix] = mode
			s.Labels[label.Prefix+"srcPort"+suffix] = rapid.SampledFrom([]string{"6379", "8445"}).Draw(t, "srcPort")
			if mode == "tcp" && rapid.Bool().Draw(t, "grouped") {
				s.Labels[label.Prefix+"serviceGroup"+suffix] = "g"
			}
		}
	}
	return services
}
