package policy

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Observation is what one rule saw and what it asks for.
type Observation struct {
	Rule   int     `json:"rule"` // its index, 0 without one
	Metric string  `json:"metric"`
	Value  float64 `json:"value"` // of the window, summed over backends and proxies
	Target float64 `json:"target"`
	Need   float64 `json:"need"`           // in replicas, not rounded
	Want   int     `json:"recommendation"` // Need rounded up
	Panic  bool    `json:"panic,omitempty"`
	// Missing says why there is no value; Need is then the present number of replicas.
	Missing string `json:"missing,omitempty"`

	replicas, ready int           // what it was compared with
	short           time.Duration // the panic window, when that one decided
}

// sight is what all rules saw at one instant.
type sight struct {
	rules    []Observation
	need     float64 // merged
	want     int     // need rounded up
	any      bool    // some rule has a value
	complete bool    // every rule has a value and no proxy is silent
	panic    bool
	silent   []silence
}

// observe looks at the Input as of now; later points are not seen. A jump is measured against base replicas.
func (p Policy) observe(now time.Time, in Input, base int) sight {
	seen := sight{complete: true}
	for _, r := range p.Rules {
		var series []Series
		for _, s := range in.Series {
			if r.selects(s) {
				series = append(series, s)
			}
		}
		o, silent := r.observe(now, in, series, p.Warmup, base)
		if len(silent) > 0 || o.Missing != "" {
			seen.complete = false
		}
		if len(seen.silent) == 0 {
			seen.silent = silent
		}
		seen.any = seen.any || o.Missing == ""
		seen.panic = seen.panic || o.Panic
		seen.rules = append(seen.rules, o)
	}
	seen.need = p.merge(seen.rules)
	seen.want = ceil(seen.need)
	return seen
}

// observe makes one number of the rule's series. A proxy that is silent now counts only for the seconds in which it was
// heard, so the value is a lower bound.
func (r Rule) observe(now time.Time, in Input, series []Series, warmup time.Duration, base int) (Observation, []silence) {
	o := Observation{
		Rule: r.Index, Metric: r.Metric, Target: r.Target, Need: float64(in.Replicas), Want: in.Replicas,
		replicas: in.Replicas, ready: in.warm(now, warmup),
	}
	heard, silent := hearing(series, now)
	values := totals(series, now, r.Window)
	if heard == 0 || len(values) == 0 {
		o.Missing = r.missing(silent)
		return o, silent
	}
	if !r.PerReplica && o.ready == 0 {
		o.Missing = fmt.Sprintf("no replica is older than %s yet, %s says nothing", span(warmup), r.Metric)
		return o, silent
	}
	o.Value = aggregate(r.Agg, values)
	o.Need = r.need(o.Value, o.ready)
	if r.PanicWindow > 0 {
		if short := totals(series, now, r.PanicWindow); len(short) > 0 {
			value := aggregate(r.Agg, short)
			need := r.need(value, o.ready)
			o.Panic = need >= r.PanicThreshold*float64(max(1, base))
			if o.Panic && need > o.Need {
				o.Value, o.Need, o.short = value, need, r.PanicWindow
			}
		}
	}
	o.Want = ceil(o.Need)
	return o, silent
}

// need is the number of replicas that would carry the value, as a fraction.
func (r Rule) need(value float64, ready int) float64 {
	need := max(0, value) / r.Target
	if !r.PerReplica {
		need *= float64(ready)
	}
	return min(need, math.MaxInt32)
}

// sentence says what the rule saw: `sessions 412 over 3 replicas is 137 each, target 100`.
func (o Observation) sentence(perReplica bool) string {
	if o.Missing != "" {
		return o.Missing
	}
	window := ""
	if o.short > 0 {
		window = " in the last " + span(o.short)
	}
	if !perReplica {
		return fmt.Sprintf("%s %s%s with %s warm, target %s", o.Metric, number(o.Value), window, count(o.ready, "replica"), number(o.Target))
	}
	return fmt.Sprintf("%s %s%s over %s is %s each, target %s", o.Metric, number(o.Value), window,
		count(o.replicas, "replica"), number(o.Value/float64(max(1, o.replicas))), number(o.Target))
}

func (r Rule) missing(silent []silence) string {
	if len(silent) == 0 {
		return fmt.Sprintf("no %s measured within the last %s", r.Metric, span(Lookback))
	}
	return fmt.Sprintf("no fresh %s (%s)", r.Metric, silences(silent))
}

func silences(silent []silence) string {
	var parts []string
	for _, s := range silent {
		parts = append(parts, fmt.Sprintf("proxy %s silent for %s", s.Proxy, span(s.For)))
	}
	return strings.Join(parts, ", ")
}

// merge makes one need of the rules'. A rule without a value asks for the present replicas.
func (p Policy) merge(rules []Observation) float64 {
	merged := rules[0].Need
	for _, o := range rules[1:] {
		switch p.Merge {
		case "min":
			merged = min(merged, o.Need)
		case "mean":
			merged += o.Need
		default:
			merged = max(merged, o.Need)
		}
	}
	if p.Merge == "mean" {
		merged /= float64(len(rules))
	}
	return merged
}

// lead is the first half of the sentence: what was seen and what it asks for.
func (p Policy) lead(seen sight) string {
	var texts []string
	for i, o := range seen.rules {
		text := o.sentence(p.Rules[i].PerReplica)
		if !seen.any {
			return text
		}
		if len(seen.rules) > 1 {
			text = fmt.Sprintf("rule %d: %s", o.Rule, text)
		}
		if p.Merge != "mean" && o.Need == seen.need {
			return fmt.Sprintf("%s: want %d", text, seen.want)
		}
		texts = append(texts, text)
	}
	return fmt.Sprintf("%s: want %d on average", strings.Join(texts, "; "), seen.want)
}

// ceil rounds up, but takes 3.0000000001 for the 3 that it is.
func ceil(need float64) int { return int(math.Ceil(need - 1e-6)) }
