package routing

import (
	"strings"

	"sluice/internal/label"
)

// obsoleteLabels are those of Docker Flow Proxy and its listener that have a successor or no meaning any more.
var obsoleteLabels = []label.Spec{
	{Name: "reqPathSearch", Kind: label.Text, Indexed: true, Example: "^/old/", Doc: "Works together with reqPathReplace; reqPathSearchReplace says both."},
	{Name: "reqPathReplace", Kind: label.Text, Indexed: true, Example: "/new/", Check: checkReplacement, Doc: "What takes the place of reqPathSearch's first match. Before reqPathSearchReplace, where there is one."},
	{Name: "serviceDomainMatchAll", Kind: label.Bool, Default: "false", Example: "true", Doc: "Works as `serviceDomainAlgo=hdr_dom(host)`, unless there is a serviceDomainAlgo."},
	ignored("checkResolvers", "true", "tasks come from the swarm, and names outside it are resolved again now and then"),
	ignored("discoveryType", "DNS", "tasks come from the swarm and are servers each"),
	ignored("distribute", "true", "every proxy reads the swarm itself"),
	ignored("replicas", "2", "tasks come from the swarm"),
	ignored("nodeInfo", "true", "it was for the listener's notifications"),
	ignored("scrapeNetwork", "monitoring", "it was for the listener's notifications; network says where tasks are reached"),
}

func ignored(name, example, instead string) label.Spec {
	return label.Spec{Name: name, Kind: label.Text, Indexed: true, Example: example, Obsolete: "does nothing: " + instead, Doc: "Does nothing: " + instead + "."}
}

// connectionModes are HAProxy's options; 2.0 and 2.1 dropped two of Docker Flow Proxy's for what they stand for here.
var (
	connectionModes = map[string]string{"http-keep-alive": "http-keep-alive", "http-server-close": "http-server-close", "httpclose": "httpclose",
		"forceclose": "httpclose", "http-tunnel": "http-keep-alive"}
	obsoleteModes = map[string]string{"forceclose": "is httpclose now", "http-tunnel": "is http-keep-alive now"}
)

// ParseConnectionMode reads a name of Docker Flow Proxy. The note says what an obsolete one stands for.
func ParseConnectionMode(text string) (mode, note string, ok bool) {
	mode, ok = connectionModes[text]
	return mode, obsoleteModes[text], ok
}

// Notes says which labels are obsolete. They harm nothing.
func Notes(services []Service, opts Options) (notes []label.Problem) {
	for _, s := range services {
		found := Labels.Notes(s.Name, s.Labels)
		if len(found) == 0 {
			continue
		}
		values, _ := opts.labels().Read(s.Name, s.Labels)
		if _, elsewhere := opts.elsewhere(values.At(0)); !elsewhere && values.At(0).Bool("notify") {
			notes = append(notes, found...)
		}
	}
	return notes
}

// isForeign knows the labels below com.df. that others read: the scaler, and Docker Flow Monitor, which shares the
// stacks of Docker Flow Proxy.
func isForeign(name string) bool {
	base, _, _ := strings.Cut(name, ".")
	switch base {
	case "scrapePort", "scrapeType", "scrapeInterval", "scrapeTimeout", "metricsPath":
		return true
	}
	return strings.HasPrefix(name, "scale") || strings.HasPrefix(name, "alert")
}
