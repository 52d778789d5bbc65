package routing

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sluice/internal/label"
)

// maxWords is what HAProxy takes on a line that ends in a comment: 64, of which the comment is one.
const maxWords = 63

// patterns are what a condition compares a sample with. HAProxy looks at words after their quotes are gone: without "--"
// in front it would take a value for a flag, and "-f" would make it read a file.
func patterns(values ...string) string {
	var b strings.Builder
	b.WriteString("--")
	for _, value := range values {
		b.WriteString(" " + quote(value))
	}
	return b.String()
}

// checkPattern refuses what patterns cannot write: a condition ends at } and at nothing, quoted or not.
func checkPattern(value string) error {
	if value == "" || value == "}" {
		return fmt.Errorf("has something that HAProxy cannot compare with: %q", value)
	}
	return nil
}

func checkPatterns(value any) error {
	for _, pattern := range value.([]string) {
		if err := checkPattern(pattern); err != nil {
			return err
		}
	}
	return nil
}

// checkConditions counts the words of the longest line that a route may become, in find or in conditional.
func checkConditions(g label.Group, opts Options) (name, reason string) {
	kind, algo := pathMatchers[g.Text("pathType")], hostMatchers[opts.domainAlgo(g)]
	words := 10
	mapped := (Route{PathMatch: kind}).mapped()
	if algo != "" || !mapped {
		excluded := 6
		if !mapped {
			excluded = 7
		}
		words = 23 + excluded*len(g.List("servicePathExclude"))
		for _, name := range []string{"srcPort", "srcAddr"} {
			if g.Has(name) || name == "srcPort" && g.Has("srcHttpsPort") {
				words += 4
			}
		}
	}
	if agents := len(g.List("userAgent")); agents > 0 {
		words += 7 + agents
	}
	words += 7 * len(g.List("serviceHeader"))
	if words <= maxWords {
		return "", ""
	}
	name = slices.MaxFunc([]string{"userAgent", "serviceHeader", "servicePathExclude"}, func(a, b string) int { return cmp.Compare(len(g.List(a)), len(g.List(b))) })
	return name, fmt.Sprintf("has too many items: the condition of the route would have %d words, more than %d", words, maxWords)
}
