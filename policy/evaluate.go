package policy

import (
	"fmt"
	"time"
)

// Evaluate decides about one service. It must be called with a Policy that Parse had no problem with. The State it
// answers does not hold the decision itself: add it with State.Applied once the replicas are set.
func (p Policy) Evaluate(now time.Time, in Input, st State) (Decision, State) {
	d := Decision{Service: p.Service, At: now, From: in.Replicas, To: in.Replicas, Want: in.Replicas}
	if refused(p, in, &d) {
		return d, st
	}
	st = st.at(now, p.memory())
	p = p.pausedAs(st)
	st = p.notice(now, in, st)
	seen := p.observe(present{now: now, in: in, base: p.base(now, in, st), st: st})
	st = p.remember(now, seen, st)
	d.Rules, d.Want = seen.rules, seen.want
	e := &evaluation{Policy: p, now: now, in: in, st: st, seen: seen}
	e.Min, e.Max = p.BoundsAt(now)
	e.run(&d, []step{
		{"tolerance", e.tolerance}, {"data", e.data}, {"stabilization", e.stabilization}, {"rate", e.rate},
		{"external", e.external}, {"bounds", e.within}, {"pause", e.pause}, {"cooldown", e.cooldown}, {"convergence", e.convergence}, {"dryRun", e.dryRun},
	}, e.lead(e.seen))
	st.Aim = d.To
	return d, st
}

// refused says about a service that is not to be scaled at all why it is not.
func refused(p Policy, in Input, d *Decision) bool {
	switch {
	case !in.Replicated:
		d.Verdict, d.Reason = Refused, "only a replicated service can be scaled, this is a global service or a job"
	case !p.Enabled:
		d.Verdict, d.Reason = Off, Prefix+"enabled is false"
	}
	return d.Verdict != ""
}

// base is how many replicas a jump is measured against: those before our own steps of the last window. The window shows
// a jump little by little, and a small step because of that must not make the jump look smaller.
func (p Policy) base(now time.Time, in Input, st State) int {
	return min(in.Replicas, startOf(Limit{Period: p.longest()}, now, in.Replicas, st.Changes))
}

// longest is the longest window of the rules.
func (p Policy) longest() time.Duration {
	var longest time.Duration
	for _, r := range p.Rules {
		longest = max(longest, r.Window)
	}
	return longest
}

// Reach is how far back from an evaluation the rules look.
func (p Policy) Reach() time.Duration {
	var reach time.Duration
	for _, r := range p.Rules {
		reach = max(reach, r.Window+r.Offset+Lookback)
	}
	return reach
}

// evaluation is what every step of the pipeline may look at.
type evaluation struct {
	Policy
	now  time.Time
	in   Input
	st   State
	seen sight
}

// step takes the number wanted so far and answers the number wanted after it, with the reason when that differs.
type step struct {
	name  string
	apply func(want int) (int, string)
}

// run lets every step change what the one before it wanted.
func (e *evaluation) run(d *Decision, steps []step, lead string) {
	want := e.seen.want
	d.Steps = make([]Step, 0, len(steps))
	for _, s := range steps {
		next, why := s.apply(want)
		d.Steps = append(d.Steps, Step{Name: s.name, From: want, To: next, Why: why})
		if why != "" && s.name != "tolerance" {
			d.Held = s.name
		}
		want = next
	}
	d.To = want
	switch {
	case d.To > d.From:
		d.Verdict = Up
	case d.To < d.From:
		d.Verdict = Down
	case !e.seen.any || d.Held != "":
		d.Verdict = Hold
	default:
		d.Verdict = Steady
	}
	d.Reason = d.reason(lead)
}

// tolerance keeps what is near enough. Together with rounding up it leaves a gap between going up from n replicas (need
// above n × 1.05 by default) and coming back to n (need at most n), so that a steady load finds a number and stays
// there. It is the rules' own: a step of a threshold is meant, however small. Where a step down waits for stabilization
// at all, it leaves the tolerance as a margin too: what is left must not be at its target already.
func (e *evaluation) tolerance(want int) (int, string) {
	current := e.in.Replicas
	if left := min(current, e.seen.spare); e.seen.ask == want && want < left && e.StabilizeDown > 0 {
		return left, fmt.Sprintf("%d leave a margin of %s%%", left, number(e.Tolerate*100))
	}
	if e.seen.ask == want {
		return want, ""
	}
	return e.seen.ask, fmt.Sprintf("that is within %s%% of the target", number(e.Tolerate*100))
}

// data forbids a step down on what may be half of the load.
func (e *evaluation) data(want int) (int, string) {
	if want >= e.in.Replicas || e.seen.complete {
		return want, ""
	}
	if len(e.seen.silent) > 0 {
		return e.in.Replicas, silences(e.seen.silent, "has been silent for")
	}
	if e.seen.lacks != "" {
		return e.in.Replicas, e.seen.lacks
	}
	return e.in.Replicas, "not every rule has data"
}

// rate limits the speed.
func (e *evaluation) rate(want int) (int, string) {
	if high := e.RateUp.highest(e.now, e.in.Replicas, e.st.Changes); want > high {
		return high, e.RateUp.allows("rateUp", high)
	}
	if low := e.RateDown.lowest(e.now, e.in.Replicas, e.st.Changes); want < low {
		return low, e.RateDown.allows("rateDown", low)
	}
	return want, ""
}

// within keeps the bounds, even without data; no later step but a pause leaves them.
func (e *evaluation) within(want int) (int, string) {
	switch {
	case want < e.Min:
		return e.Min, fmt.Sprintf("min is %d", e.Min)
	case want > e.Max:
		return e.Max, fmt.Sprintf("max is %d", e.Max)
	}
	return want, ""
}

// kept is the number of replicas when nothing new is done: the present one, or the one that somebody else has just
// undone, brought within the bounds.
func (e *evaluation) kept() int {
	n := e.in.Replicas
	if e.restoring() {
		n = e.st.Decided
	}
	return min(max(n, e.Min), e.Max)
}

// keep answers that number, and why.
func (e *evaluation) keep(format string, args ...any) (int, string) {
	why := fmt.Sprintf(format, args...)
	switch {
	case e.restoring():
		why += fmt.Sprintf(" and somebody else set %d where %d was decided", e.in.Replicas, e.st.Decided)
	case e.in.Replicas < e.Min:
		why += fmt.Sprintf(" and min is %d", e.Min)
	case e.in.Replicas > e.Max:
		why += fmt.Sprintf(" and max is %d", e.Max)
	}
	return e.kept(), why
}
