// Package routing turns swarm services and their com.df.* labels into the configuration of an HAProxy.
//
//	[]Service ─BuildTable─> Table, []Problem     which request goes where, what could not be used
//	Table     ─Render─────> Config               haproxy.cfg, maps, the hash of what only a reload can change
//	Running, Config ─Diff─> Plan                 runtime commands, or a reload and its reason
//
// It is pure: equal services give equal bytes. It knows no socket, no file and no Docker; cmd/proxy carries values in
// and out.
package routing

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"sluice/internal/label"
)

// Service is a service as routing sees it, with the tasks that may take traffic.
type Service struct {
	Name     string
	Stack    string // "" outside a stack
	Labels   map[string]string
	Networks []string // names of the networks it is attached to
	Replicas int      // desired; decides what is said about a service without tasks
	Tasks    []Task
	Outbound map[string][]netip.Addr // addresses of the hosts that outboundHostname labels name
	Declared bool                    // by the API or the environment: whoever declares it is told why it is not routed
}

// Task is one running task of a service.
type Task struct {
	Name      string                // <service>.<slot>: the server's name in HAProxy, stable over restarts of the task
	Addresses map[string]netip.Addr // by network name
}

// Options are the settings that decide what a table is.
type Options struct {
	Network    string // where tasks are reached when the service names no network of its own
	EntryPorts []int  // ports of the http entries; nil when they are not known
	TLSPorts   []int  // of them, those that end TLS
	OwnPorts   []int  // ports on which the proxy itself is asked: nobody else's

	HTTPSOnly bool              // for services that do not say
	HTTPSPort int               // where clients reach https, for redirects; 0 is 443
	Users     []User            // for services without users of their own; none: no authentication
	Secrets   map[string]string // what usersSecret may name: dfp_users_<name> -> content; nil when they are not known, then usersSecret is not judged
	ClientCA  bool              // clients are asked for certificates (TLS.CAFile), so that verifyClientSsl can be kept

	Separator                        string   // between the items of lists in labels; "" is a comma
	DomainAlgo                       string   // serviceDomainAlgo of services that do not say; "" is exact
	CompressionAlgo, CompressionType []string // for services that do not say; none: no compression

	FilterInstance bool   // route only services whose proxyInstanceName is Instance
	Instance       string // the name of this proxy

	AllowRaw  bool              // backendExtra, userDef and templates are used
	Templates map[string]string // files that TemplateFiles lists -> content; one that cannot be read is missing
}

// Table says which request goes to which backend. It is a function of the swarm and never edited in place.
type Table struct {
	Routes   []Route   // best first
	Default  string    // the backend of requests that no route takes; "" is none
	Backends []Backend // by name
	// Certificates of services (serviceCert), by service.
	Certificates []Certificate
	// Listeners are the ports that services have for themselves (reqMode=tcp and sni), by name.
	Listeners []Listener

	defaultLine line
}

// Backend is one destination of a service: its tasks on one port.
type Backend struct {
	Name     string // <service>-be<port>_<index>, the name that Docker Flow Proxy gave it
	Service  string
	Stack    string
	Default  bool   // takes what no route takes
	Mode     string // "" http, tcp or sni
	Index    int    // of the labels; 0 for labels without one
	Port     int
	Secure   string // the backend that its requests over TLS go to instead; "" for none
	Rewrites []Rewrite
	HTTP     HTTP              // what is done to requests and answers on the way
	Raw      Raw               // lines that labels write themselves
	TCP      TCP               // of a backend without http
	Labels   map[string]string // directive -> the label that asked for it, for comments and explain
	Servers  []Server          // by slot
	Note     string            // why there are no servers; "" when there are
}

// Server is a task's address in a backend.
type Server struct {
	Name string         `json:"name"`
	Addr netip.AddrPort `json:"addr"`
	// Options are its own, in the backend of a group; zero: those of the backend.
	Options ServerOptions `json:"-"`
}

// BuildTable reads the labels of all services. A label that cannot be used leaves out the destination that it belongs
// to and is reported; everything else is routed. The order of the services does not matter.
func BuildTable(services []Service, opts Options) (Table, []label.Problem) {
	var table Table
	var problems []label.Problem
	for _, service := range slices.SortedFunc(slices.Values(services), func(a, b Service) int { return cmp.Compare(a.Name, b.Name) }) {
		service.Labels = onOneLine(service.Labels)
		routes, backends, found := readService(service, opts)
		if len(backends) > 0 && service.Labels[certificateKey] != "" {
			certificate, unusable := serviceCertificate(service, opts)
			table.Certificates, found = append(table.Certificates, certificate...), append(found, unusable...)
		}
		table.Routes = append(table.Routes, routes...)
		table.Backends = append(table.Backends, backends...)
		problems = append(problems, found...)
	}
	slices.SortFunc(table.Backends, func(a, b Backend) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Service, b.Service)) })
	problems = append(problems, table.unite()...)
	problems = append(problems, table.listen(opts)...)
	var conflicts []label.Problem
	table.Routes, conflicts = rank(table.Routes)
	return table, append(problems, conflicts...)
}

// unite settles what only one backend can have: its name, where the first service in the order of names wins, and what
// no route takes.
func (t *Table) unite() (problems []label.Problem) {
	kept := t.Backends[:0]
	for _, b := range t.Backends {
		if n := len(kept); n > 0 && kept[n-1].Name == b.Name {
			problems = append(problems, label.Problem{Service: b.Service, Reason: fmt.Sprintf("its backend %s is one of %s too", b.Name, kept[n-1].Service)})
			t.Routes = slices.DeleteFunc(t.Routes, func(r Route) bool { return r.Service == b.Service && r.Backend == b.Name })
			continue
		}
		kept = append(kept, b)
	}
	t.Backends = kept
	return append(problems, t.chooseDefault()...)
}

// chooseDefault takes the first of the backends that want to be the default: by aclName or service like equal routes, and
// within a service by index.
func (t *Table) chooseDefault() (problems []label.Problem) {
	var wanted []Backend
	for _, b := range t.Backends {
		if b.Default {
			wanted = append(wanted, b)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	prefix := func(b Backend) string { return b.Name[:strings.LastIndex(b.Name, "-be")] }
	slices.SortFunc(wanted, func(a, b Backend) int {
		return cmp.Or(cmp.Compare(prefix(a), prefix(b)), cmp.Compare(a.Service, b.Service), cmp.Compare(a.Index, b.Index))
	})
	first := wanted[0]
	t.Default, t.defaultLine = first.Name, line{"default_backend " + first.Name, first.Service + " " + first.Labels["default"]}
	for _, b := range wanted[1:] {
		if b.Service != first.Service {
			problems = append(problems, label.Problem{Service: b.Service, Label: b.Labels["default"], Value: "true", Reason: t.Default + " is the default backend and comes first"})
		}
	}
	return problems
}

func readService(s Service, opts Options) (routes []Route, backends []Backend, problems []label.Problem) {
	values, problems := opts.labels().Read(s.Name, s.Labels)
	if notify := values.At(0); !notify.Bool("notify") {
		if !slices.Contains(notify.Bad(), notify.Key("notify")) {
			problems = nil // a service that asks for nothing is told nothing
		}
		return nil, nil, problems
	}
	if name, elsewhere := opts.elsewhere(values.At(0)); elsewhere {
		return nil, nil, otherInstance(s, name, opts)
	}
	if s.Name == "" || len(s.Name) > maxName || strings.ContainsFunc(s.Name, func(r rune) bool { return !isWord(r) }) {
		return nil, nil, append(problems, label.Problem{Service: s.Name, Reason: "has a name that HAProxy cannot hold"})
	}
	indexes := values.Indexes()
	if len(indexes) == 0 {
		indexes = []int{0}
	} else if last := indexes[len(indexes)-1]; last != len(indexes) {
		problems = append(problems, label.Problem{Service: s.Name, Reason: fmt.Sprintf("the indexes of its labels have gaps: %v (all of them are routed)", indexes)})
	}
	for _, index := range indexes {
		r, b, found := readDestination(s, values.At(index), opts)
		problems = append(problems, found...)
		if b.Name != "" {
			routes, backends = append(routes, r...), append(backends, b)
		}
		if b.Secure != "" {
			backends = append(backends, secureBackend(b, values.At(index)))
		}
	}
	return routes, backends, problems
}

// readDestination gives a backend without a name when the destination cannot be routed.
func readDestination(s Service, g label.Group, opts Options) (routes []Route, b Backend, problems []label.Problem) {
	refuse := func(key, reason string) ([]Route, Backend, []label.Problem) {
		return nil, Backend{}, append(problems, label.Problem{Service: s.Name, Label: key, Value: s.Labels[key], Reason: reason})
	}
	suffix := ""
	if g.Index() > 0 {
		suffix = fmt.Sprintf(".%d", g.Index())
	}
	if len(g.Bad()) > 0 {
		return nil, Backend{}, nil // each bad label is already a problem
	}
	if !g.Has("port") {
		return refuse(label.Prefix+"port"+suffix, "is missing: the port that the tasks listen on")
	}
	if name, reason := checkClaim(g, opts); reason != "" {
		return refuse(cmp.Or(g.Key(name), label.Prefix+name+suffix), reason)
	}
	noted, refused := misplaced(s, g)
	if problems = append(problems, noted...); len(refused) > 0 {
		return nil, Backend{}, append(problems, refused...)
	}
	paths, hosts := g.List("servicePath"), g.List("serviceDomain")
	if modeOf(g) == "" && len(paths) == 0 && len(hosts) == 0 && !g.Bool("isDefaultBackend") {
		return refuse(label.Prefix+"servicePath"+suffix, "is missing, and there is no serviceDomain either: nothing leads to the service")
	}
	b = Backend{
		Name: fmt.Sprintf("%s-be%d_%d", cmp.Or(g.Text("aclName"), s.shown(g)), g.Int("port"), g.Index()), Service: s.Name, Stack: s.Stack,
		Mode: modeOf(g), Index: g.Index(), Port: g.Int("port"), Labels: map[string]string{"backend": strings.TrimSpace(g.Key("port") + " " + g.Key("aclName"))},
	}
	if g.Has("reqPathReplace") && g.Text("reqPathSearch") == "" {
		return refuse(g.Key("reqPathReplace"), "does nothing without reqPathSearch")
	}
	noted, open := b.treat(s, g, opts)
	if problems = append(problems, noted...); !open {
		return nil, Backend{}, problems
	}
	found, reached := b.target(s, g, opts)
	if problems = append(problems, found...); !reached {
		return nil, Backend{}, problems
	}
	if b.Mode != "" {
		return portRoutes(b, g), b, problems
	}
	if b.Default = g.Bool("isDefaultBackend"); b.Default {
		b.Labels["default"] = g.Key("isDefaultBackend")
	}
	if len(paths) > 0 || len(hosts) > 0 {
		routes = destinationRoutes(b, g, opts.domainAlgo(g), hosts, paths)
		for i := range routes {
			routes[i].ACLName = cmp.Or(g.Text("aclName"), s.short(g))
		}
	}
	return routes, b, problems
}

// treat reads what is done to requests on the way. open is false when the destination must not be routed without what
// some label asks for.
func (b *Backend) treat(s Service, g label.Group, opts Options) (problems []label.Problem, open bool) {
	if b.Raw, problems = readRaw(s, g, opts); b.Raw.missed {
		return problems, false
	}
	if b.Mode != "" {
		b.Raw = Raw{Backend: b.Raw.Backend} // templates are of http
		b.HTTP, b.TCP = readTCP(s, g)
		b.Labels["mode"], b.Labels["listen"] = g.Key("reqMode"), keysOf(g, "reqMode", "srcPort", "srcAddr", "serviceGroup")
		return problems, true
	}
	if port := g.Int("httpsPort"); port != 0 && port != b.Port {
		b.Secure = fmt.Sprintf("https-%s-be%d_%d", cmp.Or(g.Text("aclName"), s.shown(g)), port, g.Index())
	}
	if g.Bool("verifyClientSsl") && !opts.ClientCA {
		problems = append(problems, label.Problem{Service: s.Name, Label: g.Key("verifyClientSsl"), Value: g.Raw("verifyClientSsl"), Reason: "lets nobody in: the proxy has no CA_FILE to verify clients by"})
	}
	if rewrites, keys := readRewrites(g); len(rewrites) > 0 {
		b.Rewrites, b.Labels["rewrite"] = rewrites, keys
	}
	var noted, refused []label.Problem
	b.HTTP, noted, refused = readHTTP(s, g, opts)
	return append(append(problems, noted...), refused...), len(refused) == 0
}

// target finds the servers: hosts outside the swarm where there are some, else the service's tasks. reached is false when
// nothing can ever lead there.
func (b *Backend) target(s Service, g label.Group, opts Options) (problems []label.Problem, reached bool) {
	if away := g.List("outboundHostname"); len(away) > 0 {
		var lost []string
		if b.Servers, lost = outbound(s, away, b.Port); len(lost) > 0 {
			problems = append(problems, label.Problem{Service: s.Name, Label: g.Key("outboundHostname"), Value: strings.Join(lost, ","), Reason: "has no address: the name cannot be resolved"})
		}
		if len(b.Servers) == 0 {
			b.Note = "no host outside the swarm has an address"
		}
		return problems, true
	}
	network := cmp.Or(g.Text("network"), opts.Network)
	if !slices.Contains(s.Networks, network) {
		return []label.Problem{{Service: s.Name, Label: g.Key("network"), Value: network,
			Reason: fmt.Sprintf("is not attached to the network %q (it is on %s)", network, cmp.Or(strings.Join(s.Networks, ", "), "none"))}}, false
	}
	b.Servers, b.Note = servers(s, network, b.Port)
	return nil, true
}

// servers picks the address of each task on the network that the proxy shares with the service. The note says why
// there is none.
func servers(s Service, network string, port int) (list []Server, note string) {
	for _, t := range s.Tasks {
		if addr, ok := t.Addresses[network]; ok {
			list = append(list, Server{Name: t.Name, Addr: netip.AddrPortFrom(addr.Unmap(), uint16(port))})
		}
	}
	slices.SortFunc(list, func(a, b Server) int { return cmp.Or(bySlot(a.Name, b.Name), a.Addr.Compare(b.Addr)) })
	list = slices.CompactFunc(list, func(a, b Server) bool { return a.Name == b.Name })
	switch {
	case len(list) > 0:
		return list, ""
	case s.Replicas == 0:
		return nil, "no replicas"
	}
	return nil, fmt.Sprintf("no task is ready (%d wanted)", s.Replicas)
}

// bySlot puts web.2 before web.10.
func bySlot(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) }
