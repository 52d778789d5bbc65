package routing

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sluice/internal/label"
)

// Redirect says which requests are sent to another URL of the same service.
type Redirect struct {
	FromHosts []string // to ToHost, with 301
	ToHost    string
	Plain     bool // every request without TLS goes to https
	SaidHTTP  bool // those of which a trusted front proxy says that they came over http
	UnsaidTLS bool // those of which no trusted front proxy says that they came over https
	Code      int
	Port      string // of https, with the colon in front; "" when it is the usual one
}

var redirectLabels = []label.Spec{
	{Name: "redirectFromDomain", Kind: label.List, Indexed: true, Example: "old.example.com", Check: checkOldHosts,
		Doc: "Requests for these hosts are redirected (301) to the first serviceDomain, with their scheme, port, path and query, whatever the path is. A route of another service to such a host comes first."},
	{Name: "httpsOnly", Kind: label.Bool, Indexed: true, Example: "true",
		Doc: "Requests without TLS are redirected to https. Default: the proxy's HTTPS_ONLY setting."},
	{Name: "httpsRedirectCode", Kind: label.Enum, Indexed: true, Default: "302", Example: "308", Values: []string{"301", "302", "303", "307", "308"},
		Doc: "Status of the redirects to https."},
	{Name: "redirectWhenHttpProto", Kind: label.Bool, Default: "false", Example: "true",
		Doc: "Requests whose `X-Forwarded-Proto` is `http` are redirected to https. Only front proxies of TRUSTED_PROXIES are believed, and TLS that ends here counts as https."},
	{Name: "redirectUnlessHttpsProto", Kind: label.Bool, Default: "false", Example: "true",
		Doc: "Requests whose `X-Forwarded-Proto` is not `https` are redirected to https. Only front proxies of TRUSTED_PROXIES are believed, and TLS that ends here counts as https."},
}

func (r *httpReader) redirect() Redirect {
	plain := r.opts.HTTPSOnly
	if r.g.Has("httpsOnly") {
		plain = r.g.Bool("httpsOnly")
	} else if plain {
		r.origins["httpsOnly"] = "HTTPS_ONLY"
	}
	redirect := Redirect{Plain: plain, SaidHTTP: r.g.Bool("redirectWhenHttpProto"), UnsaidTLS: r.g.Bool("redirectUnlessHttpsProto")}
	if redirect.Plain || redirect.SaidHTTP || redirect.UnsaidTLS {
		redirect.Code, _ = strconv.Atoi(r.g.Text("httpsRedirectCode"))
		if p := r.opts.HTTPSPort; p != 0 && p != 443 {
			redirect.Port = fmt.Sprintf(":%d", p)
		}
	}
	for _, host := range r.g.List("redirectFromDomain") {
		redirect.FromHosts = append(redirect.FromHosts, plainHost(host))
	}
	if len(redirect.FromHosts) == 0 {
		return redirect
	}
	for _, host := range r.g.List("serviceDomain") {
		redirect.ToHost = plainHost(host)
		break
	}
	switch {
	case redirect.ToHost == "" || !isHost(redirect.ToHost): // an expression in a Location, a log-format, could read the environment
		r.refuse("redirectFromDomain", "has nowhere to lead to: the first serviceDomain must be a host, neither with * nor an expression")
	case slices.ContainsFunc(r.g.List("serviceDomain"), func(host string) bool { return slices.Contains(redirect.FromHosts, plainHost(host)) }):
		r.refuse("redirectFromDomain", "has a host that is a serviceDomain too")
	}
	return redirect
}

// httpsURL is the requested URL with https and its port (":8443"; "" for the usual one) in the place of a port that the
// client wrote, as a log-format string quoted for haproxy.cfg. Who wrote no port is on the usual ones.
func httpsURL(port string) string {
	return quote("https://%[req.hdr(host),regsub(" + argument(":[0-9]+$") + "," + argument(port) + ")]%[pathq]")
}

// newURL is the requested URL at another host.
func newURL(scheme, host string) string {
	return quote(scheme + "://" + host + "%[req.hdr(host),regsub(" + argument(`^(\[.*\]|[^:]*)`) + "," + argument("") + ")]%[pathq]")
}

// isHost tells a host from wildcards and from expressions.
func isHost(text string) bool {
	return !strings.HasPrefix(text, "*") && checkHosts([]string{text}) == nil
}

// plainHost is a host as `req.hdr(host),host_only,lower,rtrim(.)` gives it.
func plainHost(host string) string { return strings.TrimSuffix(strings.ToLower(host), ".") }

func checkOldHosts(value any) error {
	hosts := value.([]string)
	if len(hosts) == 0 {
		return fmt.Errorf("names no host")
	}
	for _, host := range hosts {
		if strings.HasPrefix(host, "*") {
			return fmt.Errorf("has a host with *: %q", host)
		}
	}
	return checkHosts(value)
}
