package routing

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"sluice/internal/label"
)

// Route is one claim of a service: which requests go to which backend. A request takes the best route that matches it.
type Route struct {
	Mode       string   `json:"mode,omitempty"`      // "" http; tcp: every connection to the port; sni: TLS that asks for the host
	Priority   int      `json:"priority,omitempty"`  // higher ones first, before everything else
	Bind       Bind     `json:"bind,omitzero"`       // where the request must have come in
	Host       string   `json:"host"`                // lower case; "*.x" for every name below x; "" for any host
	HostMatch  string   `json:"hostMatch,omitempty"` // "" exact or wildcard, else HAProxy's matcher: dom, end, beg, reg
	Path       string   `json:"path"`                // as the label has it
	PathMatch  string   `json:"pathMatch,omitempty"` // "" it and everything below it, beg any path that begins so, str it alone, else HAProxy's matcher: reg, end, sub, dir, dom
	Exclude    []string `json:"exclude,omitempty"`   // paths that it does not count for, matched as Path is
	UserAgents []string `json:"userAgents,omitempty"`
	Headers    []Header `json:"headers,omitempty"`
	Service    string   `json:"service"`
	ACLName    string   `json:"aclName,omitempty"` // breaks ties before the service's name; "" is the service's name
	Backend    string   `json:"backend"`
	Index      int      `json:"-"`     // of the destination's labels; breaks ties within a service
	Label      string   `json:"label"` // the labels that asked for it, with a blank between

	redirect string // the host that whatever comes here is redirected to; such a route comes after all that services say of Host
}

// Bind narrows a route to requests that came to one port or address of the proxy. The zero value is any.
type Bind struct {
	Port int        `json:"port,omitempty"`
	Addr netip.Addr `json:"addr,omitzero"`
}

// Header is a request header that must have this value.
type Header struct{ Name, Value string }

// destinationRoutes are the routes of one destination: each of its hosts with each of its paths.
func destinationRoutes(b Backend, g label.Group, algo string, hosts, paths []string) (routes []Route) {
	var keys []string
	for _, name := range []string{"serviceDomain", "serviceDomainAlgo", "serviceDomainMatchAll", "servicePath", "pathType", "servicePathExclude", "srcPort", "srcAddr", "userAgent", "serviceHeader", "priority"} {
		if key := g.Key(name); key != "" {
			keys = append(keys, key)
		}
	}
	base := Route{Priority: g.Int("priority"), Bind: Bind{Port: g.Int("srcPort")}, HostMatch: hostMatchers[algo], PathMatch: pathMatchers[g.Text("pathType")],
		Exclude: g.List("servicePathExclude"), UserAgents: g.List("userAgent"), Service: b.Service, Backend: b.Name, Index: b.Index, Label: strings.Join(keys, " ")}
	if addr, err := netip.ParseAddr(g.Text("srcAddr")); err == nil { // checked when the label was read
		base.Bind.Addr = addr
	}
	for _, h := range g.List("serviceHeader") {
		name, value, _ := strings.Cut(h, ":")
		base.Headers = append(base.Headers, Header{strings.TrimSpace(name), strings.TrimSpace(value)})
	}
	if len(paths) == 0 {
		paths, base.PathMatch = []string{"/"}, ""
	}
	if len(hosts) == 0 {
		hosts, base.HostMatch = []string{""}, ""
	}
	for _, host := range hosts {
		for _, path := range paths {
			r := base
			r.Host, r.Path = host, path
			if r.HostMatch != "reg" {
				if strings.HasPrefix(host, "*.") { // a wildcard says itself how it is matched
					r.HostMatch = ""
				}
				r.Host = strings.ToLower(host)
			}
			switch r.HostMatch {
			case "dom":
				r.Host = strings.Trim(r.Host, ".")
			case "", "end":
				r.Host = strings.TrimSuffix(r.Host, ".")
			} // "www." is not all that "www" begins
			routes = append(routes, r)
		}
	}
	for _, host := range b.HTTP.RedirectHosts { // whatever is asked of them is redirected
		key := g.Key("redirectFromDomain")
		routes = append(routes, Route{Priority: min(base.Priority, 0), Bind: base.Bind, Host: host, Path: "/", Service: b.Service, Backend: b.Name, Label: key, redirect: b.HTTP.Redirect.ToHost})
	}
	if port := g.Int("srcHttpsPort"); port != 0 && port != base.Bind.Port {
		for _, r := range routes {
			r.Bind.Port, r.Backend, r.Label = port, cmp.Or(b.Secure, b.Name), r.Label+" "+g.Key("srcHttpsPort")
			routes = append(routes, r)
		}
	}
	return routes
}

// key is what the route stands under in a map: the host and the path in the form that lookups use, where "/?" follows
// the path of the request. So the key "/demo/" takes /demo and all below it, and "/demo/?" takes /demo alone.
func (r Route) key() string {
	host := strings.TrimPrefix(r.Host, "*.")
	switch r.PathMatch {
	case "":
		return host + strings.TrimRight(r.Path, "/") + "/"
	case "str":
		return host + r.Path + "/?"
	}
	return host + r.Path
}

// mapped tells whether a lookup finds the path; else it takes a condition of its own.
func (r Route) mapped() bool {
	return r.PathMatch == "" || r.PathMatch == "beg" || r.PathMatch == "str"
}

// conditions counts what a request must have beside host and path.
func (r Route) conditions() int { return min(len(r.UserAgents), 1) + len(r.Headers) }

// Ranks of the ways to match a host and a path; lower ones first.
func (r Route) hostRank() int {
	switch {
	case r.Host == "":
		return 3
	case r.HostMatch != "":
		return 2
	case strings.HasPrefix(r.Host, "*."):
		return 1
	}
	return 0
}

func (r Route) pathRank() int {
	switch {
	case r.PathMatch == "str":
		return 0
	case !r.mapped():
		return 1
	}
	return 2
}

// compareRoutes is the order in which routes are tried. It is total: what is equal in it claims the same requests.
func compareRoutes(a, b Route) int {
	byName := cmp.Or(cmp.Compare(cmp.Or(a.ACLName, a.Service), cmp.Or(b.ACLName, b.Service)), cmp.Compare(a.Service, b.Service))
	order := cmp.Or(
		-cmp.Compare(a.Priority, b.Priority),
		-cmp.Compare(a.Bind.bound(), b.Bind.bound()),
		cmp.Compare(a.Bind.Port, b.Bind.Port),
		a.Bind.Addr.Compare(b.Bind.Addr),
		cmp.Compare(a.hostRank(), b.hostRank()))
	if order == 0 && a.hostRank() == 1 {
		order = -cmp.Compare(strings.Count(a.Host, "."), strings.Count(b.Host, "."))
	}
	if order == 0 && a.HostMatch == "" {
		order = cmp.Compare(a.Host, b.Host)
	}
	if order = cmp.Or(order, cmp.Compare(a.pathRank(), b.pathRank())); order != 0 {
		return order
	}
	if a.mapped() {
		order = cmp.Or(-cmp.Compare(len(a.key()), len(b.key())), cmp.Compare(a.key(), b.key()))
	}
	return cmp.Or(order, cmp.Compare(min(len(a.redirect), 1), min(len(b.redirect), 1)), -cmp.Compare(a.conditions(), b.conditions()), byName, cmp.Compare(a.Index, b.Index), cmp.Compare(a.Host, b.Host), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Backend, b.Backend))
}

func (e Bind) bound() int {
	n := 0
	if e.Port != 0 {
		n++
	}
	if e.Addr.IsValid() {
		n++
	}
	return n
}

// rank sorts the routes so that the first one that matches a request is the one that takes it, and drops the loser of
// two equal claims, which it reports.
func rank(routes []Route) (kept []Route, conflicts []label.Problem) {
	slices.SortStableFunc(routes, compareRoutes)
	taken := map[string]Route{}
	for _, r := range routes {
		claim := fmt.Sprint(r.Priority, r.Bind, r.Host, r.HostMatch, r.PathMatch, r.UserAgents, r.Headers) + " " + r.Path
		if r.mapped() {
			claim = fmt.Sprint(r.Priority, r.Bind, r.Host, r.HostMatch, r.UserAgents, r.Headers) + " " + r.key()
		}
		winner, exists := taken[claim]
		if !exists {
			taken[claim] = r
			kept = append(kept, r)
			continue
		}
		if winner.Backend != r.Backend && (r.redirect == "" || r.redirect != winner.redirect) {
			who := winner.Service
			if who == r.Service {
				who = "another destination of the service"
			}
			conflicts = append(conflicts, label.Problem{Service: r.Service, Label: r.Label, Value: r.Host + r.Path, Reason: who + " has the same route and comes first"})
		}
	}
	return kept, conflicts
}
