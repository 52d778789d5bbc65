package routing

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unicode"

	"sluice/internal/label"
)

// How labels name what HAProxy matches a host or a path by.
var (
	hostMatchers = map[string]string{"hdr_dom(host)": "dom", "hdr_end(host)": "end", "hdr_beg(host)": "beg", "hdr_reg(host)": "reg"}
	pathMatchers = map[string]string{"path": "str", "path_beg": "beg", "path_dir": "dir", "path_dom": "dom", "path_end": "end", "path_reg": "reg", "path_sub": "sub"}
)

// claimLabels narrow or order what leads to a service.
var claimLabels = []label.Spec{
	{Name: "pathType", Kind: label.Text, Indexed: true, Example: "path_reg", Check: checkPathType,
		Doc: "How servicePath is matched: `path` that path alone, `path_beg` whatever begins so (`/demo` takes `/demox`), `path_reg` a regular expression (PCRE), and HAProxy's `path_end`, `path_sub`, `path_dir`, `path_dom`. With reqMode=sni: `req_ssl_sni` with `-i` and `-m` `str`, `beg`, `end`, `sub`, `dom` or `reg`, as in `req_ssl_sni -i -m beg`; servicePath has the names then. Without it a path takes itself and everything below it."},
	{Name: "servicePathExclude", Kind: label.List, Indexed: true, Example: "/demo/private",
		Doc: "Paths that, with everything below them, are not the service's: the next best route takes such a request. With a pathType they are matched as servicePath is."},
	{Name: "serviceDomainAlgo", Kind: label.Enum, Example: "hdr_dom(host)", Values: []string{"exact", "hdr(host)", "hdr_dom(host)", "hdr_end(host)", "hdr_beg(host)", "hdr_reg(host)", "req.ssl_sni"},
		Doc: "How serviceDomain is matched; `*.x` stays a wildcard, and `req.ssl_sni`, which belongs to reqMode=sni, is exact too. Exact hosts and wildcards come before the others. Default: the proxy's SERVICE_DOMAIN_ALGO setting, which is `exact`."},
	{Name: "userAgent", Kind: label.List, Indexed: true, Example: "amiga,amstrad", Check: checkPatterns, Doc: "Only requests whose user agent contains one of these, in any case. Such a route comes before the same one without."},
	{Name: "serviceHeader", Kind: label.List, Indexed: true, Example: "X-Version:3,Name:Viktor", Check: checkHeaderConditions,
		Doc: "Only requests with all of these headers, `Name:value`, compared exactly. Such a route comes before the same one with fewer."},
	{Name: "srcPort", Kind: label.Port, Indexed: true, Example: "8085", Doc: "Only requests that came to this port of the proxy, which must be one of DEFAULT_PORTS or BIND_PORTS. With reqMode=tcp or sni the port that the proxy binds for the service; one that cannot be bound is reported and tried again."},
	{Name: "srcAddr", Kind: label.Text, Indexed: true, Example: "10.0.0.5", Check: checkAddress, Doc: "Only requests that came to this address of the proxy."},
	{Name: "srcHttpsPort", Kind: label.Port, Indexed: true, Example: "8443",
		Doc: "Requests that came to this port of the proxy reach the service too, at httpsPort where there is one. With srcPort beside it these are its two ports."},
	{Name: "isDefaultBackend", Kind: label.Bool, Indexed: true, Default: "false", Example: "true", Doc: "Takes every request that no route takes; of several destinations with it the first one."},
	{Name: "priority", Kind: label.Int, Indexed: true, Default: "0", Example: "10", Doc: "Routes of a higher priority come before all others."},
}

func checkHeaderConditions(value any) error {
	for _, h := range value.([]string) {
		name, content, found := strings.Cut(h, ":")
		if !found || strings.TrimSpace(name) == "" || strings.ContainsFunc(strings.TrimSpace(name), func(r rune) bool { return !isWord(r) }) {
			return fmt.Errorf("is not Name:value[,Name:value…]")
		}
		if err := checkPattern(strings.TrimSpace(content)); err != nil {
			return err
		}
	}
	return nil
}

func checkAddress(value any) error {
	if addr, err := netip.ParseAddr(value.(string)); err != nil || addr.Zone() != "" {
		return fmt.Errorf("is not an IP address")
	}
	return nil
}

// maxName bounds a name in bytes. HAProxy finds no backend among names that differ behind the 4096th byte only, and then
// takes nothing of the configuration.
const maxName = 128

func checkName(value any) error {
	if n := len(value.(string)); n > maxName {
		return fmt.Errorf("has %d bytes, more than %d", n, maxName)
	}
	if name := value.(string); name == "" || strings.ContainsFunc(name, func(r rune) bool { return !isWord(r) }) {
		return fmt.Errorf("has a character other than letters, digits, '-', '_' and '.'")
	}
	return nil
}

// checkClaim judges labels that only make sense together; it answers the name of the label and the reason.
func checkClaim(g label.Group, opts Options) (name, reason string) {
	if modeOf(g) != "" {
		return checkPortClaim(g, opts)
	}
	kind := g.Text("pathType")
	if sniPath(kind) != nil {
		return "pathType", "needs reqMode=sni"
	}
	for _, name := range []string{"servicePath", "servicePathExclude"} {
		if err := checkPathsOf(kind, g.List(name)); err != nil {
			return name, err.Error()
		}
	}
	if err := checkHostsOf(opts.domainAlgo(g), g.List("serviceDomain")); err != nil {
		return "serviceDomain", err.Error()
	}
	for _, name := range []string{"srcPort", "srcHttpsPort"} {
		if port := g.Int(name); port != 0 && opts.EntryPorts != nil && !slices.Contains(opts.EntryPorts, port) {
			return name, "is not one of the proxy's ports (DEFAULT_PORTS, BIND_PORTS)"
		}
	}
	return checkConditions(g, opts)
}

// checkPathsOf judges what a pathType matches paths by.
func checkPathsOf(kind string, paths []string) error {
	switch kind {
	case "", "path", "path_beg", "path_dir":
		return checkPaths(paths)
	}
	for _, path := range paths {
		if path == "" || len(path) > maxPath || strings.ContainsFunc(path, func(r rune) bool { return r > unicode.MaxASCII }) {
			return fmt.Errorf("has something that no path can match: %q", path)
		}
		if err := checkPattern(path); err != nil {
			return err
		}
	}
	return nil
}

// checkHostsOf judges what a serviceDomainAlgo matches hosts by: a part of a host may begin or end with a dot.
func checkHostsOf(algo string, hosts []string) error {
	if algo == "hdr_reg(host)" {
		return checkPatterns(hosts)
	}
	if algo == "hdr_end(host)" || algo == "hdr_dom(host)" {
		hosts = slices.Clone(hosts)
		for i := range hosts {
			hosts[i] = strings.TrimPrefix(hosts[i], ".")
		}
	}
	return checkHosts(hosts)
}
