package main

import (
	"context"
	"slices"

	"sluice/loadtest/answer"
	"sluice/loadtest/result"
	"sluice/loadtest/scenario"
)

// questions are the numbers that expectations want to know from the service itself. Only the goroutine that follows the run uses them.
type questions struct {
	reader answer.Reader
	known  []result.Answer
}

func newQuestions(expect []scenario.Expectation) *questions {
	q := &questions{reader: answer.NewReader()}
	for _, e := range expect {
		a := result.Answer{URL: e.URL, Field: e.Field}
		if e.URL != "" && !slices.ContainsFunc(q.known, func(b result.Answer) bool { return a.URL == b.URL && a.Field == b.Field }) {
			q.known = append(q.known, a)
		}
	}
	return q
}

// before asks for what there is before the load.
func (q *questions) before(ctx context.Context) {
	for i := range q.known {
		a := &q.known[i]
		a.Before = q.ask(ctx, a)
	}
}

// after asks again, and may do so often; the last answer counts.
func (q *questions) after(ctx context.Context) {
	for i := range q.known {
		a := &q.known[i]
		a.Err = ""
		a.After = q.ask(ctx, a)
	}
}

func (q *questions) ask(ctx context.Context, a *result.Answer) *float64 {
	n, err := q.reader.Read(ctx, a.URL, a.Field)
	if err != nil {
		a.Err = err.Error()
		return nil
	}
	return &n
}

func (q *questions) answers() []result.Answer { return slices.Clone(q.known) }
