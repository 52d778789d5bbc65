package routing

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sluice/internal/label"
)

// Route is one claim of a service: a host, a path, and where such requests go.
type Route struct {
	Host    string `json:"host"` // lower case; "*.x" for every name below x; "" for any host
	Path    string `json:"path"` // takes itself and everything below it
	Service string `json:"service"`
	Backend string `json:"backend"`
	Label   string `json:"label"` // the labels that asked for it, host before path, with a blank between
}

func destinationRoutes(b Backend, g label.Group, hosts, paths []string) (routes []Route) {
	key := strings.TrimSpace(g.Key("serviceDomain") + " " + g.Key("servicePath"))
	if len(paths) == 0 {
		paths = []string{"/"}
	}
	if len(hosts) == 0 {
		hosts = []string{""}
	}
	for _, host := range hosts {
		for _, path := range paths {
			routes = append(routes, Route{
				Host:    strings.TrimSuffix(strings.ToLower(host), "."),
				Path:    strings.TrimRight(path, "/") + "/",
				Service: b.Service, Backend: b.Name, Label: key,
			})
		}
	}
	return routes
}

// rank sorts the routes so that the first one that matches a request is the one that takes it, and drops the loser of
// two equal claims, which it reports. Exact hosts come before wildcards (the longest first) and these before any host;
// then the longest path; then the service's name and the index, in byte order.
func rank(routes []Route) (kept []Route, conflicts []label.Problem) {
	slices.SortStableFunc(routes, func(a, b Route) int {
		return cmp.Or(
			cmp.Compare(hostRank(a.Host), hostRank(b.Host)),
			-cmp.Compare(strings.Count(a.Host, "."), strings.Count(b.Host, ".")),
			cmp.Compare(a.Host, b.Host),
			-cmp.Compare(len(a.Path), len(b.Path)),
			cmp.Compare(a.Path, b.Path),
			cmp.Compare(a.Service, b.Service),
		)
	})
	for _, r := range routes {
		if n := len(kept); n > 0 && kept[n-1].Host == r.Host && kept[n-1].Path == r.Path {
			if kept[n-1].Backend != r.Backend {
				conflicts = append(conflicts, label.Problem{Service: r.Service, Label: r.Label, Value: r.Host + r.Path,
					Reason: fmt.Sprintf("%s has the same route and comes first", kept[n-1].Service)})
			}
			continue
		}
		kept = append(kept, r)
	}
	return kept, conflicts
}

func hostRank(host string) int {
	switch {
	case host == "":
		return 2
	case strings.HasPrefix(host, "*."):
		return 1
	}
	return 0
}
