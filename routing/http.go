package routing

import (
	"maps"
	"net/netip"
	"slices"
	"text/template"

	"sluice/internal/label"
)

// httpLabels say what is done to a service's requests and answers on the way.
var httpLabels = slices.Concat(accessLabels, redirectLabels, userLabels, headerLabels, balanceLabels, serverLabels)

// HTTP is what is done to the requests and answers of a backend, in the order in which a request meets it. The zero
// value does nothing.
type HTTP struct {
	Redirect Redirect
	Access   Access
	Auth     Auth
	Headers  Headers
	Balance  Balance
	Servers  ServerOptions
	// RedirectHosts are hosts that lead here only to be sent on to the service's first domain.
	RedirectHosts []string
	// Origins say which label asked for what: the label's name -> the key as the user wrote it, or the setting.
	Origins map[string]string
}

// readHTTP refuses when the destination must not be routed without what a label asks for; what is noted leaves it routed.
func readHTTP(s Service, g label.Group, opts Options) (h HTTP, noted, refused []label.Problem) {
	r := httpReader{service: s, g: g, opts: opts, origins: map[string]string{}}
	for _, spec := range httpLabels {
		if g.Has(spec.Name) {
			r.origins[spec.Name] = g.Key(spec.Name)
		}
	}
	h = HTTP{
		Redirect: r.redirect(),
		Access:   r.access(),
		Auth:     r.auth(),
		Headers:  r.headers(),
		Balance:  r.balance(),
		Servers:  r.servers(),
	}
	h.RedirectHosts = h.Redirect.FromHosts
	if len(r.origins) > 0 {
		h.Origins = maps.Clone(r.origins)
	}
	return h, r.noted, r.problems
}

// httpReader reads the labels of one destination.
type httpReader struct {
	service  Service
	g        label.Group
	opts     Options
	origins  map[string]string
	problems []label.Problem
	noted    []label.Problem
}

// refuse reports a label that has a meaning of its own but none together with the others or the settings.
func (r *httpReader) refuse(name, reason string) {
	r.problems = append(r.problems, label.Problem{Service: r.service.Name, Label: r.g.Key(name), Value: r.g.Raw(name), Reason: reason})
}

// prefixes reads a list that checkPrefixes has accepted.
func (r *httpReader) prefixes(name string) (prefixes []netip.Prefix) {
	for _, item := range r.g.List(name) {
		prefix, _ := ParsePrefix(item)
		prefixes = append(prefixes, prefix)
	}
	return prefixes
}

// httpFunctions are what http.cfg.tmpl calls beside the functions of haproxy.cfg.tmpl.
var httpFunctions = template.FuncMap{"quote": quote, "from": httpOrigin, "httpsURL": httpsURL, "newURL": newURL}

// httpOrigin ends a line of haproxy.cfg: it names the service and the labels that asked for the line.
func httpOrigin(b Backend, names ...string) string {
	comment := "# " + b.Service
	for _, name := range names {
		if origin := b.HTTP.Origins[name]; origin != "" {
			comment += " " + origin
		}
	}
	return comment
}
