package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"sluice/internal/influx"
	"sluice/policy"
)

// configReader reads the content of a Docker config by its name.
type configReader interface {
	Config(ctx context.Context, name string) (string, error)
}

// How much the queries of rules may cost. They are the users' own: one that is slow, wrong or dear costs its rule the
// value, and nobody else anything.
const (
	queryEvery   = 5 * time.Second  // between two answers to the same text, unless its services are looked at less often
	queryTimeout = 5 * time.Second  // of one
	queriesBusy  = 20               // under way at once, and so begun in a tick; the longest due first
	configEvery  = 30 * time.Second // between two looks at a Docker config, which can be removed and made anew
)

// queries are asked for what rules with the metric query want. Rules whose text is the same share an answer.
type queries struct {
	reader  reader
	configs configReader // nil: there are none
	keep    time.Duration

	asked  map[string]*query // by expanded text
	texts  map[string]*config
	owners map[[2]string]*query // by service and source
	wrong  map[[2]string]string // why a rule has no query
	levels map[[2]string]bool   // of the rules that average
}

// query is one text and its answers.
type query struct {
	text   string
	every  time.Duration
	begun  time.Time // of the last time it was asked; zero: never
	asking errand[answer]
	wanted bool

	replies []answer
	failure string
}

// answer is one answer: the last row of every table.
type answer struct {
	at   time.Time
	sum  float64
	rows int
}

// config is a Docker config that holds a query.
type config struct {
	begun   time.Time
	asking  errand[string]
	wanted  bool
	text    string
	failure string
}

func newQueries(r reader, configs configReader) *queries {
	return &queries{reader: r, configs: configs, asked: map[string]*query{}, texts: map[string]*config{}}
}

// begin asks what is due. Configs that were never read are waited for as long as side.
func (q *queries) begin(ctx context.Context, wishes []wish, side time.Duration) {
	q.readConfigs(ctx, wishes, side)
	q.assign(wishes)
	now := time.Now()
	var due []*query
	busy := 0
	for text, a := range q.asked {
		switch {
		case a.asking.busy():
			busy++
		case !a.wanted:
			delete(q.asked, text)
		case now.Sub(a.begun) >= a.every:
			due = append(due, a)
		}
	}
	slices.SortFunc(due, func(a, b *query) int {
		if order := a.begun.Compare(b.begun); order != 0 {
			return order
		}
		return strings.Compare(a.text, b.text)
	})
	for _, a := range due[:min(len(due), max(0, queriesBusy-busy))] {
		a.begun = now
		a.asking.begin(ctx, queryTimeout, func(ctx context.Context) (answer, error) { return ask(ctx, q.reader, a.text) })
	}
}

// readConfigs brings the texts of configs up to date.
func (q *queries) readConfigs(ctx context.Context, wishes []wish, side time.Duration) {
	for _, c := range q.texts {
		c.wanted = false
	}
	for _, w := range wishes {
		for _, r := range w.rules {
			if r.QueryConfig == "" {
				continue
			}
			if q.texts[r.QueryConfig] == nil {
				q.texts[r.QueryConfig] = &config{failure: "not read yet"}
			}
			q.texts[r.QueryConfig].wanted = true
		}
	}
	for name, c := range q.texts {
		if !c.wanted && !c.asking.busy() {
			delete(q.texts, name)
			continue
		}
		if q.configs == nil {
			c.failure = "there is no swarm to read it from"
			continue
		}
		if time.Since(c.begun) >= configEvery && !c.asking.busy() {
			c.begun = time.Now()
			c.asking.begin(ctx, swarmTimeout, func(ctx context.Context) (string, error) { return q.configs.Config(ctx, name) })
		}
	}
	ctx, cancel := context.WithTimeout(ctx, side)
	defer cancel()
	for _, c := range q.texts {
		if o, came := c.asking.take(ctx); came {
			c.text, c.failure = o.value, ""
			if o.err != nil {
				c.failure = brief(o.err) // what it said before is not believed: it may be gone
			}
		}
	}
}

// assign finds the query of every rule.
func (q *queries) assign(wishes []wish) {
	for _, a := range q.asked {
		a.wanted, a.every = false, 0
	}
	q.owners, q.wrong, q.levels, q.keep = map[[2]string]*query{}, map[[2]string]string{}, map[[2]string]bool{}, history
	for _, w := range wishes {
		for _, r := range w.rules {
			if r.Metric != "query" {
				continue
			}
			key := [2]string{w.service, r.Source()}
			text, err := q.text(r, w.service)
			if err != nil {
				q.wrong[key] = err.Error()
				continue
			}
			a := q.asked[text]
			if a == nil {
				a = &query{text: text, failure: "query: not answered yet"}
				q.asked[text] = a
			}
			every := max(queryEvery, w.every)
			if !a.wanted || every < a.every {
				a.every = every
			}
			a.wanted = true
			q.owners[key], q.levels[key] = a, !r.PerReplica
			q.keep = max(q.keep, r.Window+r.Offset+policy.Lookback)
		}
	}
}

// text is what a rule asks.
func (q *queries) text(r policy.Rule, service string) (string, error) {
	text := r.Query
	if r.QueryConfig != "" {
		c := q.texts[r.QueryConfig]
		if c.failure != "" {
			return "", fmt.Errorf("config %s: %s", r.QueryConfig, c.failure)
		}
		text = c.text
	}
	text, err := r.Expand(text, service)
	if err != nil && r.QueryConfig != "" {
		return "", fmt.Errorf("config %s: %w", r.QueryConfig, err)
	}
	return text, err
}

// ask asks one query.
func ask(ctx context.Context, r reader, text string) (answer, error) {
	rows, err := r.Query(ctx, text)
	if err != nil {
		return answer{}, err
	}
	last := map[string]influx.Record{} // by table
	for _, row := range rows {
		if math.IsNaN(row.Value) || math.IsInf(row.Value, 0) {
			continue
		}
		table := tableOf(row)
		if before, found := last[table]; !found || !row.Time.Before(before.Time) {
			last[table] = row
		}
	}
	found := answer{at: time.Now(), rows: len(last)}
	for _, row := range last {
		found.sum += row.Value
	}
	return found, nil
}

// tableOf tells tables apart by what is written in each of their rows.
func tableOf(row influx.Record) string {
	var words []string
	for key, value := range row.Tags {
		words = append(words, fmt.Sprintf("%q=%q", key, value))
	}
	slices.Sort(words)
	return row.Field + "\n" + strings.Join(words, ",")
}

// collect takes the answers that have come.
func (q *queries) collect(ctx context.Context) {
	for _, a := range q.asked {
		o, came := a.asking.take(ctx)
		if !came {
			continue
		}
		if a.failure = ""; o.err != nil {
			a.failure = "query: " + brief(o.err)
			continue
		}
		if o.value.rows > 0 {
			a.replies = append(a.replies, o.value)
		}
		for len(a.replies) > 0 && o.ended.Sub(a.replies[0].at) > q.keep {
			a.replies = a.replies[1:]
		}
	}
}

// brief is an error in one line that a sentence can hold.
func brief(err error) string {
	text := []rune(strings.Join(strings.Fields(err.Error()), " "))
	if len(text) > 200 {
		text = append(text[:200], '…')
	}
	return string(text)
}

// of are the series of a service, one for each of its rules with a query.
func (q *queries) of(service string) []policy.Series {
	var list []policy.Series
	for key, a := range q.owners {
		if key[0] != service || len(a.replies) == 0 {
			continue
		}
		s := policy.Series{Metric: key[1], Proxy: "InfluxDB", By: "answers of", Every: a.every}
		if n := len(a.replies); n > 1 { // where there are many, each has to wait
			s.Every = max(s.Every, a.replies[n-1].at.Sub(a.replies[n-2].at))
		}
		for _, r := range a.replies {
			value := r.sum
			if q.levels[key] {
				value /= float64(r.rows)
			}
			s.Points = append(s.Points, policy.Point{At: r.at, Value: value, Weight: 1})
		}
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b policy.Series) int { return strings.Compare(a.Metric, b.Metric) })
	return list
}

// fill says why a rule has no value.
func (q *queries) fill(in *policy.Input, service, source string) {
	key := [2]string{service, source}
	if reason := q.wrong[key]; reason != "" {
		in.Failures[source] = reason
	} else if a := q.owners[key]; a != nil && a.failure != "" {
		in.Failures[source] = a.failure
	}
}
