package scenario

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Parse reads a scenario. The file's name is for messages only; lookup is the environment. The error is Problems: all that is
// wrong, each with its line.
func Parse(file string, data []byte, lookup func(string) (string, bool)) (*Scenario, error) {
	d := &decoder{file: file, lookup: lookup}
	reader := yaml.NewDecoder(bytes.NewReader(data))
	var document, second yaml.Node
	if err := reader.Decode(&document); errors.Is(err, io.EOF) {
		return nil, Problems{{file, 0, "the file is empty"}}
	} else if err != nil {
		return nil, Problems{syntax(file, err)}
	}
	if err := reader.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, Problems{{file, second.Line, "a file holds one scenario: remove what follows ---"}}
	}
	s := &Scenario{
		File: file, KeepAlive: true, Timeout: DefaultTimeout, Connections: DefaultConnections,
		Limit: Limit{DefaultRequests, DefaultDuration, DefaultRate},
	}
	root := resolve(&document)
	if len(document.Content) > 0 {
		root = document.Content[0]
	}
	lines := d.scenario(root, s)
	d.check(s, lines)
	if len(d.problems) > 0 {
		slices.SortStableFunc(d.problems, func(a, b Problem) int { return a.Line - b.Line })
		return nil, d.problems
	}
	return s, nil
}

// syntax takes the line out of the parser's message, the only place where it stands.
func syntax(file string, err error) Problem {
	reason := strings.TrimPrefix(err.Error(), "yaml: ")
	if rest, ok := strings.CutPrefix(reason, "line "); ok {
		number, rest, _ := strings.Cut(rest, ": ")
		if line, err := strconv.Atoi(number); err == nil {
			return Problem{file, line, rest}
		}
	}
	return Problem{file, 0, reason}
}

// places remembers the lines that checks across the whole file point to; 0 is a key that is not there.
type places struct {
	name, targets, phases, observe int
	target, phase                  []int
}

func (d *decoder) scenario(root *yaml.Node, s *Scenario) places {
	var at places
	d.object(root, "a scenario", map[string]func(*yaml.Node){
		"name": func(n *yaml.Node) {
			at.name = n.Line
			name, ok := d.text(n, "name")
			if ok && name == "" {
				d.problem(n.Line, "the scenario needs a name")
			}
			s.Name = name
		},
		"about":       d.textTo(&s.About, "about"),
		"keepAlive":   d.boolTo(&s.KeepAlive, "keepAlive"),
		"timeout":     d.durationTo(&s.Timeout, "timeout"),
		"connections": d.wholeTo(&s.Connections, "connections", 50_000),
		"allow": func(n *yaml.Node) {
			d.list(n, "allow", func(n *yaml.Node) {
				if host, ok := d.text(n, "allow"); ok {
					s.Allow = append(s.Allow, host)
				}
			})
		},
		"targets": func(n *yaml.Node) {
			at.targets = n.Line
			d.list(n, "targets", func(n *yaml.Node) {
				at.target = append(at.target, n.Line)
				s.Targets = append(s.Targets, d.target(n))
			})
		},
		"phases": func(n *yaml.Node) {
			at.phases = n.Line
			d.list(n, "phases", func(n *yaml.Node) {
				at.phase = append(at.phase, n.Line)
				s.Phases = append(s.Phases, d.phase(n, s.Phases))
			})
		},
		"observe": func(n *yaml.Node) {
			at.observe = n.Line
			d.observe(n, &s.Observe)
		},
		"expect": func(n *yaml.Node) { d.list(n, "expect", func(n *yaml.Node) { d.expectation(n, s) }) },
		"limit": func(n *yaml.Node) {
			d.object(n, "limit", map[string]func(*yaml.Node){
				"requests": d.wholeTo(&s.Limit.Requests, "limit.requests", 1_000_000_000),
				"duration": d.durationTo(&s.Limit.Duration, "limit.duration"),
				"rate":     func(n *yaml.Node) { s.Limit.Rate = d.rate(n, "limit.rate") },
			})
		},
	})
	return at
}

func (d *decoder) target(n *yaml.Node) Target {
	t, before := Target{Method: http.MethodGet, Weight: 1}, len(d.problems)
	d.object(n, "a target", map[string]func(*yaml.Node){
		"url":    d.textTo(&t.URL, "url"),
		"method": d.textTo(&t.Method, "method"),
		"body":   d.textTo(&t.Body, "body"),
		"weight": d.wholeTo(&t.Weight, "weight", 1000),
		"headers": func(n *yaml.Node) {
			if n.Kind != yaml.MappingNode {
				d.problem(n.Line, "headers must be a list of names and values")
				return
			}
			for i := 0; i+1 < len(n.Content); i += 2 {
				if value, ok := d.text(resolve(n.Content[i+1]), n.Content[i].Value); ok {
					t.Headers = append(t.Headers, Header{n.Content[i].Value, value})
				}
			}
		},
	})
	if t.URL == "" && len(d.problems) == before {
		d.problem(n.Line, "a target needs a url")
	}
	return t
}

func (d *decoder) observe(n *yaml.Node, o *Observe) {
	d.object(n, "observe", map[string]func(*yaml.Node){
		"service": d.textTo(&o.Service, "service"),
		"scaler":  d.webTo(&o.Scaler, "scaler"),
		"proxy":   d.webTo(&o.Proxy, "proxy"),
		"swarm":   d.textTo(&o.Swarm, "swarm"),
	})
}

func (d *decoder) expectation(n *yaml.Node, s *Scenario) {
	text, ok := d.text(n, "an expectation")
	if !ok {
		return
	}
	e, err := ParseExpectation(text)
	if err != nil {
		d.problem(n.Line, "%v", err)
		return
	}
	e.Line = n.Line
	s.Expect = append(s.Expect, e)
}
