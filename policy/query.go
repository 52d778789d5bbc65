package policy

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"sluice/internal/label"
)

// placeholders are what a query may ask to be replaced.
var placeholders = []string{"service", "window"}

// checkQuery answers a query whose placeholders are known.
func checkQuery(text string) (string, error) {
	switch first, _, _ := strings.Cut(strings.TrimSpace(text)+" ", " "); {
	case first == "":
		return "", fmt.Errorf("is empty")
	case strings.EqualFold(first, "select") || strings.EqualFold(first, "show"):
		return "", fmt.Errorf("is InfluxQL, not Flux (from(bucket: …) |> …)")
	}
	for rest := text; ; {
		_, after, found := strings.Cut(rest, "{{")
		if !found {
			return text, nil
		}
		name, next, closed := strings.Cut(after, "}}")
		if name = strings.TrimSpace(name); !closed {
			return "", fmt.Errorf("has a {{ without }}")
		}
		if !slices.Contains(placeholders, name) {
			return "", fmt.Errorf("has the placeholder {{%s}}, not one of {{service}}, {{window}}%s", name, label.DidYouMean(name, placeholders))
		}
		rest = next
	}
}

// Expand puts the service and the window into the text of a query, which may come from a Docker config and is checked as
// the label is. A name with anything but letters, digits, hyphens, underscores and dots is refused, though the swarm
// knows none: so a name ends no string and calls nothing, wherever in the query it stands.
func (r Rule) Expand(text, service string) (string, error) {
	if _, err := checkQuery(text); err != nil {
		return "", fmt.Errorf("the query %w", err)
	}
	if service == "" || strings.IndexFunc(service, unquotable) >= 0 {
		return "", fmt.Errorf("the service's name %q cannot stand in a query", service)
	}
	return r.expand(text, service), nil
}

func unquotable(c rune) bool {
	return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-_.", c))
}

func (r Rule) expand(text, service string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, "{{")
		name, next, closed := strings.Cut(after, "}}")
		if b.WriteString(before); !found || !closed {
			return b.String()
		}
		switch strings.TrimSpace(name) {
		case "service":
			b.WriteString(service)
		case "window":
			b.WriteString(span(r.Window))
		}
		text = next
	}
}

// checkNotify wants addresses that a request can be sent to.
func checkNotify(v any) error {
	for _, raw := range v.([]string) {
		u, err := url.Parse(raw)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return fmt.Errorf("has %q, which is no address of http or https", raw)
		}
	}
	return nil
}
