package scenario

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/internal/label"
)

// Expectation is one sentence of the file that must be true of the run; forms lists what can be said.
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
	subjects  = []string{
		"errors", "sent", "retries", "status", "replicas", "final replicas", "mean", "max", "p50", "p90", "p95", "p99", "p99.9",
		"held lost", "held open", "held p99", "reloads", "answer", "growth",
	}
)

// ParseExpectation reads one sentence. Phases and targets are checked by Parse, which knows them.
func ParseExpectation(text string) (Expectation, error) {
	words := strings.Fields(text)
	e := Expectation{Text: strings.Join(words, " ")}
	if err := e.read(words); err != nil {
		return e, fmt.Errorf("read expectation %q: %w", e.Text, err)
	}
	return e, nil
}

func (e *Expectation) read(words []string) error {
	if len(words) > 1 && (words[0] == "final" || words[0] == "held") {
		words = slices.Concat([]string{words[0] + " " + words[1]}, words[2:])
	}
	if len(words) < 3 {
		return errors.New("want a sentence like \"errors = 0\" or \"p99 < 200ms in peak\"")
	}
	e.Subject = words[0]
	if !slices.Contains(subjects, e.Subject) {
		return fmt.Errorf("nothing is called %q%s", e.Subject, label.DidYouMean(e.Subject, subjects))
	}
	words, err := e.readObject(words[1:])
	if err != nil {
		return err
	}
	if len(words) < 2 {
		return fmt.Errorf("want a comparison such as \"= 0\" after %s", e.Subject)
	}
	e.Op = words[0]
	if !slices.Contains(operators, e.Op) {
		return fmt.Errorf("want one of %s, not %q", strings.Join(operators, " "), e.Op)
	}
	if err := e.readValue(words[1]); err != nil {
		return err
	}
	return e.readScope(words[2:])
}

// readObject takes what stands between some subjects and their comparison: the code of a status, the address of an answer.
func (e *Expectation) readObject(words []string) ([]string, error) {
	switch e.Subject {
	case "status":
		code, err := strconv.Atoi(words[0])
		if err != nil || code < 100 || code > 599 {
			return nil, fmt.Errorf("want a status code such as 429, not %q", words[0])
		}
		e.Code = code
		return words[1:], nil
	case "answer", "growth":
		e.URL, words = words[0], words[1:]
		if u, err := url.Parse(e.URL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return nil, fmt.Errorf("want an address such as http://127.0.0.1/votes, not %q", e.URL)
		}
		if len(words) > 0 && !slices.Contains(operators, words[0]) {
			e.Field, words = words[0], words[1:]
		}
	}
	return words, nil
}

func (e *Expectation) readValue(word string) error {
	percent, isPercent := strings.CutSuffix(word, "%")
	switch {
	case e.Subject == "answer" || e.Subject == "growth":
		return e.readCount(word)
	case e.Latency() || e.Subject == "held p99":
		d, err := time.ParseDuration(word)
		if err != nil || d < 0 {
			return fmt.Errorf("%s is a time such as 200ms, not %q", e.Subject, word)
		}
		e.Unit, e.Value = Milliseconds, float64(d)/float64(time.Millisecond)
		return nil
	case isPercent && slices.Contains([]string{"errors", "sent", "status"}, e.Subject):
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

// readCount reads a number, or the name of a number that the client counts.
func (e *Expectation) readCount(word string) error {
	names := []string{"sent", "succeeded"}
	if slices.Contains(names, word) {
		e.Than = word
		return nil
	}
	v, err := strconv.ParseFloat(word, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return fmt.Errorf("want a number, sent or succeeded, not %q%s", word, label.DidYouMean(word, names))
	}
	e.Value = v
	return nil
}

func (e *Expectation) readScope(words []string) error {
	if e.Than != "" && len(words) > 1 && words[0] == "of" {
		e.Target, words = words[1], words[2:]
	}
	if len(words) == 0 {
		return nil
	}
	scopes := map[string][]string{
		"replicas": {"in", "by"}, "final replicas": {"within"}, "answer": {"within"}, "growth": {"within"}, "reloads": {}, "held p99": {},
	}
	allowed, special := scopes[e.Subject]
	if !special {
		allowed = []string{"in"}
	}
	word, rest := words[0], strings.Join(words[1:], " ")
	if len(allowed) == 0 {
		return fmt.Errorf("%s is of the whole run: leave out %q", e.Subject, strings.Join(words, " "))
	}
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
