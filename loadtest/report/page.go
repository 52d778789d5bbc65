package report

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"

	"sluice/internal/uplot"
	"sluice/loadtest/result"
)

//go:embed page.html.tmpl page.css charts.js
var files embed.FS

// page is what the template shows beside the result itself.
type page struct {
	result.Result
	Outcome      string
	Tiles        []tile
	Scaled       []numbered // decisions that changed something
	Held         []result.Decision
	Library      template.JS
	LibraryStyle template.CSS
	Charts       template.JS
	Style        template.CSS
}

type tile struct{ Label, Value, Note, Tone string }

// numbered is a decision with the number that marks it in the charts.
type numbered struct {
	Number int
	result.Decision
}

// WritePage writes the HTML page of a result.
func WritePage(to io.Writer, r result.Result) error {
	p := page{Result: r, Outcome: outcome(r), Tiles: tiles(r)}
	for _, d := range r.Changes {
		if d.From == d.To {
			p.Held = append(p.Held, d)
			continue
		}
		p.Scaled = append(p.Scaled, numbered{len(p.Scaled) + 1, d})
	}
	text := map[string]string{}
	for _, name := range []string{"page.html.tmpl", "page.css", "charts.js"} {
		data, err := files.ReadFile(name)
		if err != nil {
			return fmt.Errorf("read part of page: %w", err)
		}
		text[name] = string(data)
	}
	p.Library, p.LibraryStyle = uplot.Script(), uplot.Style()
	p.Charts, p.Style = template.JS(text["charts.js"]), template.CSS(text["page.css"])
	tmpl, err := template.New("page").Funcs(template.FuncMap{
		"ms": result.Milliseconds, "thousands": thousands, "clock": clock, "shape": shape, "sentence": Sentence,
		"date": func(t time.Time) string { return t.Format("2 January 2006, 15:04:05 MST") },
	}).Parse(text["page.html.tmpl"])
	if err != nil {
		return fmt.Errorf("read page template: %w", err)
	}
	return tmpl.Execute(to, p)
}

// outcome is the run in three words.
func outcome(r result.Result) string {
	failed := 0
	for _, v := range r.Verdicts {
		if !v.Passed {
			failed++
		}
	}
	switch {
	case r.Interrupted:
		return "interrupted"
	case failed == 0:
		return "all expectations hold"
	default:
		return fmt.Sprintf("%d of %d expectations failed", failed, len(r.Verdicts))
	}
}

func tiles(r result.Result) []tile {
	t := r.Total
	out := []tile{
		{"Requests", thousands(t.Sent), fmt.Sprintf("of %s asked", thousands(t.Asked)), ""},
		{"Failed", thousands(t.Failed), "", "good"},
		{"Latency p99", result.Milliseconds(t.Latency.P99), "p50 " + result.Milliseconds(t.Latency.P50), ""},
	}
	if t.Failed > 0 {
		out[1].Tone = "bad"
		out[1].Note = fmt.Sprintf("%.3g %%", 100*float64(t.Failed)/float64(max(t.Asked, 1)))
	}
	peak := 0
	for _, s := range r.Seconds {
		peak = max(peak, s.OK)
	}
	out = append(out, tile{"Highest rate", fmt.Sprintf("%s/s", thousands(peak)), "answered without error", ""})
	if path := replicaPath(r); path != "" {
		changes := 0
		for _, d := range r.Changes {
			if d.From != d.To {
				changes++
			}
		}
		out = append(out, tile{"Replicas", path, fmt.Sprintf("in %d decisions", changes), ""})
	}
	return out
}

// clock writes seconds as minutes and seconds: 1:05.
func clock(seconds float64) string {
	return fmt.Sprintf("%d:%02d", int(seconds)/60, int(seconds)%60)
}

func shape(p result.Phase) string {
	words := make([]string, len(p.Rates))
	for i, rate := range p.Rates {
		words[i] = fmt.Sprintf("%g", rate)
	}
	return strings.Join(words, " → ") + "/s"
}
