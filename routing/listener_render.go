package routing

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// An entry that ends TLS has a second address, a socket beside Handover (Inner), which is there whether or not a listener of
// sni uses it: connections that an old worker still looks at while the last name goes must find it in its successor.
// While names are routed on the port, the listener has the port and the entry only the socket.

// inner is the socket of an entry's port.
func (s Settings) inner(port int) string { return fmt.Sprintf("%s-%d", s.Handover, port) }

// SocketRights let the workers, and nobody else, connect to a socket with a path; an abstract one has no rights.
func (s Settings) SocketRights() string {
	switch {
	case !strings.HasPrefix(s.Handover, "unix@"):
		return ""
	case s.User == "":
		return " mode 600"
	}
	return fmt.Sprintf(" mode 600 user %s group %s", s.User, s.Group)
}

// beside is the backend of the connections that a listener leaves to the http entry of its port.
func beside(port int) string { return fmt.Sprintf("https_%d", port) }

// entriesBeside are the http entries as they are bound beside the listeners.
func entriesBeside(listeners []Listener, s Settings) (entries []HTTPEntry) {
	inner := map[int]bool{}
	for _, e := range s.Entries {
		taken := slices.ContainsFunc(listeners, func(l Listener) bool { return l.HTTPS && l.Port == e.Port })
		if !e.TLS || !taken {
			entries = append(entries, e)
		}
		if e.TLS && !inner[e.Port] {
			inner[e.Port] = true
			entries = append(entries, HTTPEntry{Address: s.inner(e.Port) + " accept-proxy" + s.SocketRights(), Port: e.Port, TLS: true})
		}
	}
	return entries
}

// listenerText is a listener as the template writes it.
type listenerText struct {
	Listener
	Addresses     []string
	Wait          time.Duration // for a ClientHello
	Lookup        []line
	Beside, Inner string
	Log           RequestLog
}

// Asked ends a line: who asked for it, by which labels.
func (l Listener) Asked(name string) string { return "# " + l.origins[name] }

// renderListeners writes the frontends of the listeners and fills their maps. entries are as the operator set them.
func renderListeners(text *strings.Builder, listeners []Listener, s Settings, all map[string][]Entry) error {
	for _, l := range listeners {
		t := listenerText{Listener: l, Wait: s.Timeouts.HTTPRequest, Beside: beside(l.Port), Inner: s.inner(l.Port), Log: s.Log}
		for _, addr := range l.Addrs {
			t.Addresses = append(t.Addresses, bindAddress(addr, l.Port))
		}
		if len(l.Addrs) == 0 {
			t.Addresses = []string{bindAddress(netip.Addr{}, l.Port)}
		}
		if l.HTTPS {
			t.Addresses = nil
			for _, e := range s.Entries {
				if e.TLS && e.Port == l.Port {
					t.Addresses = append(t.Addresses, e.Address)
				}
			}
		}
		if l.Mode == modeSNI {
			t.Lookup = sniLookup(l, all)
		}
		if err := templates.ExecuteTemplate(text, "listener", t); err != nil {
			return fmt.Errorf("render listener %s: %w", l.Name(), err)
		}
		if !l.HTTPS {
			continue
		}
		if err := templates.ExecuteTemplate(text, "beside", t); err != nil {
			return fmt.Errorf("render listener %s: %w", l.Name(), err)
		}
	}
	return nil
}

// memberOrigin ends a server's line in the backend of a group.
func memberOrigin(b Backend, s Server) string {
	for _, m := range b.TCP.Members {
		if s.Of(m.Service) && m.serverKeys != "" {
			return " # " + m.Service + " " + m.serverKeys
		}
	}
	return ""
}

// Of tells by the server's name whose task it is.
func (s Server) Of(service string) bool {
	slot, ours := strings.CutPrefix(s.Name, service+".")
	return ours && !strings.Contains(slot, ".")
}

// withoutRoutes leaves out the routes to backends that are gone, and listeners that have no other.
func withoutRoutes(listeners []Listener, gone map[string]bool) (kept []Listener) {
	for _, l := range listeners {
		var routes []Route
		for _, r := range l.Routes {
			if !gone[r.Backend] {
				routes = append(routes, r)
			}
		}
		if l.Routes = routes; len(routes) > 0 {
			kept = append(kept, l)
		}
	}
	return kept
}

// ownBackend tells the backends that are the proxy's own: their servers are sockets.
func ownBackend(name string) bool {
	port, own := strings.CutPrefix(name, "https_")
	return name == handoverBackend || own && strings.Trim(port, "0123456789") == ""
}

// ParseFrontends reads the answer to `show stat -1 1 -1`: a name in front of each line but the header.
func ParseFrontends(answer []byte) map[string]bool {
	frontends := map[string]bool{}
	for line := range strings.Lines(string(answer)) {
		name, _, isRow := strings.Cut(line, ",")
		if isRow && !strings.HasPrefix(name, "#") {
			frontends[name] = true
		}
	}
	return frontends
}

// ListenerBinds finds the addresses that the listeners of a written configuration ask for. Those of http entries are the
// operator's.
func ListenerBinds(config string) (binds []netip.AddrPort) {
	for _, text := range sectionsOf(config) {
		binds = append(binds, bindsOf(text)...)
	}
	return binds
}

// WithoutListeners is a written configuration without the listeners that ask for an address that is taken. It says of itself
// that its shape is no table's, so that it does not stand for the one that it was.
func WithoutListeners(config string, taken func(netip.AddrPort) bool) string {
	var kept strings.Builder
	for _, text := range sectionsOf(config) {
		if !slices.ContainsFunc(bindsOf(text), taken) {
			kept.WriteString(text)
		}
	}
	head, rest, _ := strings.Cut(kept.String(), shapeVariable)
	_, rest, _ = strings.Cut(rest, ")")
	return head + shapeVariable + "incomplete)" + rest
}

// shapeVariable is what stands before the shape in haproxy.cfg.
const shapeVariable = "set-var proc.sluice_shape str("

// sectionsOf cuts a configuration before each line that is not indented.
func sectionsOf(config string) (all []string) {
	start, at := 0, 0
	for text := range strings.Lines(config) {
		if text[0] != ' ' && text[0] != '\n' && at > start {
			all, start = append(all, config[start:at]), at
		}
		at += len(text)
	}
	return append(all, config[start:])
}

// bindsOf answers what a section binds that is a listener's.
func bindsOf(section string) (binds []netip.AddrPort) {
	if !strings.HasPrefix(section, "frontend tcp_") && !strings.HasPrefix(section, "frontend sni_") {
		return nil
	}
	for text := range strings.Lines(section) {
		words := strings.Fields(text)
		if len(words) < 2 || words[0] != "bind" {
			continue
		}
		if addr, err := netip.ParseAddrPort(strings.Replace(words[1], "*:", "0.0.0.0:", 1)); err == nil {
			binds = append(binds, addr)
		}
	}
	return binds
}
