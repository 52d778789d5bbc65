package routing

import (
	"fmt"
	"net/netip"
	"strings"

	"sluice/internal/label"
)

// Labels is the vocabulary of routing: what the parser reads, what the documentation and `proxy explain` print.
var Labels = label.Table{
	Prefix:  label.Prefix,
	Foreign: isForeign,
	Specs:   allLabels(),
}

// routeLabels say what leads to a service.
var routeLabels = []label.Spec{
	{Name: "notify", Kind: label.Bool, Default: "false", Example: "true",
		Doc: "Only services with `true` are routed; taking it away takes the route away."},
	{Name: "servicePath", Kind: label.List, Indexed: true, Example: "/demo,/api/demo",
		Doc: "Paths that lead to the service. A path takes itself and everything below it: `/demo` takes `/demo` and `/demo/x`, not `/demox`; a slash at its end changes nothing. With a domain and without a path: `/`."},
	{Name: "serviceDomain", Kind: label.List, Indexed: true, Example: "demo.example.com,*.demo.example.com",
		Doc: "Hosts that lead to the service, compared without case, port and trailing dot. `*.x` takes every name below `x`, not `x` itself."},
}

// targetLabels say where a service takes its requests.
var targetLabels = []label.Spec{
	{Name: "port", Kind: label.Port, Indexed: true, Example: "8080",
		Doc: "Port that the tasks listen on."},
	{Name: "httpsPort", Kind: label.Port, Indexed: true, Example: "8443",
		Doc: "Port that the tasks listen on for requests that came to the proxy over TLS. The proxy speaks to both ports in the same way."},
	{Name: "network", Kind: label.Text, Example: "backend",
		Doc: "Overlay network on which the proxy reaches the tasks. Default: the proxy's NETWORK setting."},
	{Name: "outboundHostname", Kind: label.List, Indexed: true, Example: "db.example.com", Check: checkOutbound,
		Doc: "Host outside the swarm, a name or an address, that takes the requests instead of tasks; also several. A name is resolved again now and then; each of its addresses is a server."},
}

// rewriteLabels change the path on the way.
var rewriteLabels = []label.Spec{
	{Name: "reqPathSearchReplace", Kind: label.Text, Indexed: true, Example: "^/demo/,/", Check: checkRewrites,
		Doc: "`search,replace[:search,replace…]`: rewrites the path before the task sees it. Each search is a regular expression (PCRE) whose first match is replaced; `\\1` to `\\9` are its groups. `\\,` and `\\:` stand for themselves. A path that would not begin with `/` gets one."},
}

// maxPath bounds a path in bytes: HAProxy reads maps in lines of 16 kB, takes commands as long and requests shorter.
const maxPath = 2048

// checkPaths refuses what could never be the beginning of a request's path. RFC 3986 section 3.3 lists the characters.
func checkPaths(value any) error {
	for _, path := range value.([]string) {
		if len(path) > maxPath {
			return fmt.Errorf("has a path of %d bytes, more than %d", len(path), maxPath)
		}
		if !strings.HasPrefix(path, "/") {
			return fmt.Errorf("has a path that does not begin with /: %q", path)
		}
		for _, r := range path {
			if !isWord(r) && !strings.ContainsRune("/~!$&'()*+;=:@%", r) {
				return fmt.Errorf("has a character that no path can hold: %q", r)
			}
		}
	}
	return nil
}

// checkHosts accepts names of letters, digits, '-' and '_' between dots, with '*' as the whole first label, and
// addresses (IPv6 in brackets). RFC 1035 section 2.3.4 has the lengths.
func checkHosts(value any) error {
	for _, host := range value.([]string) {
		name := strings.TrimSuffix(strings.TrimPrefix(host, "*."), ".")
		if inner, ok := strings.CutPrefix(host, "["); ok {
			if addr, err := netip.ParseAddr(strings.TrimSuffix(inner, "]")); err == nil && addr.Is6() && addr.Zone() == "" && strings.HasSuffix(inner, "]") {
				continue
			}
		}
		if len(name) > 253 {
			return fmt.Errorf("has a host of %d bytes, more than 253", len(name))
		}
		for part := range strings.SplitSeq(name, ".") {
			if part == "" || len(part) > 63 || strings.ContainsFunc(part, func(r rune) bool { return !isWord(r) }) {
				return fmt.Errorf("has a host that is no name: %q", host)
			}
		}
	}
	return nil
}

// isWord tells characters that need no quoting in haproxy.cfg, in maps and on HAProxy's command line.
func isWord(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.'
}
