package routing

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"sluice/internal/label"
)

// secureBackend is the backend of a destination's requests over TLS: the same tasks at another port (httpsPort).
func secureBackend(b Backend, g label.Group) Backend {
	secure := b
	secure.Name, secure.Port, secure.Secure, secure.Default = b.Secure, g.Int("httpsPort"), "", false
	secure.Labels = map[string]string{"backend": strings.TrimSpace(g.Key("httpsPort") + " " + g.Key("aclName")), "rewrite": b.Labels["rewrite"]}
	secure.Servers = slices.Clone(b.Servers)
	for i, s := range secure.Servers {
		secure.Servers[i].Addr = netip.AddrPortFrom(s.Addr.Addr(), uint16(secure.Port))
	}
	return secure
}

// exchanges are the lines behind the lookup that lead requests over TLS to backends of their own. Which route wins is
// decided by then.
func exchanges(t Table) (lines []line) {
	exchange := func(b Backend, when string) {
		i := slices.IndexFunc(t.Backends, func(other Backend) bool { return other.Name == b.Secure && other.Service == b.Service })
		if b.Secure != "" && i >= 0 { // it may be in quarantine, or its name another service's
			lines = append(lines, line{fmt.Sprintf("http-request set-var(txn.be) str(%s) if { var(txn.tls) -m bool } %s", b.Secure, when), b.Service + " " + t.Backends[i].Labels["backend"]})
		}
	}
	for _, b := range t.Backends {
		exchange(b, "{ var(txn.be) -m str -- "+b.Name+" }")
		if b.Name == t.Default {
			exchange(b, unfound)
		}
	}
	return lines
}
