package routing

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"sluice/internal/label"
)

// Modes of a destination beside http, which is "".
const (
	modeTCP = "tcp" // a port of the proxy leads to it, whatever comes
	modeSNI = "sni" // TLS that is not ended here, by the name that the client asks for
)

// TCP is what destinations without http have beside what HTTP says of every destination.
type TCP struct {
	Group     string        // services with one group and port share a backend; "" is none
	Balance   string        // of the group
	KeepAlive bool          // TCP keep-alive towards clients
	Client    time.Duration // how long a client may be silent; 0 is the proxy's
	Members   []Member      // of a group's backend, in order; nil for other backends
}

// Member is a service of a group.
type Member struct {
	Service, Stack string
	labels         string // that made it one
	options        ServerOptions
	serverKeys     string // that gave its servers options
}

var tcpLabels = []label.Spec{
	{Name: "reqMode", Kind: label.Enum, Indexed: true, Default: "http", Example: "tcp", Values: []string{"http", "tcp", "sni"},
		Doc: "`tcp`: every connection to srcPort goes to the tasks as it is. `sni`: TLS connections to srcPort go to the tasks undecrypted, by the name that the client asks for (serviceDomain); on a port that ends TLS (`443:ssl`) all other names are decrypted as usual, elsewhere they are refused. Both need srcPort, which the proxy then binds. Labels about requests have no meaning there: where one of them keeps somebody out (users, allowedMethods, denyHttp …) the destination is not routed."},
	{Name: "serviceGroup", Kind: label.Text, Indexed: true, Example: "redis", Check: checkName,
		Doc: "With reqMode=tcp: services with one group and srcPort share the port, over the tasks of all of them. The first service, by priority, aclName and name, decides everything but weight, maxConn, sslVerifyNone and checks, which are each task's own. The figures of the group's backend are nobody's; each service is scaled by those of its own servers, which need the proxy's STATS_SERVERS."},
	{Name: "balanceGroup", Kind: label.Text, Indexed: true, Example: "leastconn", Check: checkTCPAlgorithm,
		Doc: "How connections are spread over the tasks of a serviceGroup: `roundrobin` (the default), `leastconn`, `random`, `first` or `source`."},
	{Name: "clitcpka", Kind: label.Bool, Indexed: true, Default: "false", Example: "true",
		Doc: "With reqMode=tcp: TCP keep-alive towards clients."},
	{Name: "timeoutClient", Kind: label.Text, Indexed: true, Example: "300", Check: checkTimeout,
		Doc: "With reqMode=tcp: seconds, or a duration such as `5m`, that a client may be silent. A connection over which nothing flows ends after timeoutTunnel, without that label after the shorter of timeoutClient and timeoutServer, without any after TIMEOUT_TUNNEL."},
}

// anyMode are the labels of httpLabels that mean something without http too.
var anyMode = []string{"allowFrom", "denyFrom", "loadBalance", "timeoutServer", "timeoutTunnel", "retries", "checkTcp", "checkInterval", "sslVerifyNone", "maxConn", "weight"}

// httpOnly are the labels outside httpLabels that need http, and namesOnly those that need a name to look at.
var (
	httpOnly = []string{"servicePathExclude", "userAgent", "serviceHeader", "isDefaultBackend", "reqPathSearchReplace", "reqPathSearch", "reqPathReplace",
		"httpsPort", "srcHttpsPort", "templateBePath", "templateFePath", "serviceDomainMatchAll"}
	namesOnly = []string{"servicePath", "pathType", "serviceDomain", "serviceDomainAlgo"}
)

// protecting are labels that keep requests out: without http they cannot, and a destination must not be open where they
// were meant to close it.
var protecting = []string{"servicePathExclude", "userAgent", "serviceHeader", "users", "usersSecret", "allowedMethods", "deniedMethods", "denyHttp", "httpsOnly",
	"redirectWhenHttpProto", "redirectUnlessHttpsProto", "verifyClientSsl", "rateLimit"}

// misplaced reports the labels that mean nothing in the mode of the destination. One that is a default for several
// destinations just does not apply. refused are those without which the destination must not be routed.
func misplaced(s Service, g label.Group) (noted, refused []label.Problem) {
	suffix, specs, mode := fmt.Sprintf(".%d", g.Index()), Labels.Specs, modeOf(g)
	if mode == "" {
		specs = tcpLabels // most destinations are of http, and this is done for all of them
	}
	for _, spec := range specs {
		key := g.Key(spec.Name) // "" where the label is absent
		own := g.Index() == 0 || strings.HasSuffix(key, suffix)
		if key == "" || !own || spec.Kind == label.Bool && !g.Bool(spec.Name) {
			continue
		}
		reason := modeReason(spec.Name, g)
		if reason == "" {
			continue
		}
		p := label.Problem{Service: s.Name, Label: key, Value: g.Raw(spec.Name), Reason: reason}
		if mode != "" && slices.Contains(protecting, spec.Name) {
			p.Reason += ": without it the destination is not routed"
			refused = append(refused, p)
		} else {
			noted = append(noted, p)
		}
	}
	return noted, refused
}

// modeReason says why a label means nothing in the destination's mode; "" when it does.
func modeReason(name string, g label.Group) string {
	named := func(specs []label.Spec) bool {
		return slices.ContainsFunc(specs, func(s label.Spec) bool { return s.Name == name })
	}
	without := "has no meaning with reqMode=" + modeOf(g)
	switch mode := modeOf(g); {
	case named(tcpLabels) && name != "reqMode":
		if mode != modeTCP {
			return "needs reqMode=tcp"
		}
		if name == "balanceGroup" && !g.Has("serviceGroup") {
			return "does nothing without serviceGroup"
		}
	case mode == "":
	case name == "checkInterval" && !g.Bool("checkTcp"):
		return "does nothing without checkTcp"
	case name == "loadBalance" && g.Has("serviceGroup"):
		return "is balanceGroup's part in a group"
	case name == "loadBalance" && checkTCPAlgorithm(g.Text(name)) != nil:
		return without
	case name == "sslVerifyNone" && mode == modeSNI:
		return without + ": the tasks get the client's own TLS"
	case mode == modeSNI && name == "servicePath" && sniPath(g.Text("pathType")) == nil:
		return without + " but for a pathType such as req_ssl_sni"
	case mode == modeSNI && name == "pathType" && sniPath(g.Text(name)) == nil:
		return without
	case named(httpLabels) && !slices.Contains(anyMode, name), slices.Contains(httpOnly, name), mode == modeTCP && slices.Contains(namesOnly, name):
		return without
	}
	return ""
}

// modeOf is the mode of a destination: "" is http.
func modeOf(g label.Group) string {
	if mode := g.Text("reqMode"); mode != "http" {
		return mode
	}
	return ""
}

// readTCP reads the labels of a destination without http.
func readTCP(s Service, g label.Group) (h HTTP, t TCP) {
	r := httpReader{service: s, g: g, origins: map[string]string{}}
	for _, name := range append([]string{"reqMode", "serviceGroup", "balanceGroup", "clitcpka", "timeoutClient"}, anyMode...) {
		if g.Has(name) && modeReason(name, g) == "" {
			r.origins[name] = g.Key(name)
		}
	}
	used := func(name string) bool { return r.origins[name] != "" }
	h.Access.AllowFrom, h.Access.DenyFrom = r.prefixes("allowFrom"), r.prefixes("denyFrom")
	if used("loadBalance") {
		h.Balance.Algorithm = g.Text("loadBalance")
		h.Balance.Consistent = hashing(h.Balance.Algorithm)
	}
	if used("retries") {
		h.Balance.Retries = fmt.Sprint(g.Int("retries"))
	}
	h.Balance.Timeouts.Server, h.Balance.Timeouts.Tunnel = r.duration("timeoutServer"), r.duration("timeoutTunnel")
	h.Servers = ServerOptions{Weight: g.Int("weight"), MaxConn: g.Int("maxConn"), TLS: g.Bool("sslVerifyNone") && used("sslVerifyNone")}
	if g.Bool("checkTcp") {
		h.Servers.Check.Interval = cmp.Or(r.duration("checkInterval"), defaultCheckInterval)
	}
	if modeOf(g) == modeTCP {
		t = TCP{Group: g.Text("serviceGroup"), KeepAlive: g.Bool("clitcpka"), Client: r.duration("timeoutClient")}
	}
	if used("balanceGroup") {
		t.Balance = g.Text("balanceGroup")
		h.Balance.Consistent = hashing(t.Balance)
	}
	// HAProxy's timeout of tunnels counts for every connection without http: the proxy's would outlast the service's own.
	if h.Balance.Timeouts.Tunnel == 0 {
		silent := []time.Duration{cmp.Or(h.Balance.Timeouts.Server, t.Client), cmp.Or(t.Client, h.Balance.Timeouts.Server)}
		if h.Balance.Timeouts.Tunnel = slices.Min(silent); h.Balance.Timeouts.Tunnel > 0 {
			r.origins["timeoutTunnel"] = strings.TrimSpace(r.origins["timeoutServer"] + " " + r.origins["timeoutClient"])
		}
	}
	h.Origins = maps.Clone(r.origins)
	return h, t
}

var tcpAlgorithms = append(slices.Clone(plainAlgorithms), "source")

func checkTCPAlgorithm(value any) error {
	if algorithm := value.(string); !slices.Contains(tcpAlgorithms, algorithm) {
		return fmt.Errorf("is not one of %s%s", strings.Join(tcpAlgorithms, ", "), label.DidYouMean(algorithm, tcpAlgorithms))
	}
	return nil
}

// sniPathForm is a pathType that Docker Flow Proxy hands to HAProxy as it is: servicePath has names then.
var sniPathForm = regexp.MustCompile(`^req[._]ssl_sni((?: +-i| +-m +(?:str|beg|end|sub|dom|reg))*)$`)

// sniPath answers the words behind req_ssl_sni; nil for other pathTypes.
func sniPath(pathType string) []string {
	if match := sniPathForm.FindStringSubmatch(pathType); match != nil {
		return append([]string{"req_ssl_sni"}, strings.Fields(match[1])...)
	}
	return nil
}

func checkPathType(value any) error {
	kind := value.(string)
	if pathMatchers[kind] != "" || sniPath(kind) != nil {
		return nil
	}
	known := append(slices.Sorted(maps.Keys(pathMatchers)), "req_ssl_sni")
	return fmt.Errorf("is not one of %s%s", strings.Join(known, ", "), label.DidYouMean(kind, known))
}
