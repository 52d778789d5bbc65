package report

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"time"

	"sluice/internal/uplot"
	"sluice/loadtest/result"
)

//go:embed *.html.tmpl page.css *.js
var files embed.FS

// shell is what every page needs to stand alone.
type shell struct {
	Title        string
	Library      template.JS
	LibraryStyle template.CSS
	Style        template.CSS
	Plot         template.JS // what all charts have in common
	Charts       template.JS // of this page
}

// page is what the template shows beside the result itself.
type page struct {
	shell
	result.Result
	Outcome  string
	Tone     string // good, bad, or "" when nothing was expected
	Where    []string
	Tiles    []tile
	Several  bool       // services
	Scaled   []numbered // decisions that changed something
	Held     []result.Decision
	Letters  []string // badges of the marks
	Happened []happening
	Facts    []fact
}

// numbered is a decision with the number that marks it in the charts.
type numbered struct {
	Number int
	result.Decision
}

// WritePage writes the HTML page of a result.
func WritePage(to io.Writer, r result.Result) error {
	around, err := newShell(r.Scenario, "run.js")
	if err != nil {
		return err
	}
	return execute(to, "page.html.tmpl", newPage(around, r))
}

func newPage(around shell, r result.Result) page {
	p := page{
		shell: around, Result: r, Outcome: outcome(r), Tone: tone(r), Where: where(r), Tiles: tiles(r), Several: len(r.Services) > 1,
		Letters: letters(len(r.Marks)), Happened: happenings(r), Facts: facts(r),
	}
	for _, d := range r.Changes {
		if d.From == d.To {
			p.Held = append(p.Held, d)
			continue
		}
		p.Scaled = append(p.Scaled, numbered{len(p.Scaled) + 1, d})
	}
	return p
}

// newShell reads the parts of a page whose charts are drawn by the named script.
func newShell(title, script string) (shell, error) {
	text := map[string]string{}
	for _, name := range []string{"page.css", "plot.js", script} {
		data, err := files.ReadFile(name)
		if err != nil {
			return shell{}, fmt.Errorf("read part of page: %w", err)
		}
		text[name] = string(data)
	}
	return shell{
		Title: title, Library: uplot.Script(), LibraryStyle: uplot.Style(),
		Style: template.CSS(text["page.css"]), Plot: template.JS(text["plot.js"]), Charts: template.JS(text[script]),
	}, nil
}

func execute(to io.Writer, name string, data any) error {
	tmpl, err := template.New(name).Funcs(template.FuncMap{
		"ms": milliseconds, "thousands": thousands, "clock": clock, "shape": shape, "targetName": targetName,
		"date": func(t time.Time) string { return t.Format("2 January 2006, 15:04:05 MST") },
	}).ParseFS(files, "parts.html.tmpl", name)
	if err != nil {
		return fmt.Errorf("read page template: %w", err)
	}
	return tmpl.Execute(to, data)
}

// outcome is the run in a few words.
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
	case len(r.Verdicts) == 0:
		return "nothing was expected"
	case failed == 0 && len(r.Verdicts) == 1:
		return "passed: the expectation holds"
	case failed == 0:
		return fmt.Sprintf("passed: all %d expectations hold", len(r.Verdicts))
	default:
		return fmt.Sprintf("failed: %d of %d expectations do not hold", failed, len(r.Verdicts))
	}
}

func tone(r result.Result) string {
	switch {
	case !r.Passed:
		return "bad"
	case len(r.Verdicts) == 0:
		return ""
	default:
		return "good"
	}
}

// shown is how many targets are named under the headline.
const shown = 3

func where(r result.Result) []string {
	var out []string
	for i, t := range r.Targets {
		if i == shown {
			return append(out, fmt.Sprintf("and %d more targets", len(r.Targets)-shown))
		}
		out = append(out, t.Method+" "+t.URL)
	}
	return out
}
