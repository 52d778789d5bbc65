package haproxystats

import (
	"strings"
	"testing"
)

func TestSchemaIsWhole(t *testing.T) {
	for _, m := range Schema() {
		seen := map[string]bool{"time": true}
		for _, a := range append(m.Tags, m.Fields...) {
			if a.Name == "" || a.Doc == "" || seen[a.Name] {
				t.Errorf("%s: %q has no name, no meaning, or is there twice", m.Name, a.Name)
			}
			if strings.ContainsAny(a.Name+a.Doc+a.Unit+a.From, "|\n") {
				t.Errorf("%s: %s breaks the table of the page", m.Name, a.Name)
			}
			seen[a.Name] = true
		}
		if !strings.Contains(Markdown(), "\n## "+m.Name+"\n") {
			t.Errorf("the page lacks %s", m.Name)
		}
	}
}

func TestMaximaNameTheirGauge(t *testing.T) {
	for slot, of := range schema.of {
		if c := schema.numbers[slot]; c.Of != "" && schema.numbers[of].Merge != Sum {
			t.Errorf("%s: %s is not added up", c.Name, c.Of)
		}
	}
	for i, name := range []string{"qtime", "ctime", "rtime", "ttime"} {
		if schema.numbers[schema.firstMean+i].Name != name {
			t.Errorf("mean %d is %s, want %s", i, schema.numbers[schema.firstMean+i].Name, name)
		}
	}
}
