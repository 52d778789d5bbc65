package policy

import (
	"slices"
	"time"
)

// State is the past that the next evaluation needs. It is a value: Evaluate and Applied answer a new one and leave the
// old as it was. The zero value knows nothing, so nothing is scaled down before StabilizeDown has been observed;
// Resume makes a better one from points of the past.
type State struct {
	Wanted     []Run     `json:"wanted"`   // recommendations, oldest first
	Changes    []Change  `json:"changes"`  // that were carried out, oldest first
	Observed   Run       `json:"observed"` // since when there is data without a gap; Replicas means nothing
	Complete   Run       `json:"complete"` // since when the data has been complete
	PanicUntil time.Time `json:"panicUntil,omitzero"`
}

// Run is a time during which the same number of replicas was wanted.
type Run struct {
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Replicas int       `json:"replicas"`
}

// Change is one step that was carried out.
type Change struct {
	At       time.Time `json:"at"`
	From, To int
}

// Applied adds a decision that was carried out at that time.
func (st State) Applied(at time.Time, d Decision) State {
	if d.From != d.To {
		st.Changes = append(slices.Clip(st.Changes), Change{At: at, From: d.From, To: d.To})
	}
	return st
}

// Resume rebuilds the state of a scaler that was restarted, or whose policy was changed: recommendations come from the
// points in the Input, evaluated at every second as far back as StabilizeDown (StabilizeUp) asks. changed is the last
// change of the service by anybody (zero: unknown); cooldowns run from it. The replicas of the past are not known, so
// every jump is taken for one that a single replica saw: it can only make the scaler more careful. What a `value` rule
// wanted depends on them wholly: such a policy starts to observe anew.
func (p Policy) Resume(now time.Time, in Input, changed time.Time) State {
	var st State
	if !changed.IsZero() {
		st.Changes = []Change{{At: changed, From: in.Replicas, To: in.Replicas}}
	}
	if slices.ContainsFunc(p.Rules, func(r Rule) bool { return !r.PerReplica }) {
		return st
	}
	for back := max(p.StabilizeDown, p.StabilizeUp); back > 0; back -= time.Second {
		at := now.Add(-back)
		st = p.remember(at, p.observe(at, in, 1), st)
	}
	return st
}

// remember adds what was seen at now and drops what is too old to matter. A gap in the data that is no longer than the
// window is no gap: the window covers it afterwards.
func (p Policy) remember(now time.Time, seen sight, st State) State {
	gap := max(Fresh, p.longest())
	if seen.any {
		st.Observed = st.Observed.extended(now, gap)
		st.Wanted = wanted(st.Wanted, now, seen.want, gap)
	}
	if latest := now.Add(p.longest()); seen.panic || st.PanicUntil.After(latest) { // or the clock was set back
		st.PanicUntil = latest
	}
	if seen.complete {
		st.Complete = st.Complete.extended(now, gap)
	}
	old := now.Add(-max(p.StabilizeUp, p.StabilizeDown))
	for len(st.Wanted) > 1 && !st.Wanted[0].To.After(old) {
		st.Wanted = st.Wanted[1:]
	}
	return st
}

// extended lets a run reach to now, or begin anew after a gap.
func (r Run) extended(now time.Time, gap time.Duration) Run {
	if r.From.IsZero() || now.Sub(r.To) > gap || r.From.After(now) {
		r.From = now
	}
	r.To = now
	return r
}

// wanted adds a recommendation to the runs without touching the array they stand in.
func wanted(runs []Run, now time.Time, replicas int, gap time.Duration) []Run {
	n := len(runs)
	if n > 0 && runs[n-1].Replicas == replicas && now.Sub(runs[n-1].To) <= gap {
		runs = slices.Clone(runs)
		runs[n-1] = runs[n-1].extended(now, gap)
		return runs
	}
	return append(slices.Clip(runs), Run{From: now, To: now, Replicas: replicas})
}

// at is the state as of now: what a clock that was set back left in the future happened now, and changes older than
// every cooldown and period are forgotten.
func (st State) at(now time.Time, keep time.Duration) State {
	changes := make([]Change, 0, len(st.Changes))
	for i, c := range st.Changes {
		if c.At.After(now) {
			c.At = now
		}
		if now.Sub(c.At) < keep || i == len(st.Changes)-1 {
			changes = append(changes, c)
		}
	}
	st.Changes = changes
	st.Wanted = slices.DeleteFunc(slices.Clone(st.Wanted), func(r Run) bool { return r.From.After(now) })
	return st
}

// memory is how long a change matters.
func (p Policy) memory() time.Duration {
	keep := max(p.CooldownUp, p.CooldownDown, p.longest())
	for _, l := range slices.Concat(p.RateUp.Limits, p.RateDown.Limits) {
		keep = max(keep, l.Period)
	}
	return keep
}
