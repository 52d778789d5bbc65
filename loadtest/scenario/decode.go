package scenario

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/internal/label"

	"go.yaml.in/yaml/v3"
)

// Problem is one thing wrong in a file. Line 0 is the file as a whole.
type Problem struct {
	File   string
	Line   int
	Reason string
}

func (p Problem) Error() string {
	if p.Line == 0 {
		return p.File + ": " + p.Reason
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Reason)
}

// Problems is every Problem of a file, in the order of its lines.
type Problems []Problem

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// decoder reads values out of YAML nodes and gathers what is wrong with them. Every reader takes the key's name for its message.
type decoder struct {
	file     string
	lookup   func(string) (string, bool)
	problems Problems
}

func (d *decoder) problem(line int, format string, args ...any) {
	d.problems = append(d.problems, Problem{d.file, line, fmt.Sprintf(format, args...)})
}

// object hands the value of each key to the reader of that name, and reports keys that are unknown or stand there twice.
func (d *decoder) object(n *yaml.Node, what string, readers map[string]func(*yaml.Node)) {
	n = resolve(n)
	if n.Kind != yaml.MappingNode {
		d.problem(n.Line, "%s must be a list of keys and values", what)
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], resolve(n.Content[i+1])
		read, known := readers[key.Value]
		switch {
		case !known:
			names := make([]string, 0, len(readers))
			for name := range readers {
				names = append(names, name)
			}
			slices.Sort(names)
			d.problem(key.Line, "%s has no key %q%s", what, key.Value, label.DidYouMean(key.Value, names))
		case seen[key.Value] > 0:
			d.problem(key.Line, "%s is already set in line %d", key.Value, seen[key.Value])
		default:
			seen[key.Value] = key.Line
			read(value)
		}
	}
}

// list calls read for every element.
func (d *decoder) list(n *yaml.Node, what string, read func(*yaml.Node)) {
	if n.Kind != yaml.SequenceNode {
		d.problem(n.Line, "%s must be a list", what)
		return
	}
	for _, element := range n.Content {
		read(resolve(element))
	}
}

// text reads a scalar and puts the environment into it.
func (d *decoder) text(n *yaml.Node, what string) (string, bool) {
	if n.Kind != yaml.ScalarNode {
		d.problem(n.Line, "%s must be a single value", what)
		return "", false
	}
	value, err := expand(n.Value, d.lookup)
	if err != nil {
		d.problem(n.Line, "%s: %v", what, err)
		return "", false
	}
	return value, true
}

func (d *decoder) textTo(to *string, what string) func(*yaml.Node) {
	return func(n *yaml.Node) { *to, _ = d.text(n, what) }
}

// webTo reads the address of an API.
func (d *decoder) webTo(to *string, what string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		text, ok := d.text(n, what)
		if !ok || text == "" {
			return
		}
		*to = strings.TrimSuffix(text, "/")
		if u, err := url.Parse(text); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			d.problem(n.Line, "%s must be an address such as http://127.0.0.1:8081, not %q", what, text)
		}
	}
}

func (d *decoder) boolTo(to *bool, what string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		switch text, ok := d.text(n, what); {
		case !ok:
		case text == "true" || text == "false":
			*to = text == "true"
		default:
			d.problem(n.Line, "%s must be true or false, not %q", what, text)
		}
	}
}

// wholeTo reads a whole number of at least 1 and at most most.
func (d *decoder) wholeTo(to *int, what string, most int) func(*yaml.Node) {
	return func(n *yaml.Node) {
		text, ok := d.text(n, what)
		if !ok {
			return
		}
		v, err := strconv.Atoi(text)
		if err != nil || v < 1 || v > most {
			d.problem(n.Line, "%s must be a whole number from 1 to %d, not %q", what, most, text)
			return
		}
		*to = v
	}
}

func (d *decoder) rate(n *yaml.Node, what string) float64 {
	text, ok := d.text(n, what)
	if !ok {
		return 0
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v >= 0 && v <= 1e6) {
		d.problem(n.Line, "%s must be requests per second, 0 to 1000000, not %q", what, text)
		return 0
	}
	return v
}

func (d *decoder) durationTo(to *time.Duration, what string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		text, ok := d.text(n, what)
		if !ok {
			return
		}
		v, err := time.ParseDuration(text)
		if err != nil || v <= 0 || v > 24*time.Hour {
			d.problem(n.Line, "%s must be a time such as 30s, up to 24h, not %q", what, text)
			return
		}
		*to = v
	}
}

func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode && n.Alias != nil {
		n = n.Alias
	}
	return n
}
