package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"sluice/internal/influx"
)

// reader answers Flux queries.
type reader interface {
	Query(ctx context.Context, flux string) ([]influx.Record, error)
}

// How far back a query reaches. The first one, and the first after an outage, fill the past; the others ask for what may
// be new: since the newest point of the slowest proxy, so that late points are seen. A wide one now and then finds a
// proxy that is new and whose clock is behind.
const (
	overlap   = 3 * time.Second
	narrowest = 5 * time.Second
	widest    = 15 * time.Second
	wideEvery = 10 * time.Second
)

// maxNamed is the number of services up to which a query names them; above, all backends are read.
const maxNamed = 100

// feed keeps the samples up to date, with one query a tick for all services.
type feed struct {
	reader  reader
	bucket  string
	timeout time.Duration
	log     zerolog.Logger
	samples *samples

	answered time.Time     // start of the last query that was answered; zero: none yet
	wide     time.Time     // start of the last wide one
	reach    time.Duration // how far back to dare: less after a query that took too long
	trouble  string
	since    time.Time // of trouble
}

// pull asks for new points. What goes wrong is logged when it begins and when it ends, and is otherwise trouble.
func (f *feed) pull(ctx context.Context, services, metrics []string) {
	if len(services) == 0 || len(metrics) == 0 {
		return
	}
	start := time.Now()
	from := f.from(start)
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	rows, err := f.reader.Query(ctx, flux(f.bucket, from, start.Add(mostAhead), services, metrics))
	if err != nil {
		f.failed(start, err)
		return
	}
	now := time.Now()
	f.samples.add(now, rows)
	if f.trouble != "" {
		f.log.Info().Stringer("after", now.Sub(f.since).Round(time.Second)).Msg("InfluxDB answers again")
	}
	f.answered, f.trouble, f.reach = start, "", f.samples.keep
	if start.Sub(from) >= widest {
		f.wide = start
	}
}

func (f *feed) failed(start time.Time, err error) {
	if f.trouble == "" {
		f.since = start
		f.log.Warn().Err(err).Msg("InfluxDB does not answer, services keep their replicas")
	}
	f.trouble = "InfluxDB does not answer"
	if silent := time.Since(f.since).Round(time.Second); silent > 0 {
		f.trouble = fmt.Sprintf("InfluxDB has not answered for %s", silent)
	}
	f.reach = max(widest, f.reach/2)
}

// from is where the next query begins.
func (f *feed) from(now time.Time) time.Time {
	if now.Sub(f.answered) > widest {
		return later(f.answered.Add(-overlap), now.Add(-f.reach))
	}
	if now.Sub(f.wide) >= wideEvery {
		return now.Add(-widest)
	}
	from := f.samples.oldest(now).Add(-overlap)
	if latest := now.Add(-narrowest); from.After(latest) {
		from = latest
	}
	return later(from, now.Add(-widest))
}

// flux is the query. Its end lies in the future, since a proxy's clock may be ahead and Flux would else stop at now.
// Grouping makes a table per proxy instead of one per series, which InfluxDB 1.8 answers in two thirds of the time.
func flux(bucket string, from, to time.Time, services, metrics []string) string {
	names := ""
	if len(services) <= maxNamed {
		names = " and (" + influx.AnyOf("service", services) + ")"
	}
	return fmt.Sprintf(`from(bucket: %s)
  |> range(start: %s, stop: %s)
  |> filter(fn: (r) => r._measurement == "haproxy" and r.type == "backend" and (%s)%s)
  |> group(columns: ["_field", "server"])
  |> keep(columns: ["_time", "_value", "_field", "server", "proxy", "service"])`,
		influx.Quote(bucket), from.UTC().Format(time.RFC3339Nano), to.UTC().Format(time.RFC3339Nano),
		influx.AnyOf("_field", fieldsOf(metrics)), names)
}

// readable tells whether the proxies write the metric.
func readable(metric string) bool {
	for _, m := range fields {
		if m == metric {
			return true
		}
	}
	return false
}

func fieldsOf(metrics []string) []string {
	var list []string
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		if slices.Contains(metrics, fields[field]) {
			list = append(list, field)
		}
	}
	return list
}
