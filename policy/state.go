package policy

import (
	"slices"
	"time"
)

// State is the past that the next evaluation needs. It is a value: Evaluate and Applied answer a new one and leave the
// old as it was. The zero value knows nothing, so nothing is scaled down before StabilizeDown has been observed;
// Resume makes a better one from points of the past.
type State struct {
	Wanted     []Run     `json:"wanted"`           // that a step down may not undercut, oldest first: with the tolerance as a margin
	Lowest     []Run     `json:"lowest,omitempty"` // that a step up may not exceed, while StabilizeUp asks
	Changes    []Change  `json:"changes"`          // that were carried out, oldest first
	Observed   Run       `json:"observed"`         // since when there is data without a gap; Replicas means nothing
	Complete   Run       `json:"complete"`         // since when the data has been complete
	PanicUntil time.Time `json:"panicUntil,omitzero"`

	Known   bool      `json:"known,omitempty"` // the next four mean something
	Decided int       `json:"decided"`         // replicas as the scaler left them
	Present int       `json:"present"`         // as it saw them last
	Aim     int       `json:"aim"`             // and as its last decision wants them, carried out or not
	Moved   time.Time `json:"moved,omitzero"`  // when somebody else changed them last

	// Serial counts what was written to the service: of two states the one with the higher serial is the later one,
	// whatever the clocks of their scalers say.
	Serial int    `json:"serial,omitempty"`
	Paused Paused `json:"paused,omitzero"` // by somebody over the API

	Failing []Since `json:"failing,omitempty"` // rules whose source fails
	Held    []Since `json:"held,omitempty"`    // rules whose value is out of their range
}

// Since says since when something is so of a rule.
type Since struct {
	Rule int       `json:"rule"` // its index
	Side int       `json:"side"` // of Held: 1 above the range, -1 below it
	At   time.Time `json:"at"`
}

// failing is since when the source of a rule fails.
func (st State) failing(rule int, now time.Time) time.Time { return since(st.Failing, rule, 0, now) }

// held is since when the value of a rule is on that side of its range.
func (st State) held(rule, side int, now time.Time) time.Time { return since(st.Held, rule, side, now) }

func since(list []Since, rule, side int, now time.Time) time.Time {
	for _, s := range list {
		if s.Rule == rule && s.Side == side && !s.At.After(now) {
			return s.At
		}
	}
	return now
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

// Applied adds a decision that is carried out at that time: it is the state to leave at the service together with the
// replicas, and ours once that succeeded.
func (st State) Applied(at time.Time, d Decision) State {
	st.Serial++
	return st.changed(at, d)
}

func (st State) changed(at time.Time, d Decision) State {
	if d.From != d.To {
		st.Changes = append(slices.Clip(st.Changes), Change{At: at, From: d.From, To: d.To})
		st.Known, st.Decided, st.Present, st.Aim = true, d.To, d.To, d.To
	}
	return st
}

// Resume rebuilds the state of a scaler that was restarted, or whose policy was changed: recommendations come from the
// points in the Input, evaluated at every second as far back as StabilizeDown (StabilizeUp) asks. changed is the last
// change of the service by anybody (zero: unknown); cooldowns run from it. The replicas of the past are not known, so
// every jump is taken for one that a single replica saw: it can only make the scaler more careful. What a threshold or a
// `value` rule wanted depends on them wholly: such a policy starts to observe anew.
func (p Policy) Resume(now time.Time, in Input, changed time.Time) State {
	var st State
	if !changed.IsZero() {
		st.Changes = []Change{{At: changed, From: in.Replicas, To: in.Replicas}}
	}
	if slices.ContainsFunc(p.Rules, Rule.relative) {
		return st
	}
	for back := max(p.StabilizeDown, p.StabilizeUp); back > 0; back -= time.Second {
		at := now.Add(-back)
		st = p.remember(at, p.observe(present{now: at, in: in, base: 1, st: st}), st)
	}
	return st
}

// Recalled is the state to go on from after a restart, or after a change of the labels: what was left at the service,
// with the recommendations that the points of the past tell (see Resume) added to those that were left. More
// recommendations only make stabilization more careful. How long a value was out of a range, or a source failed, is not
// known of the time since the last change: that begins anew.
func (p Policy) Recalled(now time.Time, in Input, left State, changed time.Time) State {
	past := p.Resume(now, in, changed)
	st := left
	st.Held, st.Failing = nil, nil
	if len(st.Changes) == 0 {
		st.Changes = past.Changes
	}
	st.Wanted, st.Lowest = united(left.Wanted, past.Wanted), united(left.Lowest, past.Lowest)
	if !past.Observed.From.IsZero() {
		st.Observed = past.Observed
	}
	if !past.Complete.From.IsZero() {
		st.Complete = past.Complete
	}
	if past.PanicUntil.After(st.PanicUntil) {
		st.PanicUntil = past.PanicUntil
	}
	return st
}

// united is both in the order of their ends.
func united(a, b []Run) []Run {
	all := slices.Concat(a, b)
	slices.SortStableFunc(all, func(a, b Run) int { return a.To.Compare(b.To) })
	return all
}

// remember adds what was seen at now and drops what is too old to matter. A gap in the data that is no longer than the
// window is no gap: the window covers it afterwards.
func (p Policy) remember(now time.Time, seen sight, st State) State {
	gap, before := max(Fresh, p.longest()), st
	if seen.any {
		st.Observed = st.Observed.extended(now, gap)
		st.Wanted = wanted(st.Wanted, now, seen.spare, gap)
		if p.StabilizeUp > 0 {
			st.Lowest = wanted(st.Lowest, now, seen.want, gap)
		}
	}
	if latest := now.Add(p.longest()); seen.panic || st.PanicUntil.After(latest) { // or the clock was set back
		st.PanicUntil = latest
	}
	if seen.complete {
		st.Complete = st.Complete.extended(now, gap)
	}
	st.Wanted = matter(st.Wanted, now.Add(-p.StabilizeDown), func(a, b int) bool { return a > b })
	st.Lowest = matter(st.Lowest, now.Add(-p.StabilizeUp), func(a, b int) bool { return a < b })
	st.Failing, st.Held = nil, nil
	for _, o := range seen.rules {
		if o.failed {
			st.Failing = append(st.Failing, Since{Rule: o.Rule, At: before.failing(o.Rule, now)})
		}
		if o.side != 0 {
			st.Held = append(st.Held, Since{Rule: o.Rule, Side: o.side, At: before.held(o.Rule, o.side, now)})
		}
	}
	return st
}

// matter drops the recommendations that no stabilization can ask for any more: they are too old, or a later one is as
// high (or low). So the state stays as small as the numbers that are wanted are few.
func matter(runs []Run, old time.Time, better func(a, b int) bool) []Run {
	if len(runs) < 2 {
		return runs
	}
	last := runs[len(runs)-1]
	kept, best := []Run{last}, last.Replicas
	for _, r := range slices.Backward(runs[:len(runs)-1]) {
		if r.To.After(old) && better(r.Replicas, best) {
			kept, best = append(kept, r), r.Replicas
		}
	}
	slices.Reverse(kept)
	return kept
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
	future := func(r Run) bool { return r.From.After(now) }
	st.Wanted = slices.DeleteFunc(slices.Clone(st.Wanted), future)
	st.Lowest = slices.DeleteFunc(slices.Clone(st.Lowest), future)
	if !st.Paused.Until.IsZero() && !now.Before(st.Paused.Until) {
		st.Paused = Paused{}
	}
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
