package main

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"

	"sluice/haproxystats"
	"sluice/internal/haproxy"
	"sluice/internal/influx"
)

// statsSource is what the exporter asks of HAProxy.
type statsSource interface {
	Workers(ctx context.Context) ([]haproxy.Worker, error)
	AskInto(ctx context.Context, pid int, command string, room []byte) ([]byte, error)
}

// exportSettings say what is exported, and under which names.
type exportSettings struct {
	interval time.Duration       // between two points
	servers  bool                // rows of servers too
	origin   haproxystats.Origin // of every point
	figures  func() figures      // of the controller; nil: none
	influx   influx.Config       // an empty URL: points are only kept in memory
	dir      string              // of the spool
	limit    int64               // of the spool, in bytes
}

// figures are what the controller tells of itself, for measurement sluice_proxy.
type figures struct {
	reloads, commands          int64 // since the start
	services, routes, problems int64 // now
	reloadReason               string
	quarantined                int64     // backends and certificates that HAProxy refuses, now
	problem                    string    // the first of the problems, those of the quarantine before others
	failure                    string    // why the last step failed; "" when it did not
	failedAt                   time.Time // since when
}

// exporter reads what HAProxy counts and hands it on. It is one goroutine, so HAProxy never has two of its questions.
//
//	every interval   all workers, `show stat`            -> Sampler.Next    -> recent, spool
//	in between       all workers, `show stat -1 2 -1`    -> Sampler.Observe
//
// HAProxy answers in the thread that serves traffic, so the readings in between get rarer when they get dear.
type exporter struct {
	exportSettings
	source statsSource
	log    zerolog.Logger
	shown  *shown
	recent *recent
	outbox *influx.Outbox
	lines  influx.Encoder
	effort effort
	answer []byte // room for one of HAProxy's without servers
	whole  int    // bytes of the last one with servers

	workers  int       // at the last reading
	draining int       // of them
	readings int64     // since the last point
	reloads  int64     // of the controller, at the last point
	awayAt   time.Time // since when HAProxy cannot be read; zero: it can
}

// What the exporter asks HAProxy.
const (
	askAll      = "show stat"
	askNoServer = "show stat -1 3 -1" // frontends and backends
	askBackends = "show stat -1 2 -1"
)

// askTimeout bounds one reading of all workers.
const askTimeout = 2 * time.Second

// lastTimeout bounds the last reading: mostly HAProxy has ended by then, which looks like a socket that is about to come.
const lastTimeout = 200 * time.Millisecond

// flushTimeout bounds the last attempt to send on the way out. What is left waits in the spool.
const flushTimeout = 2 * time.Second

func newExporter(source statsSource, s exportSettings, log zerolog.Logger) *exporter {
	return &exporter{
		exportSettings: s,
		source:         source,
		log:            log,
		shown:          newShown(s.origin.Owner),
		recent:         newRecent(s.origin.Server, s.interval),
		outbox:         influx.NewOutbox(s.influx, s.dir, s.limit, log),
		effort:         effort{interval: s.interval},
	}
}

// run exports until the context ends, then takes a last point and tries for a moment to send what waits.
func (e *exporter) run(ctx context.Context) {
	sending, stop := context.WithCancel(ctx)
	sent := make(chan struct{})
	go func() { e.outbox.Run(sending); close(sent) }()
	defer func() {
		stop()
		<-sent
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
		defer cancel()
		e.outbox.Close(last)
	}()

	timer := time.NewTimer(0)
	defer timer.Stop()
	due := time.Now()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastTimeout)
			defer cancel()
			e.point(last)
			return
		case <-timer.C:
		}
		if now := time.Now(); now.Before(due) {
			e.look(ctx)
		} else {
			e.point(ctx)
			due = due.Add(e.interval)
			if late := time.Now(); due.Before(late) {
				due = late.Add(e.interval) // points that were missed are not made up for
			}
		}
		timer.Reset(e.effort.wait(time.Until(due), e.awayAt.IsZero()))
	}
}

// point makes one point of everything.
func (e *exporter) point(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	e.effort.blind++
	command := askNoServer
	if e.servers && e.effort.serversDue() {
		command = askAll
	}
	workers, took, _, err := e.read(ctx, command)
	if errors.Is(err, context.Canceled) {
		return // on the way out: the last point is still to come
	}
	at := time.Now() // that of the answer: it may have taken long, for during a reload nobody answers
	e.note(err)
	var samples []haproxystats.Sample
	if err == nil {
		e.readings++
		samples = e.shown.next(at, workers, command == askAll)
		e.recent.add(at, samples, e.origin.Owner)
		var own figures
		if e.figures != nil {
			own = e.figures()
		}
		e.recent.addWorkers(at, e.workers, e.draining, own)
		if command == askAll && e.effort.servers(samples, took) {
			e.log.Info().Int("servers", e.effort.count).Stringer("took", took).Int("points", e.effort.every).
				Msg("servers are read once in this many points")
		}
	}
	if e.outbox.Enabled() {
		e.encode(at, samples, e.outbox.Put)
	}
	e.readings = 0
}

// encodeAtOnce is after how many bytes lines are handed on: a little less than what the spool writes at once. The lines of
// 10,000 servers are 11 MB.
const encodeAtOnce = 900 << 10

// encode makes lines of every sample, and one of the proxy itself, and gives them to put, which keeps nothing of them.
func (e *exporter) encode(at time.Time, samples []haproxystats.Sample, put func(lines []byte)) {
	var p influx.Point
	give := func() {
		if err := e.lines.Drain(put); err != nil {
			e.log.Warn().Err(err).Msg("points cannot be encoded")
		}
	}
	for s := range haproxystats.Points(at, e.origin, samples) {
		p.Measurement, p.At, p.Tags, p.Fields = s.Measurement, s.At, p.Tags[:0], p.Fields[:0]
		for _, t := range s.Tags {
			p.Tags = append(p.Tags, influx.Tag(t))
		}
		for _, f := range s.Fields {
			p.Fields = append(p.Fields, influx.Field(f))
		}
		if e.lines.Add(p); e.lines.Len() >= encodeAtOnce {
			give()
		}
	}
	e.lines.Add(e.own(at))
	give()
}

// own is the point of the proxy itself.
func (e *exporter) own(at time.Time) influx.Point {
	st := e.outbox.Stats()
	fields := []influx.Field{
		{Key: "up", Value: boolInt(e.awayAt.IsZero())},
		{Key: "workers", Value: e.workers},
		{Key: "draining", Value: e.draining},
		{Key: "readings", Value: e.readings},
		{Key: "ask_ms", Value: float64(e.effort.cost()) / float64(time.Millisecond)},
		{Key: "spool_bytes", Value: st.Bytes},
		{Key: "spool_points", Value: st.Points},
		{Key: "dropped_points", Value: st.Dropped},
		{Key: "refused_points", Value: st.Refused},
		{Key: "lag_s", Value: st.Lag.Seconds()},
	}
	if e.figures != nil {
		f := e.figures()
		fields = append(fields,
			influx.Field{Key: "reloads", Value: f.reloads},
			influx.Field{Key: "commands", Value: f.commands},
			influx.Field{Key: "services", Value: f.services},
			influx.Field{Key: "routes", Value: f.routes},
			influx.Field{Key: "problems", Value: f.problems},
			influx.Field{Key: "quarantined", Value: f.quarantined})
		fields = append(fields, f.trouble(at)...)
		if f.reloads != e.reloads {
			e.reloads = f.reloads
			fields = append(fields, influx.Field{Key: "reload_reason", Value: f.reloadReason})
		}
	}
	return influx.Point{
		Measurement: haproxystats.Proxy,
		Tags:        []influx.Tag{{Key: "host", Value: e.origin.Host}, {Key: "server", Value: e.origin.Server}},
		Fields:      fields,
		At:          at,
	}
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// look takes a reading of the backends between two points. One that is not complete is left out.
func (e *exporter) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	workers, took, complete, err := e.read(ctx, askBackends)
	if errors.Is(err, context.Canceled) {
		return
	}
	e.note(err)
	if err == nil && complete {
		e.shown.observe(time.Now(), workers)
		e.effort.backends(took)
		e.readings++
	}
}

// read asks every worker. A draining one that ends meanwhile, or does not answer, makes the reading incomplete and not
// wrong; took is what the current worker needed.
func (e *exporter) read(ctx context.Context, command string) (rows []haproxystats.Worker, took time.Duration, complete bool, err error) {
	workers, err := e.source.Workers(ctx)
	if err == nil && len(workers) == 0 {
		err = errors.New("HAProxy has no worker")
	}
	if err != nil {
		return nil, 0, false, err
	}
	e.workers, e.draining, complete = len(workers), 0, true
	for _, w := range workers {
		answered, needed, err := e.ask(ctx, w, command)
		if err != nil && !w.Draining {
			return nil, 0, false, err
		}
		complete = complete && err == nil
		if w.Draining {
			e.draining++
		} else {
			took = needed
		}
		if !errors.Is(err, haproxy.ErrNoWorker) {
			rows = append(rows, answered)
		}
	}
	return rows, took, complete, nil
}

func (e *exporter) ask(ctx context.Context, w haproxy.Worker, command string) (out haproxystats.Worker, took time.Duration, err error) {
	out = haproxystats.Worker{PID: w.PID, Draining: w.Draining}
	room := e.answer
	if command == askAll {
		room = make([]byte, 0, e.whole+e.whole/8) // 4 MB of 10,000 servers, and seldom: not worth keeping
	}
	start := time.Now()
	answer, err := e.source.AskInto(ctx, w.PID, command, room)
	took = time.Since(start)
	if err != nil {
		return out, took, err
	}
	if command == askAll {
		e.whole = len(answer)
	} else {
		e.answer = answer[:0] // what is read from it is copied
	}
	if command == askBackends && !w.Draining {
		out.Rows, err = haproxystats.ParseOpen(answer)
	} else {
		out.Rows, err = haproxystats.Parse(bytes.NewReader(answer))
	}
	return out, took, err
}

// note logs when HAProxy goes away and when it is back, each once.
func (e *exporter) note(err error) {
	switch {
	case err != nil && e.awayAt.IsZero():
		e.awayAt, e.workers, e.draining = time.Now(), 0, 0
		e.shown.gap()
		e.log.Warn().Err(err).Msg("HAProxy's statistics cannot be read")
	case err == nil && !e.awayAt.IsZero():
		e.log.Info().Stringer("after", time.Since(e.awayAt).Round(time.Millisecond)).Msg("HAProxy's statistics are read again")
		e.awayAt = time.Time{}
	}
}
