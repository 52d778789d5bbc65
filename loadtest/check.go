package main

import (
	"fmt"
	"os"
	"strings"

	"sluice/loadtest/live"
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

// sketchColumns is how wide the drawing of a load is.
const sketchColumns = 60

// plan is what a scenario will do, for people.
func plan(s *scenario.Scenario) string {
	var out strings.Builder
	schedule := scenario.NewSchedule(s.Phases)
	fmt.Fprintf(&out, "%s: %s in %s\n", s.Name, asked(s, schedule), s.Duration())
	say := func(what, format string, args ...any) {
		fmt.Fprintf(&out, "  %-7s %s\n", what, strings.TrimRight(fmt.Sprintf(format, args...), " "))
	}
	if schedule.Len() > 0 {
		say("load", "%s", live.Sketch(perSecond(schedule), sketchColumns))
	}
	for _, t := range s.Targets {
		say("target", "%s %s", t.Method, t.URL)
	}
	for i, p := range s.Phases {
		from, to, _ := s.Window(p.Name)
		requests := fmt.Sprintf("%d requests", schedule.Requests(i))
		if p.Kind == scenario.Closed {
			requests = "as many requests as are answered"
		}
		say("phase", "%-12s %6s to %-6s %-8s %-25s %s", p.Name, from, to, p.Kind, shape(p), requests)
	}
	for _, h := range s.Hold {
		say("hold", "%d connections to %s from %s on, %g opened per second", h.Connections, h.URL, h.At, h.Rate)
	}
	for _, repeated := range repetitions(s.Events) {
		first, last := repeated[0], repeated[len(repeated)-1]
		what := first.Name
		if n := len(repeated); n > 1 {
			what = fmt.Sprintf("%s, %d times until %s", first.Repeats, n, last.At)
		}
		if first.Optional {
			what += " (may fail)"
		}
		say("event", "%-6s %s", first.At, what)
	}
	if sources := looksAt(s.Observe); sources != "" {
		say("observe", "%s at %s", strings.Join(s.Observe.Services(), ", "), sources)
	}
	for _, e := range s.Expect {
		say("expect", "%s", e.Text)
	}
	return out.String()
}

// repetitions puts together what one event of the file has become.
func repetitions(events []scenario.Event) (out [][]scenario.Event) {
	for _, e := range events {
		if n := len(out) - 1; n >= 0 && e.Repeats != "" && out[n][0].Repeats == e.Repeats && out[n][0].Line == e.Line {
			out[n] = append(out[n], e)
			continue
		}
		out = append(out, []scenario.Event{e})
	}
	return out
}

// asked is the size of the load. What closed loops will send nobody knows.
func asked(s *scenario.Scenario, schedule scenario.Schedule) string {
	users := 0
	for _, p := range s.Phases {
		users = max(users, p.Users)
	}
	due := fmt.Sprintf("%d requests, at most %g/s,", schedule.Len(), schedule.Peak())
	switch {
	case users == 0:
		return due
	case schedule.Len() == 0:
		return fmt.Sprintf("up to %d users", users)
	default:
		return fmt.Sprintf("%s and up to %d users", due, users)
	}
}

// looksAt names the sources that are asked.
func looksAt(o scenario.Observe) string {
	var names []string
	for _, source := range []struct{ name, address string }{{"swarm", o.Swarm}, {"proxy", strings.Join(o.Proxies, " ")}, {"scaler", o.Scaler}, {"InfluxDB", o.Influx.URL}} {
		if source.address != "" {
			names = append(names, source.name)
		}
	}
	return strings.Join(names, ", ")
}

// shape tells a phase's rates.
func shape(p scenario.Phase) string {
	words := make([]string, len(p.Rates))
	for i, rate := range p.Rates {
		words[i] = fmt.Sprintf("%g", rate)
	}
	switch p.Kind {
	case scenario.Closed:
		text := fmt.Sprintf("%d users", p.Users)
		if p.Think > 0 {
			text += fmt.Sprintf(", think %s", p.Think)
		}
		return text
	case scenario.Sine, scenario.Sawtooth:
		return fmt.Sprintf("%s /s every %s", strings.Join(words, " to "), p.Period)
	case scenario.Spike:
		return fmt.Sprintf("%s /s at %s for %s", strings.Join(words, ", "), p.At, p.Width)
	case scenario.Replay:
		return strings.Join(words, " to ") + " /s"
	default:
		return strings.Join(words, " → ") + " /s"
	}
}
