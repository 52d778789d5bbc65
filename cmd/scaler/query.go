package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"sluice/internal/influx"
	"sluice/policy"
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

// lateFor is how long after an outage the wide queries reach back to where it began: the proxies send what they kept within
// seconds, the oldest first.
const lateFor = 35 * time.Second

// feed keeps what is measured up to date.
//
//	InfluxDB    one query a tick for HAProxy's figures of all services, one every few seconds for those of containers,
//	            and the queries of rules
//	proxies     asked directly for the same figures of HAProxy, while InfluxDB does not answer or where there is none;
//	            now and then beside InfluxDB too, for which see source_roll.go
//
// Both sources of HAProxy's figures fill the same samples with the same points, so going from one to the other leaves no
// gap and counts nothing twice.
type feed struct {
	reader  reader // nil: there is no InfluxDB
	bucket  string
	timeout time.Duration // of a call
	side    time.Duration // how long a tick waits for what the other services do not need
	log     zerolog.Logger
	samples *samples

	influx     source
	asking     errand[[]influx.Record]
	reached    time.Time     // where the query under way begins
	clauses    []clause      // of that query
	wide       time.Time     // start of the last wide one
	outage     time.Time     // before the last outage everything was read
	over       time.Time     // when that was over; zero: there was none
	reach      time.Duration // how far back to dare: less after a query that took too long
	direct     *direct       // nil: the proxies cannot be asked
	containers *containers   // nil without InfluxDB, as are the queries
	queries    *queries
	gauges     *sourceGauges // nil: nobody scrapes

	answered time.Time // start of the last call for what was wanted that was answered; zero: none yet
	trouble  string    // why HAProxy's figures are not known; "" when they are
}

// newFeed makes a feed whose calls may take a few ticks. Without a reader there is no InfluxDB, with direct nil the
// proxies cannot be asked.
func newFeed(r reader, bucket string, interval time.Duration, log zerolog.Logger) *feed {
	timeout := min(max(3*interval, 2*time.Second), 10*time.Second)
	f := &feed{reader: r, bucket: bucket, timeout: timeout, side: interval / 4, log: log, samples: newSamples(), influx: influxSource(), reach: history}
	if r != nil {
		f.containers, f.queries = newContainers(r, bucket, timeout, log), newQueries(r, nil)
	}
	return f
}

// pull asks for what is new.
func (f *feed) pull(ctx context.Context, wishes []wish) {
	if len(wishes) == 0 {
		return
	}
	start := time.Now()
	f.samples.want(wishes, ofHAProxy)
	clauses := f.samples.clauses(wishes)
	if f.reader != nil {
		f.containers.begin(ctx, wishes)
		f.queries.begin(ctx, wishes, f.side)
	}
	if len(clauses) > 0 {
		f.pullHAProxy(ctx, start, clauses)
	} else {
		f.trouble, f.answered = "", start
	}
	if f.reader != nil {
		side, cancel := context.WithTimeout(ctx, f.side)
		f.containers.collect(side)
		f.queries.collect(side)
		cancel()
	}
	f.gauges.show(f)
}

// pullHAProxy asks InfluxDB, and the proxies as long as that does not answer.
func (f *feed) pullHAProxy(ctx context.Context, start time.Time, clauses []clause) {
	if f.reader != nil && !f.asking.busy() {
		from := f.from(start)
		if !slices.EqualFunc(clauses, f.clauses, clause.equal) {
			from = earlier(from, start.Add(-widest)) // something new is wanted, for which there are no points yet
		}
		query := flux(f.bucket, from, start.Add(mostAhead), clauses)
		f.asking.begin(ctx, f.timeout, func(ctx context.Context) ([]influx.Record, error) { return f.reader.Query(ctx, query) })
		f.reached, f.clauses = from, clauses
	}
	switch {
	case f.direct == nil:
	case f.askedDirectly():
		f.direct.begin(ctx, f.timeout, f.samples.keep)
	default:
		f.beginRoll(ctx, start)
	}
	f.collect(ctx)
	if f.reader != nil && f.influx.trouble == "" && !f.influx.answered.IsZero() {
		f.trouble, f.answered = "", f.influx.answered
		if f.direct != nil {
			f.endRoll(ctx)
		}
		return
	}
	f.trouble = f.influx.trouble
	if f.direct == nil {
		return
	}
	f.direct.begin(ctx, f.timeout, f.samples.keep) // InfluxDB has just failed
	f.direct.collect(ctx, f.log, f.samples)
	switch {
	case f.direct.trouble == "" && !f.direct.answered.IsZero():
		f.trouble, f.answered = "", later(f.answered, f.direct.answered)
	case f.reader == nil:
		f.trouble = f.direct.trouble
	default:
		f.trouble += ", " + f.direct.trouble
	}
}

// collect takes the answer of InfluxDB. While the proxies are asked in its stead nobody waits for one that hangs.
func (f *feed) collect(ctx context.Context) {
	if f.reader == nil {
		return
	}
	if f.direct != nil && f.influx.trouble != "" {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.side)
		defer cancel()
	}
	o, came := f.asking.take(ctx)
	if !came {
		f.influx.waits(time.Now())
		return
	}
	if f.influx.trouble != "" && o.err == nil && !f.influx.answered.IsZero() {
		before := f.influx.answered.Add(-overlap)
		if o.begun.Sub(f.over) < lateFor {
			before = earlier(before, f.outage) // what was kept in the outage before may not be there yet
		}
		f.outage, f.over = before, o.begun
	}
	f.influx.did(f.log, o.begun, o.ended, o.err)
	if o.err != nil {
		f.reach = max(widest, f.reach/2)
		return
	}
	f.samples.add(o.ended, o.value)
	f.reach = f.samples.keep
	if o.begun.Sub(f.reached) >= widest {
		f.wide = o.begun
	}
}

// from is where the next query begins.
func (f *feed) from(now time.Time) time.Time {
	if now.Sub(f.influx.answered) > widest {
		return later(f.influx.answered.Add(-overlap), now.Add(-f.reach))
	}
	if now.Sub(f.wide) >= wideEvery {
		if now.Sub(f.over) < lateFor {
			return later(earlier(f.outage, now.Add(-widest)), now.Add(-f.reach))
		}
		return now.Add(-widest)
	}
	from := f.samples.oldest(now).Add(-overlap)
	if latest := now.Add(-narrowest); from.After(latest) {
		from = latest
	}
	return later(from, now.Add(-widest))
}

// series are everything that is known of a service.
func (f *feed) series(now time.Time, service string) []policy.Series {
	list := f.samples.of(service)
	if f.reader != nil {
		list = append(list, f.containers.of(now, service)...)
		list = append(list, f.queries.of(service)...)
	}
	return list
}

// fill gives a policy what is known of its service, and what is not, as of now.
func (f *feed) fill(now time.Time, in *policy.Input, service string, p policy.Policy) {
	in.Series, in.Trouble = f.series(now, service), f.trouble
	if in.Trouble == "" && f.answered.IsZero() {
		in.Trouble = "nothing was asked yet"
	}
	in.Failures, in.Partial = map[string]string{}, map[string]string{}
	for _, r := range p.Rules {
		source := r.Source()
		switch {
		case r.Strategy == "fixed":
		case ofHAProxy(r.Metric):
			if lack := f.lacking(now); lack != "" {
				in.Partial[source] = lack
			}
		case f.reader == nil:
			in.Failures[source] = r.Metric + " needs InfluxDB (INFLUX_URL)"
		case ofContainers(r.Metric):
			f.containers.fill(now, in, source)
		default:
			f.queries.fill(in, service, source)
		}
	}
}

// lacking says which proxies are not measured.
func (f *feed) lacking(now time.Time) string {
	switch {
	case f.direct == nil:
		return ""
	case f.askedDirectly():
		return f.direct.lacking()
	}
	return f.absent(now)
}

// askedDirectly tells whether the proxies are the source of HAProxy's figures.
func (f *feed) askedDirectly() bool {
	return f.direct != nil && (f.reader == nil || f.influx.trouble != "")
}

// origin says where HAProxy's figures come from.
func (f *feed) origin(now time.Time) string {
	switch {
	case f.askedDirectly() && f.reader != nil:
		return "from " + f.direct.speakers() + " directly, " + f.influx.trouble
	case f.askedDirectly():
		return "from " + f.direct.speakers() + " directly"
	case f.direct != nil && len(f.unwritten(now)) > 0:
		return "from InfluxDB, and from " + strings.Join(f.unwritten(now), ", ") + " directly"
	}
	return "from InfluxDB"
}

// remark is what a person should know of the sources; "" when all is well.
func (f *feed) remark(now time.Time) string {
	switch {
	case f.trouble != "":
		return f.trouble
	case f.reader != nil && f.influx.trouble != "":
		return f.influx.trouble + ", the proxies are asked directly"
	case f.lacking(now) != "":
		return f.lacking(now)
	case f.direct != nil && f.reader != nil && len(f.unwritten(now)) > 0:
		return "InfluxDB gets no points of " + strings.Join(f.unwritten(now), ", ") + ", asked directly"
	case f.reader != nil:
		return f.containers.trouble
	}
	return ""
}
