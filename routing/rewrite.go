package routing

import (
	"fmt"
	"strings"

	"sluice/internal/label"
)

// Rewrite replaces the first match of a regular expression in the request's path.
type Rewrite struct {
	Search  string `json:"search"`  // PCRE, as HAProxy's regsub takes it
	Replace string `json:"replace"` // may hold \1 to \9
}

func checkRewrites(value any) error {
	_, err := parseRewrites(value.(string))
	return err
}

// readRewrites reads the labels of a destination, and gives the keys that asked for the rewrites.
func readRewrites(g label.Group) (rewrites []Rewrite, keys string) {
	if search := g.Text("reqPathSearch"); search != "" {
		rewrites = append(rewrites, Rewrite{Search: unescape(search), Replace: unescape(g.Text("reqPathReplace"))})
		keys = strings.TrimSpace(g.Key("reqPathSearch") + " " + g.Key("reqPathReplace"))
	}
	if text := g.Text("reqPathSearchReplace"); text != "" {
		more, _ := parseRewrites(text) // checked when the label was read
		rewrites, keys = append(rewrites, more...), strings.TrimSpace(keys+" "+g.Key("reqPathSearchReplace"))
	}
	return rewrites, keys
}

// parseRewrites reads `search,replace[:search,replace…]`. A colon separates pairs only where both sides hold a comma,
// so that `^/,http://x/` is one pair; `\,` and `\:` never separate, nor does the colon of `(?:`.
func parseRewrites(value string) ([]Rewrite, error) {
	value = strings.ReplaceAll(value, "(?:", `(?\:`)
	var pairs [][]string
	for _, piece := range splitUnescaped(value, ':') {
		halves := splitUnescaped(piece, ',')
		if n := len(pairs); n > 0 && (len(halves) == 1 || len(pairs[n-1]) == 1) {
			last := pairs[n-1]
			last[len(last)-1] += ":" + halves[0]
			pairs[n-1] = append(last, halves[1:]...)
			continue
		}
		pairs = append(pairs, halves)
	}
	var rewrites []Rewrite
	for _, halves := range pairs {
		if len(halves) != 2 || halves[0] == "" {
			return nil, fmt.Errorf("is not search,replace[:search,replace…]")
		}
		if err := checkReplacement(halves[1]); err != nil {
			return nil, err
		}
		rewrites = append(rewrites, Rewrite{Search: unescape(halves[0]), Replace: unescape(halves[1])})
	}
	return rewrites, nil
}

func checkReplacement(value any) error {
	if strings.HasSuffix(strings.ReplaceAll(value.(string), `\\`, ""), `\`) {
		return fmt.Errorf("has a replacement that ends in a backslash, which escapes nothing")
	}
	return nil
}

func splitUnescaped(s string, separator byte) []string {
	var parts []string
	start := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case separator:
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:])
}

func unescape(s string) string {
	return strings.NewReplacer(`\\`, `\\`, `\,`, `,`, `\:`, `:`).Replace(s)
}

// pathExpression gives the sample expression that rewrites the path, quoted as one word of haproxy.cfg. The slash in
// front and the last regsub together see to it that the result begins with exactly one slash even when a rewrite
// leaves nothing: HAProxy 2.6 would send the empty path to the server, which answers 400.
func pathExpression(rewrites []Rewrite) string {
	var b strings.Builder
	b.WriteString("/%[path")
	for _, r := range rewrites {
		fmt.Fprintf(&b, ",regsub(%s,%s)", argument(r.Search), argument(r.Replace))
	}
	b.WriteString(`,regsub("^/","")]`)
	return quote(b.String())
}

// argument quotes a string as an argument of a converter: inside double quotes a backslash escapes.
func argument(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// quote makes one word of haproxy.cfg out of any string without line breaks: inside single quotes nothing has a meaning.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'"'"'`) + "'" }
