package haproxystats

import (
	"fmt"
	"strings"
)

// The measurements that Sluice writes.
const (
	Haproxy = "haproxy"      // one point per frontend, backend and server, by the proxy
	Proxy   = "sluice_proxy" // one point per proxy instance
	Scale   = "sluice_scale" // one point per service, by the scaler
)

// Measurement is the schema of one measurement.
type Measurement struct {
	Name   string
	Doc    string
	Tags   []Attribute
	Fields []Attribute
}

// Attribute is one tag or field. Kind, Unit and From say nothing of a tag.
type Attribute struct {
	Name string
	Kind Kind
	Unit string // "" is a plain number or a text
	From string // where it comes from: `scur`, merged by sum
	Doc  string // one line of Markdown
}

// Field looks a field up by its name.
func (m Measurement) Field(name string) (Attribute, bool) { return find(m.Fields, name) }

// Tag looks a tag up by its name.
func (m Measurement) Tag(name string) (Attribute, bool) { return find(m.Tags, name) }

func find(list []Attribute, name string) (Attribute, bool) {
	for _, a := range list {
		if a.Name == name {
			return a, true
		}
	}
	return Attribute{}, false
}

// Schema lists every measurement, tag and field that Sluice writes. The documentation is printed from it, dashboards
// and alerts are checked against it.
func Schema() []Measurement {
	haproxy := Measurement{Name: Haproxy, Doc: haproxyDoc, Tags: append([]Attribute(nil), haproxyTags[:]...)}
	for _, c := range columns {
		a := Attribute{c.FieldName(), c.Kind, c.Unit, "`" + c.Name + "`, " + c.Merge.String(), c.Doc}
		switch c.Merge {
		case AsTag:
			haproxy.Tags = append(haproxy.Tags, a)
		case LeftOut:
		default:
			haproxy.Fields = append(haproxy.Fields, a)
		}
	}
	haproxy.Fields = append(haproxy.Fields, derivedFields[:]...)
	return []Measurement{
		haproxy,
		{Proxy, proxyDoc, append([]Attribute(nil), proxyTags[:]...), append([]Attribute(nil), proxyFields[:]...)},
		{Scale, scaleDoc, append([]Attribute(nil), scaleTags[:]...), append([]Attribute(nil), scaleFields[:]...)},
	}
}

// Markdown prints the schema as the page docs/measurements.md.
func Markdown() string {
	var b strings.Builder
	b.WriteString("What Sluice writes to InfluxDB. Printed from the schema in `haproxystats`; do not edit.\n\n")
	b.WriteString("How the workers of one HAProxy become one value (after a reload there are several):\n\n")
	for m := Current; m <= Youngest; m++ {
		fmt.Fprintf(&b, "- **%s**: %s.\n", m, mergeDoc[m])
	}
	b.WriteString("\n## Beside Telegraf\n\n" + telegrafDoc + "\n\n## For Prometheus\n\n" + prometheusDoc + "\n")
	for _, m := range Schema() {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| tag | meaning |\n|---|---|\n", m.Name, m.Doc)
		for _, t := range m.Tags {
			fmt.Fprintf(&b, "| %s | %s |\n", t.Name, t.Doc)
		}
		b.WriteString("\n| field | type | unit | from | meaning |\n|---|---|---|---|---|\n")
		for _, f := range m.Fields {
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", f.Name, f.Kind, f.Unit, f.From, f.Doc)
		}
	}
	return b.String()
}

var mergeDoc = [...]string{
	Current:   "of the current worker; draining ones do not matter",
	Sum:       "added up over all workers, current and draining",
	Count:     "what each worker counted, added up; it never falls while the proxy runs, whatever is reloaded",
	CountOnce: "as count, but only the current worker's: all workers see the same event",
	Max:       "the highest any worker reported, kept while the proxy runs, never below the added-up gauge it belongs to while there are several",
	Mean:      "weighted by the sessions each worker took since the last point, or, when there were none, since its start",
	Youngest:  "the smallest age over all workers, `-1` (never) aside",
}
