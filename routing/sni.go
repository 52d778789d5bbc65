package routing

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"sluice/internal/label"
)

// portRoutes are the routes of a destination without http: a port and address, with each of its names where the names
// of TLS decide.
func portRoutes(b Backend, g label.Group) (routes []Route) {
	base := Route{Mode: b.Mode, Priority: g.Int("priority"), Bind: Bind{Port: g.Int("srcPort")}, Service: b.Service, ACLName: g.Text("aclName"), Backend: b.Name, Index: b.Index}
	if addr, err := netip.ParseAddr(g.Text("srcAddr")); err == nil { // checked when the label was read
		base.Bind.Addr = addr.Unmap()
	}
	base.Label = keysOf(g, "reqMode", "srcPort", "srcAddr", "serviceGroup")
	if b.Mode == modeTCP {
		return []Route{base}
	}
	add := func(hosts []string, matcher string, labels ...string) {
		for _, host := range hosts {
			r := base
			r.Host, r.HostMatch, r.Label = host, matcher, keysOf(g, append(labels, "srcPort", "srcAddr", "priority")...)
			if matcher != "reg" {
				r.Host = strings.ToLower(host)
			}
			if matcher == "" {
				r.Host = strings.TrimSuffix(r.Host, ".")
			}
			routes = append(routes, r)
		}
	}
	add(g.List("serviceDomain"), hostMatchers[g.Text("serviceDomainAlgo")], "serviceDomain", "serviceDomainAlgo")
	if words := sniPath(g.Text("pathType")); words != nil {
		add(g.List("servicePath"), sniMatcher(words), "servicePath", "pathType")
	}
	return routes
}

// sniMatcher is the matcher among the words of a pathType; exact, the default, is "".
func sniMatcher(words []string) string {
	if m := slices.Index(words, "-m"); m >= 0 && words[m+1] != "str" {
		return words[m+1]
	}
	return ""
}

// keysOf are the labels as the user wrote them, with a blank between; those that are absent are left out.
func keysOf(g label.Group, names ...string) string {
	var keys []string
	for _, name := range names {
		if key := g.Key(name); key != "" {
			keys = append(keys, key)
		}
	}
	return strings.Join(keys, " ")
}

// checkPortClaim judges what leads to a destination without http; it answers the name of the label and the reason.
func checkPortClaim(g label.Group, opts Options) (name, reason string) {
	port := g.Int("srcPort")
	ends := slices.Contains(opts.TLSPorts, port)
	switch {
	case port == 0:
		return "srcPort", "is missing: reqMode=" + modeOf(g) + " needs a port of the proxy"
	case slices.Contains(opts.OwnPorts, port):
		return "srcPort", "is the port of the proxy's own API"
	case modeOf(g) == modeTCP && slices.Contains(opts.EntryPorts, port):
		return "srcPort", "is a port of http (DEFAULT_PORTS, BIND_PORTS)"
	case slices.Contains(opts.EntryPorts, port) && !ends:
		return "srcPort", "is a port of http without TLS (DEFAULT_PORTS, BIND_PORTS): no names are sent there"
	case modeOf(g) == modeTCP:
		return "", ""
	}
	words, names := sniPath(g.Text("pathType")), 0
	if words != nil {
		names = len(g.List("servicePath"))
		if err := checkNames(g.List("servicePath"), sniMatcher(words)); err != nil {
			return "servicePath", err.Error()
		}
	}
	if err := checkNames(g.List("serviceDomain"), hostMatchers[g.Text("serviceDomainAlgo")]); err != nil {
		return "serviceDomain", err.Error()
	}
	if names+len(g.List("serviceDomain")) == 0 {
		return "serviceDomain", "is missing: reqMode=sni needs names"
	}
	return "", ""
}

// checkNames accepts names of servers, or the parts of them that a matcher compares.
func checkNames(names []string, matcher string) error {
	switch matcher {
	case "":
		return checkHosts(names)
	case "reg":
		for _, name := range names {
			if len(name) > maxPath {
				return fmt.Errorf("has an expression of %d bytes, more than %d", len(name), maxPath)
			}
			if err := checkPattern(name); err != nil {
				return err
			}
		}
		return nil
	}
	for _, name := range names {
		if len(name) > 253 || strings.ContainsFunc(name, func(r rune) bool { return !isWord(r) }) {
			return fmt.Errorf("has something that is no part of a name: %q", name)
		}
	}
	return nil
}

// sniLookup gives the lines of a listener that find the backend of a name, and fills their maps: like those of hosts,
// in the order of compareRoutes, with a map for exact names and for wildcards of one depth and a condition for others.
func sniLookup(l Listener, all map[string][]Entry) (lines []line) {
	add := func(origin, format string, args ...any) {
		lines = append(lines, line{"tcp-request content " + fmt.Sprintf(format, args...), origin})
	}
	blocks := split(l.Routes, func(r Route) string { return fmt.Sprint(r.Priority, r.Bind) })
	for i, block := range blocks {
		suffix, when := ".map", unfound
		if i > 0 {
			suffix = fmt.Sprintf("-%d.map", i)
		}
		if addr := block[0].Bind.Addr; addr.IsValid() {
			when += fmt.Sprintf(" { dst %s }", addr)
		}
		exact, wild := l.Name()+suffix, l.Name()+"-wildcards"+suffix
		all[exact] = append(all[exact], []Entry(nil)...)
		// looked up even while there are none, so that a name that comes needs no reload
		add("", "set-var(txn.be) var(txn.sni),map_str(%s) if %s", exact, when)
		for _, stage := range split(block, func(r Route) string { return fmt.Sprint(r.hostRank(), r.depth()) }) {
			if stage[0].hostRank() == 1 {
				add("", "set-var(txn.be) var(txn.sni),field(2,.,0),field(-1,.,%d),map_str(%s) if %s", stage[0].depth(), wild, when)
			}
			for _, r := range stage {
				entry := Entry{Key: strings.TrimPrefix(r.Host, "*."), Value: r.Backend, Comment: r.Service + " " + r.Label}
				switch r.hostRank() {
				case 0:
					all[exact] = append(all[exact], entry)
				case 1:
					all[wild] = append(all[wild], entry)
				default:
					flag := ""
					if r.HostMatch == "reg" {
						flag = " -i"
					}
					add(r.Service+" "+r.Label, "set-var(txn.be) str(%s) if %s { var(txn.sni) -m %s%s %s }", r.Backend, when, r.HostMatch, flag, patterns(r.Host))
				}
			}
		}
		for _, file := range []string{exact, wild} {
			slices.SortFunc(all[file], func(a, b Entry) int { return cmp.Compare(a.Key, b.Key) })
		}
	}
	return lines
}
