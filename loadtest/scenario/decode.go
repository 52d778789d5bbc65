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

// What numbers may be at most.
const (
	maxRate = 1_000_000 // requests per second
	longest = 24 * time.Hour
)

// decoder reads values out of YAML nodes and gathers what is wrong with them. Every reader takes the key's name for its message.
type decoder struct {
	file     string
	lookup   func(string) (string, bool)
	open     func(string) ([]byte, error)
	problems Problems
}

func (d *decoder) problem(line int, format string, args ...any) {
	d.problems = append(d.problems, Problem{d.file, line, fmt.Sprintf(format, args...)})
}

// field is a key that an object may have, with what the reference says of it.
type field struct {
	key   string
	value string // what may stand there
	about string
	read  func(*yaml.Node)
}

// object hands the value of each key to the reader of its field, and reports keys that are unknown or stand there twice. It gives
// the lines of those that are there.
func (d *decoder) object(n *yaml.Node, what string, fields []field) map[string]int {
	n = resolve(n)
	seen := map[string]int{}
	if n.Kind != yaml.MappingNode {
		d.problem(n.Line, "%s must be a list of keys and values", what)
		return seen
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], resolve(n.Content[i+1])
		at := slices.IndexFunc(fields, func(f field) bool { return f.key == key.Value })
		switch {
		case at < 0:
			d.problem(key.Line, "%s has no key %q%s", what, key.Value, label.DidYouMean(key.Value, keys(fields)))
		case seen[key.Value] > 0:
			d.problem(key.Line, "%s is already set in line %d", key.Value, seen[key.Value])
		default:
			seen[key.Value] = key.Line
			fields[at].read(value)
		}
	}
	return seen
}

func keys(fields []field) []string {
	var out []string
	for _, f := range fields {
		out = append(out, f.key)
	}
	slices.Sort(out)
	return out
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

// websTo reads the addresses of one API or of several of a kind.
func (d *decoder) websTo(to *[]string, what string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		read := func(n *yaml.Node) {
			var address string
			if d.webTo(&address, what)(n); address != "" {
				*to = append(*to, address)
			}
		}
		if n.Kind == yaml.SequenceNode {
			d.list(n, what, read)
			return
		}
		read(n)
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
	return d.numberTo(to, what, 1, most)
}

func (d *decoder) numberTo(to *int, what string, least, most int) func(*yaml.Node) {
	return func(n *yaml.Node) {
		text, ok := d.text(n, what)
		if !ok {
			return
		}
		v, err := strconv.Atoi(text)
		if err != nil || v < least || v > most {
			d.problem(n.Line, "%s must be a whole number from %d to %d, not %q", what, least, most, text)
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
	if err != nil || !(v >= 0 && v <= maxRate) {
		d.problem(n.Line, "%s must be requests per second, 0 to %d, not %q", what, maxRate, text)
		return 0
	}
	return v
}

// texts reads a list of values.
func (d *decoder) texts(to *[]string, what string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		d.list(n, what, func(n *yaml.Node) {
			if text, ok := d.text(n, what); ok {
				*to = append(*to, text)
			}
		})
	}
}

// pairs calls read for every key and value of an object whose keys are free.
func (d *decoder) pairs(n *yaml.Node, what string, read func(key, value string)) {
	if n.Kind != yaml.MappingNode {
		d.problem(n.Line, "%s must be a list of names and values", what)
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if seen[key.Value] > 0 {
			d.problem(key.Line, "%s: %s is already set in line %d", what, key.Value, seen[key.Value])
			continue
		}
		seen[key.Value] = key.Line
		if value, ok := d.text(resolve(n.Content[i+1]), key.Value); ok {
			read(key.Value, value)
		}
	}
}

// fileTo reads a file that the scenario names; the name is relative to the scenario's folder.
func (d *decoder) fileTo(to *[]byte, what string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		name, ok := d.text(n, what)
		if !ok {
			return
		}
		data, err := d.open(name)
		if err != nil {
			d.problem(n.Line, "%s: %v", what, err)
			return
		}
		*to = data
	}
}

func (d *decoder) durationTo(to *time.Duration, what string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		text, ok := d.text(n, what)
		if !ok {
			return
		}
		v, err := time.ParseDuration(text)
		if err != nil || v <= 0 || v > longest {
			d.problem(n.Line, "%s must be a time such as 30s, up to 24h, not %q", what, text)
			return
		}
		*to = v
	}
}

// momentTo reads a time that may be 0.
func (d *decoder) momentTo(to *time.Duration, what string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		text, ok := d.text(n, what)
		if !ok {
			return
		}
		v, err := time.ParseDuration(text)
		if err != nil || v < 0 || v > longest {
			d.problem(n.Line, "%s must be a time such as 30s, from 0s to 24h, not %q", what, text)
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
