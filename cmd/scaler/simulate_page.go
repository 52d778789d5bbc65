package main

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"time"

	"sluice/internal/uplot"
	"sluice/policy"
	"sluice/policy/simulation"
)

//go:embed simulate.html.tmpl
var simulationPage string

// drawn is how many points of a line are drawn at most: each is the largest of its seconds.
const drawn = 1440

// chart is one trace as the page draws it. All lines have the same length.
type chart struct {
	Name    string      `json:"name"`
	Step    float64     `json:"step"` // seconds between two points
	Load    []float64   `json:"load"` // in replicas that would carry it
	Scalers []string    `json:"scalers"`
	Desired [][]float64 `json:"desired"` // of each scaler
	Waiting [][]float64 `json:"waiting"`
}

// writePage writes one HTML file that needs nothing else.
func writePage(w io.Writer, b bench, runs []run) error {
	var charts []chart
	sums := summed(runs)
	for _, s := range sums {
		first := slices.IndexFunc(runs, func(r run) bool { return r.trace.Name == s.trace.Name })
		charts = append(charts, b.chart(runs[first]))
	}
	page, err := template.New("simulation").Funcs(template.FuncMap{
		"share":   func(r run, s simulation.Result) string { return fmt.Sprintf("%.3f", r.share(s)) },
		"verdict": func(r run) string { return r.verdict() },
		"results": func(r run) []simulation.Result { return r.results },
		"name":    func(r run) string { return r.trace.Name },
		"news":    func(r run) []policy.Decision { return r.decisions[:min(len(r.decisions), 200)] },
		"more":    func(r run) int { return max(0, len(r.decisions)-200) },
		"after":   func(d policy.Decision) time.Duration { return d.At.Sub(b.begin) },
	}).Parse(simulationPage)
	if err != nil {
		return fmt.Errorf("read page template: %w", err)
	}
	return page.Execute(w, map[string]any{
		"Service": b.policy.Service, "Capacity": b.service.Capacity, "Start": b.service.Start, "Rule": b.rule, "Compared": b.rule.Target > 0,
		"Runs": sums, "Charts": charts, "Script": uplot.Script(), "Style": uplot.Style(),
	})
}

func (b bench) chart(r run) chart {
	step := (len(r.trace.Load) + drawn - 1) / drawn
	c := chart{Name: r.trace.Name, Step: float64(step), Load: thinned(r.trace.Load, step, 1/b.service.Capacity)}
	for _, s := range r.results {
		desired := make([]float64, len(s.Desired))
		for i, n := range s.Desired {
			desired[i] = float64(n)
		}
		c.Scalers = append(c.Scalers, s.Scaler)
		c.Desired = append(c.Desired, thinned(desired, step, 1))
		c.Waiting = append(c.Waiting, thinned(s.Waiting, step, 1))
	}
	return c
}

// thinned keeps the largest of every step values, times a factor.
func thinned(values []float64, step int, factor float64) []float64 {
	var kept []float64
	for i := 0; i < len(values); i += step {
		most := 0.0
		for _, v := range values[i:min(i+step, len(values))] {
			most = max(most, v)
		}
		kept = append(kept, math.Round(most*factor*100)/100)
	}
	return kept
}
