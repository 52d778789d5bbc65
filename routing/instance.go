package routing

import (
	"cmp"
	"fmt"
	"strings"

	"sluice/internal/label"
)

// nameLabels say what a service is called, and whose it is.
var nameLabels = []label.Spec{
	{Name: "aclName", Kind: label.Text, Example: "05-demo", Check: checkName, Doc: "Replaces the service's name in the names of its backends and in the order of equal routes."},
	{Name: "shortName", Kind: label.Bool, Default: "false", Example: "true",
		Doc: "Leaves out the stack's name (`web` for `shop_web`) in the names of backends, in the order of equal routes, in realm and cookie, and in the API's `config`. Statistics and problems keep the whole name."},
	{Name: "proxyInstanceName", Kind: label.Text, Example: "docker-flow", Doc: "With FILTER_PROXY_INSTANCE_NAME a proxy routes only the services whose value is its PROXY_INSTANCE_NAME."},
}

// short is the name without the stack's where shortName asks for it, and "" where not.
func (s Service) short(g label.Group) string {
	name, ok := strings.CutPrefix(s.Name, s.Stack+"_")
	if !ok || s.Stack == "" || name == "" || !g.Bool("shortName") {
		return ""
	}
	return name
}

// shown is what a service is called where people read it.
func (s Service) shown(g label.Group) string { return cmp.Or(s.short(g), s.Name) }

// ShownName is what a service is called where people read it: its name, or with shortName that without the stack.
func ShownName(s Service) string {
	values, _ := Labels.Read(s.Name, s.Labels)
	return s.shown(values.At(0))
}

// labels is the vocabulary as this proxy reads it.
func (o Options) labels() label.Table {
	t := Labels
	t.Separator = o.Separator
	return t
}

// domainAlgo is how the destination's hosts are matched.
func (o Options) domainAlgo(g label.Group) string {
	switch {
	case g.Has("serviceDomainAlgo"):
		return g.Text("serviceDomainAlgo")
	case g.Bool("serviceDomainMatchAll"):
		return "hdr_dom(host)"
	}
	return cmp.Or(o.DomainAlgo, "exact")
}

// elsewhere tells whether another proxy routes the service, and which.
func (o Options) elsewhere(g label.Group) (instance string, elsewhere bool) {
	name := g.Text("proxyInstanceName")
	return name, o.FilterInstance && name != o.Instance
}

// otherInstance speaks only to who gave the service to this very proxy; those of the swarm are for all proxies to see.
func otherInstance(s Service, name string, opts Options) []label.Problem {
	if !s.Declared {
		return nil
	}
	key := label.Prefix + "proxyInstanceName"
	return []label.Problem{{Service: s.Name, Label: key, Value: name,
		Reason: fmt.Sprintf("is not the name of this proxy, %q, and FILTER_PROXY_INSTANCE_NAME is set", opts.Instance)}}
}
