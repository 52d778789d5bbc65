package routing

import (
	"slices"

	"sluice/internal/label"
)

// LabelGroup are labels that belong together for whoever reads about them.
type LabelGroup struct {
	Title, Doc string
	Specs      []label.Spec
}

// labelGroups come in the order in which a newcomer needs them.
var labelGroups = []LabelGroup{
	{"What leads to a service", "Three are enough: notify, port, and servicePath or serviceDomain. Which of several routes takes a request: see [below](#which-route-wins).", slices.Concat(routeLabels, claimLabels)},
	{"Where its requests go", "", targetLabels},
	{"Who may pass", "Whoever may not gets the status that is named here; tasks do not see the request.", slices.Concat(accessLabels, userLabels)},
	{"Ports and TLS names of their own", "", tcpLabels},
	{"Certificates", "", certificateLabels},
	{"Redirects", "", redirectLabels},
	{"Paths and headers", "", slices.Concat(rewriteLabels, headerLabels)},
	{"How requests are spread, and how long they may take", "", slices.Concat(balanceLabels, serverLabels)},
	{"Names and several proxies", "", nameLabels},
	{"Raw configuration", rawDoc, rawLabels},
	{"Obsolete", "Labels of Docker Flow Proxy and its listener that are accepted so that its stack files work. Those that do nothing are noted once in the log, by `proxy check` and by `proxy explain`; a note is no problem.", obsoleteLabels},
}

// LabelGroups gives all labels, group by group.
func LabelGroups() []LabelGroup { return slices.Clone(labelGroups) }

func allLabels() (all []label.Spec) {
	for _, group := range labelGroups {
		all = append(all, group.Specs...)
	}
	return all
}
