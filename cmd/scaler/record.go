package main

import (
	"time"

	"github.com/rs/zerolog"

	"sluice/internal/influx"
	"sluice/policy"
)

// sayAgain is the time after which a decision that is no news is written to sluice_scale all the same, and before which
// no other hold is put into the log: one that lasts is, when the time is over.
const sayAgain = 10 * time.Second

// announcement is what the world was told last of a subject.
type announcement struct {
	decision policy.Decision
	written  time.Time // to sluice_scale
	logged   time.Time // a hold
	unsaid   bool      // that it is held now, or why, is not in the log yet
}

// spool takes lines of line protocol, and looks after its own failures.
type spool interface{ Put(lines []byte) }

// recorder tells log, InfluxDB, Prometheus and API what was decided.
type recorder struct {
	host    string // this scaler's
	log     zerolog.Logger
	spool   spool // nil: nothing is written
	metrics *metrics
	board   *board
	notify  *notifier // nil: nobody is told

	points []influx.Point // of this tick
}

// decided records one decision and what became of it.
func (r *recorder) decided(i *intent) {
	d, now := i.decision, i.decision.At
	changed := d.From != d.To && i.err == nil
	news := changed || d.News(i.announce.decision)
	if d.From != d.To && i.err != nil { // the first failure is in the log, the next ones say nothing new
		r.metrics.failures.WithLabelValues("update").Inc()
		d.To, d.Verdict, d.Held = d.From, policy.Hold, "swarm"
		d.Reason += ", but " + i.err.Error()
		news = d.News(i.announce.decision)
	}
	i.announce.decision = d
	i.announce.unsaid = d.Verdict == policy.Hold && (news || i.announce.unsaid)
	switch {
	case changed:
		r.log.Info().Str("service", d.Service).Int("from", d.From).Int("to", d.To).Str("verdict", string(d.Verdict)).
			Str("reason", d.Reason).Msg("replicas set")
		if r.notify != nil {
			r.notify.tell(i.policy.Notify, change{Service: d.Service, Stack: i.service.Stack, From: d.From, To: d.To, Verdict: d.Verdict, Reason: d.Reason, At: d.At})
		}
	case i.announce.unsaid && now.Sub(i.announce.logged) >= sayAgain:
		r.log.Info().Str("service", d.Service).Int("replicas", d.From).Str("reason", d.Reason).Msg("replicas held")
		i.announce.logged, i.announce.unsaid = now, false
	}
	if news || now.Sub(i.announce.written) >= sayAgain {
		r.points = append(r.points, scalePoint(r.host, i.subject, d))
		i.announce.written = now
	}
	r.metrics.decided(i.subject, d, changed)
	r.board.put(i.subject, d, news)
}

// ticked ends a tick: the points go into the spool together.
func (r *recorder) ticked(start time.Time, swarmFailure, influxTrouble string) {
	r.metrics.ticks.Observe(time.Since(start).Seconds())
	if swarmFailure != "" {
		r.metrics.failures.WithLabelValues("swarm").Inc()
	}
	if influxTrouble != "" {
		r.metrics.failures.WithLabelValues("source").Inc()
	}
	r.board.ticked(time.Now(), swarmFailure, influxTrouble)
	points := r.points
	if r.points = nil; r.spool == nil || len(points) == 0 {
		return
	}
	lines, err := influx.Encode(points)
	if err != nil {
		r.log.Error().Err(err).Msg("decisions cannot be encoded")
	}
	r.spool.Put(lines)
}

// keep forgets services that are gone.
func (r *recorder) keep(subjects map[string]*subject) {
	names, broken := map[string]bool{}, 0
	for _, s := range subjects {
		names[s.service.Name] = true
		if len(s.problems) > 0 {
			broken++
		}
	}
	r.metrics.services.Set(float64(len(names)))
	r.metrics.invalid.Set(float64(broken))
	for _, gone := range r.board.keep(names) {
		r.metrics.forget(gone)
	}
}

// scalePoint is a point of measurement sluice_scale. Of two rules with the same metric it tells the first one's figures.
func scalePoint(host string, s *subject, d policy.Decision) influx.Point {
	p := influx.Point{
		Measurement: "sluice_scale", At: d.At,
		Tags: []influx.Tag{{Key: "host", Value: host}, {Key: "service", Value: d.Service}, {Key: "stack", Value: s.service.Stack}},
		Fields: []influx.Field{
			{Key: "current", Value: d.From}, {Key: "desired", Value: d.To}, {Key: "running", Value: s.running},
			{Key: "min", Value: s.policy.Min}, {Key: "max", Value: s.policy.Max},
			{Key: "verdict", Value: string(d.Verdict)}, {Key: "reason", Value: d.Reason},
		},
	}
	told := map[string]bool{}
	for _, o := range d.Rules {
		if told[o.Metric] || o.Metric == "" || o.Asleep {
			continue
		}
		told[o.Metric] = true
		if o.Strategy == "target" {
			p.Fields = append(p.Fields, influx.Field{Key: o.Metric + "_target", Value: o.Target})
		}
		if o.Missing == "" {
			p.Fields = append(p.Fields, influx.Field{Key: o.Metric, Value: o.Value})
		}
	}
	return p
}
