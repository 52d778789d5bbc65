package main

import (
	"fmt"
	"os"
	"strings"

	"sluice/loadtest/scenario"
)

type checkCommand struct {
	File string `arg:"" help:"Scenario (YAML)."`
}

func (c checkCommand) Run(w *world) error {
	s, err := load(c.File, w.lookup)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(w.out, plan(s))
	return err
}

func load(file string, lookup func(string) (string, bool)) (*scenario.Scenario, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read scenario: %w", err)
	}
	s, err := scenario.Parse(file, data, lookup, beside(file))
	if err != nil {
		return nil, err
	}
	s.Source = string(data)
	return s, nil
}

// plan is what a scenario will do, for people.
func plan(s *scenario.Scenario) string {
	var out strings.Builder
	schedule := scenario.NewSchedule(s.Phases)
	fmt.Fprintf(&out, "%s: %d requests in %s, at most %g/s\n", s.Name, schedule.Len(), s.Duration(), schedule.Peak())
	for _, t := range s.Targets {
		fmt.Fprintf(&out, "  target  %s %s\n", t.Method, t.URL)
	}
	for i, p := range s.Phases {
		from, to, _ := s.Window(p.Name)
		fmt.Fprintf(&out, "  phase   %-12s %6s to %-6s %-8s %-20s %d requests\n", p.Name, from, to, p.Kind, rates(p), schedule.Requests(i))
	}
	for _, e := range s.Expect {
		fmt.Fprintf(&out, "  expect  %s\n", e.Text)
	}
	return out.String()
}

func rates(p scenario.Phase) string {
	words := make([]string, len(p.Rates))
	for i, rate := range p.Rates {
		words[i] = fmt.Sprintf("%g", rate)
	}
	return strings.Join(words, " → ") + " /s"
}
