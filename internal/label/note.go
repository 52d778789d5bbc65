package label

import (
	"maps"
	"slices"
	"strings"
)

// Notes says which of a service's labels are obsolete, in the byte order of the labels. Such labels harm nothing: what is
// said of them is no reason to refuse a service or a stack file.
func (t Table) Notes(service string, labels map[string]string) (notes []Problem) {
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		name, _, known := t.resolve(key, labels)
		if !known {
			continue
		}
		spec, _ := t.Lookup(name)
		reason := spec.Obsolete
		if reason == "" {
			reason = spec.ObsoleteValues[strings.TrimSpace(labels[key])]
		}
		if reason != "" {
			notes = append(notes, Problem{Service: service, Label: key, Value: labels[key], Reason: reason})
		}
	}
	return notes
}
