// Package policy turns the com.df.scale.* labels of a service and what was measured of it into a number of replicas.
//
//	labels ── Parse ──> Policy, or problems and no scaling
//	points ─┐
//	tasks  ─┼─ Policy.Evaluate(now, Input, State) ──> Decision {from, to, one sentence with numbers}, State
//	past   ─┘
//	   rule: points -> value -> need     one per rule, in replicas and fractions of them
//	   merge -> tolerance -> data -> stabilization -> rate -> bounds -> pause -> cooldown -> convergence -> dry run
//
// It is pure: time is an argument, the past is a value, the reason is a result. The caller sets the replicas and,
// when that succeeded, adds the change to the past with State.Applied.
package policy

import (
	"slices"
	"strconv"
	"time"
)

// Policy is how one service wants to be scaled. Only Parse makes one that is complete.
type Policy struct {
	Service  string
	Enabled  bool          // false: leave the service alone
	Min, Max int           // when no schedule moves them
	Interval time.Duration // between two evaluations
	Rules    []Rule        // none: only the bounds are kept, and steps come from outside
	Windows  []Bounds      // other bounds at times
	Merge    string        // max, min or mean of the rules
	Tolerate float64       // dead band around the target: 0.1 is 10 % to both sides

	CooldownUp, CooldownDown   time.Duration
	StabilizeUp, StabilizeDown time.Duration
	RateUp, RateDown           Rate
	Warmup                     time.Duration
	NoData                     string // hold or zero
	OnError                    string // hold, ignore or fallback
	Fallback                   Fallback
	OnExternalChange           string // restore, adopt or pause
	Pause                      Pause
	DryRun                     bool

	UpBy, DownBy Move     // one step that an alert asks for
	Notify       []string // addresses to tell of changes
}

// Rule makes a number of replicas of one metric.
type Rule struct {
	Index       int    // suffix of its labels, 0 for labels without one
	Strategy    string // target, threshold, passThrough or fixed
	Metric      string
	Backend     string // HAProxy backend or index of a destination; "" is all of them
	Query       string // for the metric query: its text,
	QueryConfig string // or the name of the Docker config that holds it
	Agg         string // how the window becomes one value
	Window      time.Duration
	Offset      time.Duration // how long ago the window ends
	Target      float64
	PerReplica  bool // the target, or the threshold, is about a replica's share and not the value itself
	Activation  float64
	Schedule    *Schedule // nil: the rule always holds

	PanicWindow    time.Duration // 0: no panic
	PanicThreshold float64       // times the replicas at the start of the window: 2 is 200 %

	UpAbove, DownBelow *float64 // nil: no step in that direction
	For                time.Duration
	UpBy, DownBy       Move
	Replicas           int // fixed
}

// Bounds are other bounds inside the windows of a schedule; 0 leaves a bound as it is.
type Bounds struct {
	Index    int
	Min, Max int
	Schedule Schedule
}

// Fallback is what a rule asks for when its source has failed for a time. The behaviours are those of KEDA
// ("ScaledObject specification", fallback.behavior), which counts failures where this counts time.
type Fallback struct {
	Replicas int
	After    time.Duration
	Behavior string // static, currentReplicas, currentReplicasIfHigher or currentReplicasIfLower
}

// of is the number to fall back to while current replicas are desired.
func (f Fallback) of(current int) int {
	switch {
	case f.Behavior == "currentReplicas",
		f.Behavior == "currentReplicasIfHigher" && current > f.Replicas,
		f.Behavior == "currentReplicasIfLower" && current < f.Replicas:
		return current
	}
	return f.Replicas
}

// Source names the series that the rule reads: its metric, or query.n for a query, which is the rule's own.
func (r Rule) Source() string {
	if r.Metric == "query" && r.Index > 0 {
		return r.Metric + "." + strconv.Itoa(r.Index)
	}
	return r.Metric
}

// measures tells whether the rule needs data at all.
func (r Rule) measures() bool { return r.Strategy != "fixed" }

// relative tells whether what the rule asks for depends on how many replicas there are.
func (r Rule) relative() bool {
	return r.Strategy == "threshold" || r.Strategy == "target" && !r.PerReplica
}

// level tells whether the values of several series are averaged: they are properties of a request or of a task.
func (r Rule) level() bool {
	return slices.Contains(levels, r.Metric) || r.Metric == "query" && !r.PerReplica
}

// metrics are what a rule can look at; levels are those whose sum over proxies or tasks means nothing.
var (
	metrics = []string{"sessions", "sessionRate", "requestRate", "queue", "responseTime", "errorRate", "bytesOut", "cpu", "memory", "query"}
	levels  = []string{"responseTime", "errorRate", "cpu", "memory"}
)

// BoundsAt are the fewest and most replicas as of now. Of several windows the largest bounds hold; max wins over min.
func (p Policy) BoundsAt(now time.Time) (low, high int) {
	for _, w := range p.Windows {
		if w.Schedule.Open(now) {
			low, high = max(low, w.Min), max(high, w.Max)
		}
	}
	if low == 0 {
		low = p.Min
	}
	if high == 0 {
		high = p.Max
	}
	return min(low, high), high
}
