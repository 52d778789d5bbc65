package observe

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice/internal/influx"
)

// flux answers queries.
type flux interface {
	Query(ctx context.Context, query string) ([]influx.Record, error)
}

// Influx reads what the proxies and the scaler have written to InfluxDB, for where their APIs cannot be reached.
type Influx struct {
	Reader   flux
	Bucket   string
	Services []string
}

// late is how far back a look at InfluxDB asks: points come through a spool.
const late = 20 * time.Second

// Name says what failed, in a report.
func (i Influx) Name() string { return "InfluxDB" }

// Look gives the backends of all proxies added up, the workers of each, and the scaler's decisions. The reasons are texts, which a Reader gives as tags
// of a row whose _value is a number: hence the pivots.
func (i Influx) Look(ctx context.Context) (Reading, error) {
	var r Reading
	edge := time.Now().Add(-late + 2*time.Second)
	begin := fmt.Sprintf("from(bucket: %s)\n  |> range(start: -%ds, stop: 5s)\n  ", influx.Quote(i.Bucket), int(late/time.Second))
	steps := []struct {
		query string
		add   func(*Reading, []influx.Record)
	}{
		{`|> filter(fn: (r) => r._measurement == "haproxy" and r.type == "backend" and (` + influx.AnyOf("service", i.Services) + `) and (` +
			influx.AnyOf("_field", []string{"scur_mean", "scur_max", "req_rate_mean", "qcur", "http_response.5xx"}) + `))
  |> group(columns: ["_field", "server", "proxy", "service"])
  |> keep(columns: ["_time", "_value", "_field", "server", "proxy", "service"])`, addLoads},
		{`|> filter(fn: (r) => r._measurement == "sluice_proxy" and (` + influx.AnyOf("_field", []string{"workers", "draining", "reloads"}) + `))
  |> keep(columns: ["_time", "_value", "_field", "server"])`, addWorkers},
		{`|> filter(fn: (r) => r._measurement == "sluice_proxy" and (r._field == "reloads" or r._field == "reload_reason"))
  |> keep(columns: ["_time", "_value", "_field", "server"])
  |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")
  |> rename(columns: {reloads: "_value"})`, addReloads},
	}
	for _, step := range steps {
		rows, err := i.Reader.Query(ctx, begin+step.query)
		if err != nil {
			return r, fmt.Errorf("read points: %w", err)
		}
		step.add(&r, rows)
	}
	// At the edge of the range some proxies' points are in it and others' are not: a sum of these is too small.
	r.Loads = slices.DeleteFunc(r.Loads, func(l Load) bool { return l.At.Before(edge) })
	return r, i.addScale(ctx, begin, &r)
}

// sample is one backend of one proxy at one time.
type sample struct{ server, backend string }

func addLoads(r *Reading, rows []influx.Record) {
	samples := map[sample]map[time.Time]*Load{}
	counts := map[sample]map[time.Time]float64{} // of answers 5xx, so far
	for _, row := range rows {
		key := sample{row.Tags["server"], row.Tags["proxy"]}
		if samples[key] == nil {
			samples[key], counts[key] = map[time.Time]*Load{}, map[time.Time]float64{}
		}
		load := samples[key][row.Time]
		if load == nil {
			load = &Load{Service: row.Tags["service"], Backend: key.backend, At: row.Time}
			samples[key][row.Time] = load
		}
		switch row.Field {
		case "scur_mean":
			load.Connections = new(row.Value)
		case "scur_max":
			load.Peak = new(row.Value)
		case "req_rate_mean":
			load.Rate = new(row.Value)
		case "qcur":
			load.Queue = new(row.Value)
		case "http_response.5xx":
			counts[key][row.Time] = row.Value
		}
	}
	sums := map[Load]*Load{} // by service, backend and second: one for all proxies
	for key, at := range samples {
		failures(at, counts[key])
		for _, load := range at {
			into := Load{Service: load.Service, Backend: load.Backend, At: load.At.Truncate(time.Second)}
			if sums[into] == nil {
				sums[into] = new(into)
			}
			sums[into].add(*load)
		}
	}
	for _, sum := range sums {
		r.Loads = append(r.Loads, *sum)
	}
	slices.SortFunc(r.Loads, func(a, b Load) int {
		if order := a.At.Compare(b.At); order != 0 {
			return order
		}
		return strings.Compare(a.Backend, b.Backend)
	})
}

// failures fills in by how much the count of failures of one backend rose.
func failures(at map[time.Time]*Load, counts map[time.Time]float64) {
	var times []time.Time
	for t := range counts {
		times = append(times, t)
	}
	slices.SortFunc(times, time.Time.Compare)
	for i := 1; i < len(times); i++ {
		from, to := float64(times[i-1].UnixMilli()), float64(times[i].UnixMilli())
		at[times[i]].Errors = perSecond(&from, &to, new(counts[times[i-1]]), new(counts[times[i]]))
	}
}

func addWorkers(r *Reading, rows []influx.Record) {
	found := map[sample]map[time.Time]*Workers{}
	for _, row := range rows {
		key := sample{server: row.Tags["server"]}
		if found[key] == nil {
			found[key] = map[time.Time]*Workers{}
		}
		w := found[key][row.Time]
		if w == nil {
			w = &Workers{Instance: key.server, At: row.Time}
			found[key][row.Time] = w
		}
		switch row.Field {
		case "workers":
			w.All = int(row.Value)
		case "draining":
			w.Draining = int(row.Value)
		case "reloads":
			w.Reloads = int(row.Value)
		}
	}
	for _, at := range found {
		for _, w := range at {
			r.Workers = append(r.Workers, *w)
		}
	}
	slices.SortFunc(r.Workers, func(a, b Workers) int { return a.At.Compare(b.At) })
}

func addReloads(r *Reading, rows []influx.Record) {
	for _, row := range rows {
		if reason := row.Tags["reload_reason"]; reason != "" {
			r.Reloads = append(r.Reloads, Reload{row.Tags["server"], row.Time, reason})
		}
	}
	slices.SortFunc(r.Reloads, func(a, b Reload) int { return a.At.Compare(b.At) })
}
