package report

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"sluice/loadtest/result"
)

// Run is a result with the name that tells it from the others.
type Run struct {
	Name   string        `json:"name"`
	Result result.Result `json:"result"`
}

// Comparison is several runs beside each other; the first is the measure of the others.
type Comparison struct {
	Runs     []Run
	Warnings []string // why the runs are not alike
	Rows     []Row
	Verdicts []VerdictRow
}

// Row is one figure of every run.
type Row struct {
	Label string
	Cells []Cell
}

// Cell is a figure of one run.
type Cell struct {
	Text  string
	Ratio string // to the first run; "" for the first, and where there is none
	Tone  string // good or bad when it differs by more than a tenth; "" otherwise
}

// VerdictRow is one expectation, and what each run made of it: "" where a run did not expect it.
type VerdictRow struct {
	Expect string
	Differ bool
	Cells  []Cell
}

// most is how many runs a page can show apart.
const most = 8

// Compare puts runs beside each other. It refuses what has no figures to compare.
func Compare(runs []Run) (Comparison, error) {
	if len(runs) < 2 {
		return Comparison{}, errors.New("compare runs: there must be at least two")
	}
	if len(runs) > most {
		return Comparison{}, fmt.Errorf("compare runs: %d are more than the %d that can be told apart", len(runs), most)
	}
	for i, run := range runs {
		if run.Result.Total.OK+run.Result.Total.Failed == 0 {
			return Comparison{}, fmt.Errorf("compare runs: no request of %s has ended", run.Name)
		}
		for _, other := range runs[:i] {
			if other.Result.Started.Equal(run.Result.Started) && other.Result.Scenario == run.Result.Scenario {
				return Comparison{}, fmt.Errorf("compare runs: %s and %s are the same run", other.Name, run.Name)
			}
		}
	}
	c := Comparison{Runs: runs, Rows: rows(runs), Verdicts: verdictRows(runs)}
	for _, run := range runs {
		c.Warnings = append(c.Warnings, unlike(runs[0], run)...)
	}
	return c, nil
}

// unlike says what makes a run hard to compare with the first.
func unlike(first, run Run) []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, run.Name+" "+fmt.Sprintf(format, args...)) }
	a, b := first.Result, run.Result
	switch {
	case b.Scenario != a.Scenario:
		say("is a run of another scenario, “%s” and not “%s”.", b.Scenario, a.Scenario)
	case b.Source != "" && a.Source != "" && b.Source != a.Source:
		say("has another text of the scenario than %s.", first.Name)
	}
	if !slices.EqualFunc(a.Phases, b.Phases, func(p, q result.Phase) bool {
		return p.Kind == q.Kind && p.From == q.From && p.To == q.To && p.Users == q.Users && slices.Equal(p.Rates, q.Rates)
	}) {
		say("asked for another load than %s.", first.Name)
	}
	if a.Client != b.Client {
		say("used the client in another way than %s.", first.Name)
	}
	if a.Machine.Cores > 0 && b.Machine.Cores > 0 && (a.Machine.Processor != b.Machine.Processor || a.Machine.Cores != b.Machine.Cores) {
		say("was sent from another machine than %s.", first.Name)
	}
	if b.Interrupted {
		say("was interrupted after %s.", clock(b.LoadSeconds))
	}
	if b.Pace.ClientLimited {
		say("was limited by the client, which was late by %s at the 99th percentile.", milliseconds(b.Pace.LatenessP99Ms))
	}
	return out
}

// measure is a figure that runs are compared by. Down says that less is better, Up that more is; neither is a matter of taste.
type measure struct {
	label    string
	value    func(result.Result) (float64, bool)
	text     func(float64) string
	up, down bool
}

func measures(phases []result.Phase) []measure {
	whole := func(v float64) string { return thousands(int(v)) }
	plain := func(v float64) string { return fmt.Sprintf("%.3g", v) }
	total := func(get func(result.Tally) float64) func(result.Result) (float64, bool) {
		return func(r result.Result) (float64, bool) { return get(r.Total), true }
	}
	latency := func(label string, get func(result.Tally) float64) measure {
		return measure{label, func(r result.Result) (float64, bool) { v := get(r.Total); return v, v > 0 }, milliseconds, false, true}
	}
	out := []measure{
		{"requests sent", total(func(t result.Tally) float64 { return float64(t.Sent) }), whole, false, false},
		{"failed", total(func(t result.Tally) float64 { return float64(t.Failed) }), whole, false, true},
		{"answered per second", func(r result.Result) (float64, bool) {
			return float64(r.Total.OK) / max(r.LoadSeconds, 1), r.LoadSeconds > 0
		}, plain, true, false},
		latency("p50", func(t result.Tally) float64 { return t.Latency.P50 }),
		latency("p90", func(t result.Tally) float64 { return t.Latency.P90 }),
		latency("p99", func(t result.Tally) float64 { return t.Latency.P99 }),
		latency("p99.9", func(t result.Tally) float64 { return t.Latency.P999 }),
		latency("max", func(t result.Tally) float64 { return t.Latency.Max }),
		latency("p99 from sent", func(t result.Tally) float64 { return t.Service.P99 }),
	}
	for _, phase := range phases {
		out = append(out, measure{"p99 in " + phase.Name, func(r result.Result) (float64, bool) {
			for _, p := range r.Phases {
				if p.Name == phase.Name {
					return p.Latency.P99, p.Latency.P99 > 0
				}
			}
			return 0, false
		}, milliseconds, false, true})
	}
	return append(out,
		measure{"replicas, mean", meanReplicas, plain, false, true},
		measure{"replicas, most", mostReplicas, whole, false, false},
		measure{"decisions to scale", func(r result.Result) (float64, bool) { n, known := decisions(r); return float64(n), known }, whole, false, true},
		measure{"reloads", func(r result.Result) (float64, bool) { return reloads(r), len(r.Proxies) > 0 }, whole, false, true},
		measure{"held connections lost", lostHeld, whole, false, true},
	)
}

func rows(runs []Run) []Row {
	var out []Row
	var common []result.Phase
	if len(runs[0].Result.Phases) > 1 {
		common = runs[0].Result.Phases
	}
	for _, m := range measures(common) {
		row, any := Row{Label: m.label}, false
		first, base := m.value(runs[0].Result)
		for i, run := range runs {
			v, known := m.value(run.Result)
			any = any || known
			cell := Cell{Text: "–"}
			if known {
				cell.Text = m.text(v)
			}
			if i > 0 && known && base {
				cell.Ratio, cell.Tone = ratio(v, first, m)
			}
			row.Cells = append(row.Cells, cell)
		}
		if any {
			out = append(out, row)
		}
	}
	return out
}

// ratio is v by the first run's value, and whether that is better or worse by more than a tenth.
func ratio(v, first float64, m measure) (text, tone string) {
	better, worse := m.down, m.up
	if v > first {
		better, worse = m.up, m.down
	}
	if first == 0 {
		if v == 0 {
			return "", ""
		}
	} else {
		text = fmt.Sprintf("× %.2f", v/first)
		if v/first > 0.9 && v/first < 1.1 {
			return text, ""
		}
	}
	switch {
	case better:
		return text, "good"
	case worse:
		return text, "bad"
	}
	return text, ""
}

func verdictRows(runs []Run) []VerdictRow {
	var names []string
	for _, run := range runs {
		for _, v := range run.Result.Verdicts {
			if !slices.Contains(names, v.Expect) {
				names = append(names, v.Expect)
			}
		}
	}
	var out []VerdictRow
	for _, name := range names {
		row := VerdictRow{Expect: name}
		for _, run := range runs {
			cell := Cell{}
			for _, v := range run.Result.Verdicts {
				if v.Expect == name {
					cell = Cell{Text: v.Saw, Tone: map[bool]string{true: "good", false: "bad"}[v.Passed]}
				}
			}
			row.Differ = row.Differ || len(row.Cells) > 0 && cell.Tone != row.Cells[0].Tone
			row.Cells = append(row.Cells, cell)
		}
		out = append(out, row)
	}
	return out
}

// comparisonPage is what the template of a comparison shows.
type comparisonPage struct {
	shell
	Comparison
	Outcomes []string
	Tones    []string
}

// WriteComparison writes one page with all runs.
func WriteComparison(to io.Writer, c Comparison) error {
	var names []string
	for _, run := range c.Runs {
		names = append(names, run.Name)
	}
	around, err := newShell(strings.Join(names, ", "), "compare.js")
	if err != nil {
		return err
	}
	p := comparisonPage{shell: around, Comparison: c}
	for _, run := range c.Runs {
		p.Outcomes, p.Tones = append(p.Outcomes, outcome(run.Result)), append(p.Tones, tone(run.Result))
	}
	return execute(to, "compare.html.tmpl", p)
}
