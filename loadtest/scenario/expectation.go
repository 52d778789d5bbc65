package scenario

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/internal/label"
)

// Expectation is one sentence of the file that must be true of the run:
//
//	errors = 0                     requests that failed, as a count or a share (errors < 0.1%)
//	p99 < 200ms in peak            latency from when requests were due: mean, p50, p90, p95, p99, p99.9, max
//	sent >= 99%                    share of the asked requests that left within a second of when they were due
//	retries = 0                    requests the client sent again on a fresh connection
//	replicas >= 4 by 40s           the highest number of running replicas until second 40, or: in peak
//	final replicas = 1 within 60s  running and desired replicas, once the load has ended
type Expectation struct {
	Text    string
	Line    int
	Subject string // one of the words above
	Op      string // = < <= > >=
	Value   float64
	Unit    Unit
	Phase   string        // after "in"; "" is the whole run
	By      time.Duration // after "by"; 0 is none
	Within  time.Duration // after "within"; 0 is the end of the load
	Code    int           // of status
	URL     string        // of answer and growth
	Field   string        // of answer and growth: where in the answer the number stands; "" is all of it
	Than    string        // "sent" or "succeeded": compare with the number of such requests and not with Value
	Target  string        // after "of": count only requests to the target of this name
}

// Unit says how to read an expectation's value.
type Unit int

const (
	Count        Unit = iota
	Share             // 1 is all
	Milliseconds      // of latency
)

// quantiles are the latencies that can be expected, by name.
var quantiles = map[string]float64{"p50": 50, "p90": 90, "p95": 95, "p99": 99, "p99.9": 99.9}

var (
	operators = []string{"=", "<", "<=", ">", ">="}
	subjects  = []string{"errors", "sent", "retries", "replicas", "final replicas", "mean", "max", "p50", "p90", "p95", "p99", "p99.9"}
)

// ParseExpectation reads one sentence. Phases are checked by Parse, which knows them.
func ParseExpectation(text string) (Expectation, error) {
	words := strings.Fields(text)
	e := Expectation{Text: strings.Join(words, " ")}
	if len(words) > 1 && words[0] == "final" {
		words = slices.Concat([]string{"final " + words[1]}, words[2:])
	}
	if len(words) < 3 {
		return e, fmt.Errorf("read expectation %q: want a sentence like \"errors = 0\" or \"p99 < 200ms in peak\"", e.Text)
	}
	e.Subject, e.Op = words[0], words[1]
	if !slices.Contains(subjects, e.Subject) {
		return e, fmt.Errorf("read expectation %q: nothing is called %q%s", e.Text, e.Subject, label.DidYouMean(e.Subject, subjects))
	}
	if !slices.Contains(operators, e.Op) {
		return e, fmt.Errorf("read expectation %q: want one of %s, not %q", e.Text, strings.Join(operators, " "), e.Op)
	}
	if err := e.readValue(words[2]); err != nil {
		return e, fmt.Errorf("read expectation %q: %w", e.Text, err)
	}
	if err := e.readScope(words[3:]); err != nil {
		return e, fmt.Errorf("read expectation %q: %w", e.Text, err)
	}
	return e, nil
}

func (e *Expectation) readValue(word string) error {
	percent, isPercent := strings.CutSuffix(word, "%")
	switch {
	case e.Latency():
		d, err := time.ParseDuration(word)
		if err != nil || d < 0 {
			return fmt.Errorf("%s is a time such as 200ms, not %q", e.Subject, word)
		}
		e.Unit, e.Value = Milliseconds, float64(d)/float64(time.Millisecond)
		return nil
	case isPercent && (e.Subject == "errors" || e.Subject == "sent"):
		v, err := strconv.ParseFloat(percent, 64)
		if err != nil || !(v >= 0 && v <= 100) {
			return fmt.Errorf("want 0%% to 100%%, not %q", word)
		}
		e.Unit, e.Value = Share, v/100
		return nil
	case e.Subject == "sent":
		return fmt.Errorf("sent is a share such as 99%%, not %q", word)
	}
	v, err := strconv.Atoi(word)
	if err != nil || v < 0 {
		return fmt.Errorf("%s is a whole number, not %q", e.Subject, word)
	}
	e.Value = float64(v)
	return nil
}

func (e *Expectation) readScope(words []string) error {
	if len(words) == 0 {
		return nil
	}
	scopes := map[string][]string{"replicas": {"in", "by"}, "final replicas": {"within"}}
	allowed, special := scopes[e.Subject]
	if !special {
		allowed = []string{"in"}
	}
	word, rest := words[0], strings.Join(words[1:], " ")
	if !slices.Contains(allowed, word) || rest == "" {
		return fmt.Errorf("%s may end with %s, not with %q", e.Subject, scopeHelp(allowed), strings.Join(words, " "))
	}
	if word == "in" {
		e.Phase = rest
		return nil
	}
	d, err := time.ParseDuration(rest)
	if err != nil || d <= 0 {
		return fmt.Errorf("%s wants a time such as 40s, not %q", word, rest)
	}
	if word == "by" {
		e.By = d
	} else {
		e.Within = d
	}
	return nil
}

func scopeHelp(words []string) string {
	example := map[string]string{"in": `"in PHASE"`, "by": `"by 40s"`, "within": `"within 60s"`}
	var out []string
	for _, w := range words {
		out = append(out, example[w])
	}
	return strings.Join(out, " or ")
}

// Latency says whether the expectation is about latency, and Quantile then which: 0 for mean and max.
func (e Expectation) Latency() bool {
	return e.Quantile() > 0 || e.Subject == "mean" || e.Subject == "max"
}

// Quantile is the percentile that the expectation names, or 0.
func (e Expectation) Quantile() float64 { return quantiles[e.Subject] }

// Holds compares what was seen with what was expected.
func (e Expectation) Holds(seen float64) bool {
	switch e.Op {
	case "=":
		return seen == e.Value
	case "<":
		return seen < e.Value
	case "<=":
		return seen <= e.Value
	case ">":
		return seen > e.Value
	default:
		return seen >= e.Value
	}
}
