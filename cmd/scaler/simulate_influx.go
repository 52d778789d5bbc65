package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"sluice/internal/influx"
	"sluice/policy"
	"sluice/policy/simulation"
)

// replayed is how much of the past one query asks for, and longestReplay how much there may be.
const (
	replayed      = time.Hour
	longestReplay = 28 * 24 * time.Hour
)

// replay reads what really happened to a service: its load, in every second the sum over proxies and destinations, and the
// replicas that the scaler wanted. How many seconds nothing was measured in is told; the load before lasts through them.
type replay struct {
	reader  reader
	bucket  string
	service string
	field   string // of measurement haproxy
	from    time.Time
	seconds int
}

// happened is what a replay has found.
type happened struct {
	trace   simulation.Trace
	desired []int // of the scaler in every second; nil when it wrote nothing
	blind   int   // seconds in which nothing was measured
}

func (r replay) read(ctx context.Context, unit simulation.Unit) (happened, error) {
	h := happened{trace: simulation.Trace{Name: r.service, Unit: unit, Load: make([]float64, r.seconds)}}
	known := make([]bool, r.seconds)
	desired := map[int]int{}
	for begin := 0; begin < r.seconds; begin += int(replayed / time.Second) {
		from := r.from.Add(time.Duration(begin) * time.Second)
		to := r.from.Add(time.Duration(min(r.seconds, begin+int(replayed/time.Second))) * time.Second)
		rows, err := r.reader.Query(ctx, r.loads(from.Add(-policy.Fresh), to))
		if err != nil {
			return h, err
		}
		r.add(h.trace.Load, known, rows, begin, int(to.Sub(r.from)/time.Second))
		if rows, err = r.reader.Query(ctx, r.decisions(from, to)); err != nil {
			return h, err
		}
		for _, row := range rows {
			if second := int(row.Time.Sub(r.from) / time.Second); second >= 0 && second < r.seconds {
				desired[second] = int(row.Value)
			}
		}
	}
	any := slices.Index(known, true)
	if any < 0 {
		return h, fmt.Errorf("nothing was measured of service %s between %s and %s", r.service, r.from.UTC().Format(time.RFC3339), r.from.Add(time.Duration(r.seconds)*time.Second).UTC().Format(time.RFC3339))
	}
	for n := range h.trace.Load {
		if !known[n] {
			h.blind++
			before := n - 1
			if n < any {
				before = any
			}
			h.trace.Load[n] = h.trace.Load[before]
		}
	}
	if len(desired) > 0 {
		h.desired = r.replicas(desired)
	}
	return h, nil
}

// add sums up the rows: every series counts with its newest point, while that is fresh.
func (r replay) add(load []float64, known []bool, rows []influx.Record, begin, end int) {
	series := map[[2]string][]influx.Record{}
	for _, row := range rows {
		key := [2]string{row.Tags["server"], row.Tags["proxy"]}
		series[key] = append(series[key], row)
	}
	for _, key := range slices.SortedFunc(maps.Keys(series), func(a, b [2]string) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) }) {
		list := series[key]
		slices.SortFunc(list, func(a, b influx.Record) int { return a.Time.Compare(b.Time) })
		next := 0
		for second := begin; second < end; second++ {
			at := r.from.Add(time.Duration(second) * time.Second)
			for next < len(list) && !list[next].Time.After(at) {
				next++
			}
			if next > 0 && at.Sub(list[next-1].Time) <= policy.Fresh {
				load[second] += list[next-1].Value
				known[second] = true
			}
		}
	}
}

// replicas lasts every decision until the next one.
func (r replay) replicas(desired map[int]int) []int {
	first := slices.Min(slices.Collect(maps.Keys(desired)))
	list := make([]int, r.seconds)
	for n := range list {
		if list[n] = desired[first]; n > first {
			list[n] = list[n-1]
		}
		if replicas, decided := desired[n]; decided {
			list[n] = replicas
		}
	}
	return list
}

func (r replay) loads(from, to time.Time) string {
	return fmt.Sprintf(`from(bucket: %s)
  |> range(start: %s, stop: %s)
  |> filter(fn: (r) => r._measurement == "haproxy" and r.type == "backend" and r._field == %s and r.service == %s)
  |> group(columns: ["server"])
  |> keep(columns: ["_time", "_value", "server", "proxy"])`,
		influx.Quote(r.bucket), from.UTC().Format(time.RFC3339Nano), to.UTC().Format(time.RFC3339Nano), influx.Quote(r.field), influx.Quote(r.service))
}

func (r replay) decisions(from, to time.Time) string {
	return fmt.Sprintf(`from(bucket: %s)
  |> range(start: %s, stop: %s)
  |> filter(fn: (r) => r._measurement == "sluice_scale" and r._field == "desired" and r.service == %s)
  |> group()
  |> keep(columns: ["_time", "_value"])
  |> sort(columns: ["_time"])`,
		influx.Quote(r.bucket), from.UTC().Format(time.RFC3339Nano), to.UTC().Format(time.RFC3339Nano), influx.Quote(r.service))
}

// reality does what was really done.
type reality []int

// reallyDone is its name in tables.
const reallyDone = "what happened"

func (reality) Name() string { return reallyDone }

func (r reality) Decide(m simulation.Moment) int { return r[min(m.Second, len(r)-1)] }

// replay reads the trace of --from-influx.
func (c *simulateCommand) replay(ctx context.Context, b *bench) (simulation.Trace, error) {
	if c.InfluxURL == "" {
		return simulation.Trace{}, fmt.Errorf("INFLUX_URL: is missing, --from-influx reads there")
	}
	if err := c.Config().Validate(); err != nil {
		return simulation.Trace{}, err
	}
	if c.Past < time.Minute || c.Past > longestReplay {
		return simulation.Trace{}, fmt.Errorf("--past: must lie between 1m and %s, got %s", longestReplay, c.Past)
	}
	until := c.Until
	if until.IsZero() {
		until = time.Now().Add(-policy.Fresh)
	}
	client := influx.NewReader(c.Config())
	defer client.Close()
	field, unit := "scur_mean", simulation.Sessions
	if b.rule.Metric == "requestRate" {
		field, unit = "req_rate_mean", simulation.Requests
	}
	r := replay{reader: client, bucket: c.InfluxBucket, service: c.FromInflux, field: field,
		from: until.Add(-c.Past).Truncate(time.Second), seconds: int(c.Past / time.Second)}
	h, err := r.read(ctx, unit)
	if err != nil {
		return simulation.Trace{}, err
	}
	b.begin, b.happened = r.from, h.desired
	if h.blind > 0 {
		fmt.Printf("In %d of %d seconds nothing was measured; the load before lasts through them.\n", h.blind, r.seconds)
	}
	return h.trace, nil
}
