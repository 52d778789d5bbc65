package policy

import (
	"cmp"
	"math"
	"time"
)

// Observation is what one rule saw and what it asks for.
type Observation struct {
	Rule     int     `json:"rule"` // its index, 0 without one
	Strategy string  `json:"strategy"`
	Metric   string  `json:"metric"`
	Value    float64 `json:"value"` // of the window, over backends and proxies
	Target   float64 `json:"target"`
	Need     float64 `json:"need"`           // in replicas, not rounded
	Want     int     `json:"recommendation"` // Need rounded up
	Panic    bool    `json:"panic,omitempty"`
	// Missing says why there is no value; Need is then the present number of replicas, or the one to fall back to.
	Missing string `json:"missing,omitempty"`
	// Asleep: the rule is outside its schedule. Ignored: its source failed. It takes no part in the decision then.
	Asleep  bool `json:"asleep,omitempty"`
	Ignored bool `json:"ignored,omitempty"`

	ask             float64       // Need, or the present replicas where that is near enough
	spare           float64       // Need, with the tolerance as a margin
	replicas, ready int           // what it was compared with
	short           time.Duration // the panic window, when that one decided
	failed          bool          // the source failed, and there is no value
	fallen          bool          // and Need is the number to fall back to
	side            int           // threshold: 1 above the range, -1 below it
	since           time.Time     // threshold: since when
}

// present is what the rules may look at.
type present struct {
	now  time.Time
	in   Input
	base int // replicas that a jump is measured against
	st   State
}

// sight is what all rules saw at one instant.
type sight struct {
	rules    []Observation
	need     float64 // merged
	want     int     // need rounded up
	ask      int     // the same, with what is near enough left alone
	spare    int     // the same, with the tolerance as a margin
	any      bool    // some rule knows what it asks for
	complete bool    // every rule has a value and no proxy is silent
	panic    bool
	silent   []silence
	lacks    string // of the first rule that only a part was measured of
}

// observe looks at the Input as of now; later points are not seen.
func (p Policy) observe(at present) sight {
	seen := sight{complete: true, rules: make([]Observation, 0, len(p.Rules))}
	asleep := 0
	for _, r := range p.Rules {
		o, silent := p.judge(r, at)
		if o.Asleep {
			asleep++
		}
		lacks := at.in.Partial[r.Source()]
		if !r.measures() || o.Asleep || o.Ignored || o.fallen {
			lacks = ""
		}
		if len(silent) > 0 || lacks != "" || o.Missing != "" && !o.Ignored && !o.fallen {
			seen.complete = false
		}
		seen.lacks = cmp.Or(seen.lacks, lacks)
		if len(seen.silent) == 0 {
			seen.silent = silent
		}
		seen.any = seen.any || o.Missing == "" && !o.Asleep || o.fallen
		seen.panic = seen.panic || o.Panic
		seen.rules = append(seen.rules, o)
	}
	if asleep == len(p.Rules) {
		seen.any = true
	}
	current := float64(at.in.Replicas)
	seen.need = p.merge(seen.rules, current, func(o Observation) float64 { return o.Need })
	seen.want = ceil(seen.need)
	seen.ask = ceil(p.merge(seen.rules, current, func(o Observation) float64 { return o.ask }))
	seen.spare = ceil(p.merge(seen.rules, current, func(o Observation) float64 { return o.spare }))
	return seen
}

// judge is what one rule sees and asks for.
func (p Policy) judge(r Rule, at present) (Observation, []silence) {
	o := Observation{
		Rule: r.Index, Strategy: r.Strategy, Metric: r.Metric, Target: r.Target, Need: float64(at.in.Replicas), replicas: at.in.Replicas,
		ready: at.in.warm(at.now, p.Warmup),
	}
	var silent []silence
	switch {
	case r.Schedule != nil && !r.Schedule.Open(at.now):
		o.Asleep = true
	case !r.measures():
		o.Metric, o.Need = "", float64(r.Replicas)
	default:
		silent = p.measure(r, at, &o)
	}
	if o.failed && p.OnError == "ignore" {
		o.Ignored, silent = true, nil
	}
	if since := at.st.failing(r.Index, at.now); o.failed && p.OnError == "fallback" && at.now.Sub(since) >= p.Fallback.After {
		o.fallen, silent = true, nil
		o.Need = float64(p.Fallback.of(at.in.Replicas))
	}
	o.Need = min(max(0, o.Need), math.MaxInt32)
	o.Want, o.ask, o.spare = ceil(o.Need), o.Need, o.Need
	if r.Strategy == "target" && o.Missing == "" {
		o.spare = min(o.Need/(1-p.Tolerate), math.MaxInt32)
		if o.replicas > 0 && math.Abs(o.Need/float64(o.replicas)-1) <= p.Tolerate {
			o.ask = float64(o.replicas)
		}
	}
	return o, silent
}

// measure makes one number of the rule's series. A proxy that is silent now counts only for the seconds in which it was
// heard, so the value is a lower bound.
func (p Policy) measure(r Rule, at present, o *Observation) []silence {
	var series []Series
	for _, s := range at.in.Series {
		if r.selects(s) {
			series = append(series, s)
		}
	}
	heard, silent := hearing(series, at.now)
	end := at.now.Add(-r.Offset)
	values, weights := totals(series, end, r.Window, r.level())
	if len(values) == 0 && heard > 0 && r.level() {
		values, weights = []float64{0}, []float64{1} // no request in the whole window
	}
	failure := at.in.Failures[r.Source()]
	if failure == "" {
		failure = at.in.Trouble
	}
	if heard == 0 && len(silent) == 0 && failure == "" && p.NoData == "zero" {
		heard, values, weights = 1, []float64{0}, []float64{1}
	}
	if heard == 0 || len(values) == 0 {
		switch o.failed = failure != ""; {
		case at.in.Failures[r.Source()] != "":
			o.Missing = failure
		case o.failed:
			o.Missing = failure + ", " + r.missing(silent)
		default:
			o.Missing = r.missing(silent)
		}
		return silent
	}
	if r.Strategy == "target" && !r.PerReplica && o.ready == 0 {
		o.Missing = "no replica is older than " + span(p.Warmup) + " yet, " + r.Metric + " says nothing"
		return silent
	}
	o.Value = aggregate(r.Agg, values, weights)
	p.ask(r, at, o)
	if short, weights := totals(series, end, r.PanicWindow, r.level()); len(short) > 0 && r.PanicWindow > 0 {
		value := aggregate(r.Agg, short, weights)
		need := r.need(value, o.ready)
		o.Panic = need >= r.PanicThreshold*float64(max(1, at.base))
		if o.Panic && need > o.Need {
			o.Value, o.Need, o.short = value, need, r.PanicWindow
		}
	}
	return silent
}

// ask makes replicas of the value.
func (p Policy) ask(r Rule, at present, o *Observation) {
	if r.Strategy == "threshold" {
		p.threshold(r, at, o)
		return
	}
	o.Need = r.need(o.Value, o.ready)
}

// need is the number of replicas that would carry the value, as a fraction.
func (r Rule) need(value float64, ready int) float64 {
	switch {
	case value <= r.Activation: // not above it
		return 0
	case r.Strategy == "passThrough":
		return max(0, value)
	}
	need := max(0, value) / r.Target
	if !r.PerReplica {
		need *= float64(ready)
	}
	return min(need, math.MaxInt32)
}

// threshold steps when the value has been out of the range for long enough, and nobody has changed the replicas
// meanwhile: a step is relative to what runs, so two scalers must not take it one after the other.
func (p Policy) threshold(r Rule, at present, o *Observation) {
	value := o.Value
	if r.PerReplica {
		value /= float64(max(1, o.replicas))
	}
	switch {
	case r.UpAbove != nil && value > *r.UpAbove:
		o.side = 1
	case r.DownBelow != nil && value < *r.DownBelow:
		o.side = -1
	default:
		return
	}
	o.since = at.st.held(r.Index, o.side, at.now)
	for _, c := range at.st.Changes {
		if c.At.After(o.since) {
			o.since = c.At
		}
	}
	pause := p.CooldownUp
	if o.side < 0 {
		pause = p.CooldownDown
	}
	if at.now.Sub(o.since) < r.For || !at.st.Moved.IsZero() && at.now.Sub(at.st.Moved) < max(r.For, pause) {
		return
	}
	if o.side > 0 {
		o.Need = float64(r.UpBy.Up(o.replicas))
	} else {
		o.Need = float64(r.DownBy.Down(o.replicas))
	}
}

// merge makes one number of the rules'. A rule without a value asks for the present replicas. When every rule is
// outside its schedule there is nothing to run for, but for the bounds.
func (p Policy) merge(rules []Observation, current float64, of func(Observation) float64) float64 {
	merged, count, ignored := 0.0, 0, len(rules) == 0
	for _, o := range rules {
		if ignored = ignored || o.Ignored; o.Asleep || o.Ignored {
			continue
		}
		n := of(o)
		switch count++; {
		case count == 1:
			merged = n
		case p.Merge == "min":
			merged = min(merged, n)
		case p.Merge == "mean":
			merged += n
		default:
			merged = max(merged, n)
		}
	}
	switch {
	case count == 0 && ignored:
		return current
	case count > 0 && p.Merge == "mean":
		return merged / float64(count)
	}
	return merged
}

// ceil rounds up, but takes 3.0000000001 for the 3 that it is.
func ceil(need float64) int { return int(math.Ceil(need - 1e-6)) }
