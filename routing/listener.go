package routing

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/internal/label"
)

// Listener is a port of the proxy that takes connections without looking for http in them.
type Listener struct {
	Mode      string // tcp: all of them go to one backend; sni: the name in a ClientHello decides
	Port      int
	Addrs     []netip.Addr // none is every address
	Routes    []Route      // what leads where: one of tcp, those of sni with the best first
	HTTPS     bool         // sni on a port that ends TLS: what no route takes goes on there
	KeepAlive bool
	Client    time.Duration // how long a client may be silent; 0 is the proxy's

	origins map[string]string // label -> service and key that asked for it
}

// Name is that of its frontend: tcp_6379, tcp_10.0.0.5_6379, sni_443. It says all that the listener binds, but for
// addresses of sni.
func (l Listener) Name() string {
	if l.Mode == modeTCP && len(l.Addrs) > 0 {
		return fmt.Sprintf("%s_%s_%d", l.Mode, l.Addrs[0], l.Port)
	}
	return fmt.Sprintf("%s_%d", l.Mode, l.Port)
}

// Binds are the addresses that the listener asks HAProxy for; none where an http entry has the port.
func (l Listener) Binds() (binds []netip.AddrPort) {
	if l.HTTPS {
		return nil
	}
	for _, addr := range l.Addrs {
		binds = append(binds, netip.AddrPortFrom(addr, uint16(l.Port)))
	}
	if len(l.Addrs) == 0 {
		binds = append(binds, netip.AddrPortFrom(netip.IPv4Unspecified(), uint16(l.Port)))
	}
	return binds
}

// listen turns the routes that need a port of their own into listeners, unites the backends of groups, and takes out
// what lost its port to another destination. The first in the order of priority, aclName and name wins.
func (t *Table) listen(opts Options) (problems []label.Problem) {
	var claims []Route
	t.Routes = slices.DeleteFunc(t.Routes, func(r Route) bool {
		if r.Mode != "" {
			claims = append(claims, r)
		}
		return r.Mode != ""
	})
	if len(claims) == 0 {
		return nil
	}
	slices.SortStableFunc(claims, compareClaims)
	backends := map[string]Backend{}
	for _, b := range t.Backends {
		backends[b.Name] = b
	}
	owners, lost := map[Bind]Route{}, map[string]bool{}
	groups := map[Bind][]Backend{} // the backends of each port of tcp
	var kept []Route
	for _, r := range claims {
		owner, taken := owners[r.Bind]
		b := backends[r.Backend]
		group := b.TCP.Group != "" && b.TCP.Group == backends[owner.Backend].TCP.Group
		switch {
		case lost[r.Backend]:
		case !taken:
			owners[r.Bind] = r
			kept = append(kept, r)
		case r.Mode == modeSNI && owner.Mode == modeSNI:
			kept = append(kept, r)
		case !group || r.Mode != owner.Mode:
			lost[r.Backend] = true
			problems = append(problems, label.Problem{Service: r.Service, Label: r.Label, Value: strconv.Itoa(r.Bind.Port), Reason: owner.rival(r) + " has the port and comes first"})
		}
		if r.Mode == modeTCP && !lost[r.Backend] {
			groups[r.Bind] = append(groups[r.Bind], b)
		}
	}
	t.Backends = slices.DeleteFunc(t.Backends, func(b Backend) bool { return lost[b.Name] || b.TCP.Group != "" })
	for i, r := range kept {
		if r.Mode != modeTCP {
			continue
		}
		b := groups[r.Bind][0]
		if b.TCP.Group != "" {
			united, found := uniteGroup(groups[r.Bind], r.Bind)
			problems = append(problems, found...)
			t.Backends = append(t.Backends, united)
			b, kept[i].Backend = united, united.Name
		}
		backends[b.Name] = b
	}
	slices.SortFunc(t.Backends, func(a, b Backend) int { return cmp.Compare(a.Name, b.Name) })
	conflicts := t.addListeners(kept, backends, opts)
	return append(problems, conflicts...)
}

// rival names the winner to the loser.
func (r Route) rival(loser Route) string {
	if r.Service == loser.Service {
		return "another destination of the service"
	}
	return r.Service
}

// compareClaims is the order in which destinations get a port.
func compareClaims(a, b Route) int {
	return cmp.Or(-cmp.Compare(a.Priority, b.Priority), cmp.Compare(cmp.Or(a.ACLName, a.Service), cmp.Or(b.ACLName, b.Service)),
		cmp.Compare(a.Service, b.Service), cmp.Compare(a.Backend, b.Backend))
}

// addListeners makes a listener of each address of tcp and of each port of sni.
func (t *Table) addListeners(routes []Route, backends map[string]Backend, opts Options) (conflicts []label.Problem) {
	names := map[int][]Route{}
	for _, r := range routes {
		if r.Mode == modeSNI {
			names[r.Bind.Port] = append(names[r.Bind.Port], r)
			continue
		}
		b := backends[r.Backend]
		l := Listener{Mode: r.Mode, Port: r.Bind.Port, Routes: []Route{r}, KeepAlive: b.TCP.KeepAlive, Client: b.TCP.Client,
			origins: map[string]string{"bind": b.claimants(r)}}
		for name, key := range b.HTTP.Origins {
			l.origins[name] = b.Service + " " + key
		}
		if r.Bind.Addr.IsValid() {
			l.Addrs = []netip.Addr{r.Bind.Addr}
		}
		t.Listeners = append(t.Listeners, l)
	}
	for port, routes := range names {
		l := Listener{Mode: modeSNI, Port: port, HTTPS: slices.Contains(opts.TLSPorts, port)}
		kept, found := rank(routes)
		l.Routes, conflicts = kept, append(conflicts, found...)
		var asked []string
		for _, r := range kept {
			l.Addrs = append(l.Addrs, r.Bind.Addr)
			asked = append(asked, r.Service+" "+portKeys(r.Label))
		}
		slices.Sort(asked)
		l.origins = map[string]string{"bind": strings.Join(slices.Compact(asked), " # ")}
		slices.SortFunc(l.Addrs, netip.Addr.Compare)
		if l.Addrs = slices.Compact(l.Addrs); !l.Addrs[0].IsValid() {
			l.Addrs = nil // every address, and conditions for some
		}
		t.Listeners = append(t.Listeners, l)
	}
	slices.SortFunc(t.Listeners, func(a, b Listener) int { return cmp.Compare(a.Name(), b.Name()) })
	slices.SortFunc(conflicts, func(a, b label.Problem) int { return cmp.Compare(a.String(), b.String()) })
	return conflicts
}

// claimants names everybody whose labels asked for the port of tcp.
func (b Backend) claimants(r Route) string {
	if len(b.TCP.Members) == 0 {
		return r.Service + " " + r.Label
	}
	var all []string
	for _, m := range b.TCP.Members {
		all = append(all, m.Service+" "+m.labels)
	}
	return strings.Join(all, " # ")
}

// portKeys are those of a route's labels that name a port or address.
func portKeys(keys string) string {
	return strings.Join(slices.DeleteFunc(strings.Fields(keys), func(key string) bool {
		return !strings.HasPrefix(key, label.Prefix+"src")
	}), " ")
}

// AllRoutes are the routes of http, best first, and those of the listeners.
func (t Table) AllRoutes() []Route {
	all := slices.Clip(t.Routes)
	for _, l := range t.Listeners {
		all = append(all, l.Routes...)
	}
	return all
}

// WithoutListeners leaves out the listeners for which refuse answers a reason, and reports it to whoever asked for them.
func (t Table) WithoutListeners(refuse func(Listener) error) (kept Table, problems []label.Problem) {
	kept = t
	kept.Listeners = nil
	for _, l := range t.Listeners {
		err := refuse(l)
		if err == nil {
			kept.Listeners = append(kept.Listeners, l)
			continue
		}
		for asked := range strings.SplitSeq(l.origins["bind"], " # ") {
			service, keys, _ := strings.Cut(asked, " ")
			problems = append(problems, label.Problem{Service: service, Label: keys, Value: strconv.Itoa(l.Port), Reason: "cannot be bound, which is tried again: " + err.Error()})
		}
	}
	return kept, problems
}

// bindAddress is an address as a bind line has it.
func bindAddress(addr netip.Addr, port int) string {
	if !addr.IsValid() {
		return fmt.Sprintf("*:%d", port)
	}
	return netip.AddrPortFrom(addr, uint16(port)).String()
}
