package observe

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice/internal/influx"
)

// addScale reads what the scaler wrote: figures in one query, sentences in another.
func (i Influx) addScale(ctx context.Context, begin string, r *Reading) error {
	mine := `|> filter(fn: (r) => r._measurement == "sluice_scale" and (` + influx.AnyOf("service", i.Services) + `)`
	figures, err := i.Reader.Query(ctx, begin+mine+` and r._field != "reason" and r._field != "verdict")
  |> keep(columns: ["_time", "_value", "_field", "service"])`)
	if err != nil {
		return fmt.Errorf("read decisions: %w", err)
	}
	sentences, err := i.Reader.Query(ctx, begin+mine+` and (r._field == "desired" or r._field == "reason" or r._field == "verdict"))
  |> keep(columns: ["_time", "_value", "_field", "service"])
  |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")
  |> rename(columns: {desired: "_value"})`)
	if err != nil {
		return fmt.Errorf("read decisions: %w", err)
	}
	points := scalePoints(figures)
	r.Replicas, r.Policies = map[string]Replicas{}, map[string]Policy{}
	for service, at := range points {
		newest := at[0]
		for _, p := range at {
			if p.at.After(newest.at) {
				newest = p
			}
		}
		r.Replicas[service], r.Policies[service] = newest.replicas()
	}
	r.Decisions = decisions(points, sentences)
	return nil
}

// scalePoint is one point of sluice_scale.
type scalePoint struct {
	at     time.Time
	fields map[string]float64
}

func (p scalePoint) replicas() (Replicas, Policy) {
	policy := Policy{Min: int(p.fields["min"]), Max: int(p.fields["max"])}
	for name, value := range p.fields {
		if metric, ok := strings.CutSuffix(name, "_target"); ok && value > 0 {
			policy.Targets = append(policy.Targets, Target{metric, value})
		}
	}
	slices.SortFunc(policy.Targets, func(a, b Target) int { return strings.Compare(a.Metric, b.Metric) })
	return Replicas{Desired: int(p.fields["desired"]), Running: int(p.fields["running"])}, policy
}

func scalePoints(rows []influx.Record) map[string][]scalePoint {
	found := map[string][]scalePoint{}
	for _, row := range rows {
		service := row.Tags["service"]
		i := slices.IndexFunc(found[service], func(p scalePoint) bool { return p.at.Equal(row.Time) })
		if i < 0 {
			i = len(found[service])
			found[service] = append(found[service], scalePoint{row.Time, map[string]float64{}})
		}
		found[service][i].fields[row.Field] = row.Value
	}
	return found
}

// decisions joins sentences to figures. The scaler writes a point every few seconds even when it says nothing new: of these only changes are kept, and
// what is not what it said before.
func decisions(points map[string][]scalePoint, sentences []influx.Record) []Decision {
	slices.SortFunc(sentences, func(a, b influx.Record) int { return a.Time.Compare(b.Time) })
	said := map[string]string{}
	var out []Decision
	for _, row := range sentences {
		service := row.Tags["service"]
		d := Decision{Service: service, At: row.Time, To: int(row.Value), Verdict: row.Tags["verdict"], Reason: row.Tags["reason"]}
		known := false
		for _, p := range points[service] {
			if p.at.Equal(row.Time) {
				d.From, known = int(p.fields["current"]), true
			}
		}
		if known && (d.Changes() || said[service] != "" && said[service] != d.Verdict) {
			out = append(out, d)
		}
		said[service] = d.Verdict
	}
	return out
}
