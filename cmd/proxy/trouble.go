package main

import (
	"strings"
	"time"

	"sluice/internal/influx"
	"sluice/internal/label"
)

// refuses begins the reason of every problem that puts something into quarantine.
const refuses = "HAProxy refuses "

// worst tells how many problems are of the quarantine, and one of all: alerts are sent with its sentence. Values are left
// out, for some are passwords.
func worst(problems []label.Problem) (quarantined int64, sentence string) {
	for _, p := range problems {
		refused := strings.HasPrefix(p.Reason, refuses)
		if first := refused && quarantined == 0; first || sentence == "" {
			sentence = inWords(p)
		}
		if refused {
			quarantined++
		}
	}
	return quarantined, sentence
}

func inWords(p label.Problem) string {
	said := []string{p.Service, p.Label, p.Reason}
	if p.Label == "" {
		said = []string{p.Service, p.Reason}
	}
	return brief(strings.Join(said, ": "), 500)
}

// trouble is what there is to say only while something is wrong.
func (f figures) trouble(at time.Time) []influx.Field {
	failing := 0.0
	var fields []influx.Field
	if f.failure != "" {
		failing = max(0, at.Sub(f.failedAt).Seconds())
		fields = append(fields, influx.Field{Key: "failure", Value: brief(f.failure, 500)})
	}
	if f.problem != "" {
		fields = append(fields, influx.Field{Key: "problem", Value: f.problem})
	}
	return append(fields, influx.Field{Key: "failing_s", Value: failing})
}
