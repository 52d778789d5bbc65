package policy

import (
	"fmt"
	"time"
)

// patience is how long a task may take to start before it no longer forbids a step down: one that finds no node
// would forbid it for ever.
const patience = 2 * time.Minute

// stabilization lets a step down go no lower than the highest number wanted during StabilizeDown, with the tolerance as a
// margin, so that a noisy load does not make the last replica come and go; and a step up no higher
// than the lowest wanted during StabilizeUp. A time that was not observed wholly may hide another wish: no step then.
// The algorithm is that of the Kubernetes HorizontalPodAutoscaler (stabilizeRecommendationWithBehaviors), which instead
// takes the present replicas for a wish when it starts.
func (e *evaluation) stabilization(want int) (int, string) {
	current := e.in.Replicas
	switch {
	case want > current && !e.seen.panic && e.StabilizeUp > 0:
		if seen := e.now.Sub(e.st.Observed.From); seen < e.StabilizeUp {
			return current, fmt.Sprintf("observed for only %s of stabilizeUp %s", span(seen), span(e.StabilizeUp))
		}
		if r := extreme(e.st.Lowest, e.now, e.StabilizeUp, func(a, b int) bool { return a < b }); r.Replicas < want {
			return max(current, r.Replicas), e.wantedOnly(r, "stabilizeUp", e.StabilizeUp)
		}
	case want < current && e.now.Before(e.st.PanicUntil):
		return current, fmt.Sprintf("a jump of the load forbids a step down for %s", span(e.st.PanicUntil.Sub(e.now)))
	case want < current && e.StabilizeDown > 0:
		if seen := e.now.Sub(e.st.Complete.From); seen < e.StabilizeDown {
			return current, fmt.Sprintf("observed for only %s of stabilizeDown %s", span(seen), span(e.StabilizeDown))
		}
		if r := extreme(e.st.Wanted, e.now, e.StabilizeDown, func(a, b int) bool { return a > b }); r.Replicas > want {
			return min(current, r.Replicas), e.wantedOnly(r, "stabilizeDown", e.StabilizeDown)
		}
	}
	return want, ""
}

// extreme is the newest of the best runs that reach into the window.
func extreme(runs []Run, now time.Time, window time.Duration, better func(a, b int) bool) Run {
	best := runs[len(runs)-1]
	for _, r := range runs {
		if now.Sub(r.To) < window && !better(best.Replicas, r.Replicas) {
			best = r
		}
	}
	return best
}

func (e *evaluation) wantedOnly(r Run, name string, window time.Duration) string {
	return fmt.Sprintf("%d was wanted %s ago (%s %s)", r.Replicas, span(e.now.Sub(r.To)), name, span(window))
}

// cooldown waits after our own change. A step up that is larger than that change is news of a kind that cannot wait.
func (e *evaluation) cooldown(want int) (int, string) {
	if e.Pause.Frozen || want == e.kept() {
		return want, ""
	}
	if since := e.now.Sub(e.st.Moved); e.OnExternalChange == "adopt" && !e.st.Moved.IsZero() {
		switch {
		case want > e.in.Replicas && !e.seen.panic && since < e.CooldownUp:
			return e.keep("somebody else set %s %s ago (cooldownUp %s)", count(e.in.Replicas, "replica"), span(since), span(e.CooldownUp))
		case want < e.in.Replicas && since < e.CooldownDown:
			return e.keep("somebody else set %s %s ago (cooldownDown %s)", count(e.in.Replicas, "replica"), span(since), span(e.CooldownDown))
		}
	}
	if len(e.st.Changes) == 0 {
		return want, ""
	}
	current, last := e.in.Replicas, e.st.Changes[len(e.st.Changes)-1]
	since, size := e.now.Sub(last.At), max(last.To-last.From, last.From-last.To)
	switch {
	case want > current && !e.seen.panic && since < e.CooldownUp && want-current <= size:
		return e.keep("the last change is %s ago (cooldownUp %s)", span(since), span(e.CooldownUp))
	case want < current && since < e.CooldownDown:
		return e.keep("the last change is %s ago (cooldownDown %s)", span(since), span(e.CooldownDown))
	}
	return want, ""
}

// convergence waits for the swarm. During an update nothing moves: a change would take the place of the specification
// that a failed update rolls back to. Tasks on their way forbid a step down; a step up counts them in, since it
// compares with the desired replicas.
func (e *evaluation) convergence(want int) (int, string) {
	if want == e.in.Replicas || want == e.kept() || e.Pause.Frozen {
		return want, ""
	}
	if e.in.Updating {
		return e.keep("an update of the service is in progress")
	}
	if want > e.in.Replicas {
		return want, ""
	}
	starting := 0
	for _, t := range e.in.Tasks {
		if !t.Running && e.now.Sub(t.Since) < patience {
			starting++
		}
	}
	if starting > 0 {
		return e.keep("%s starting", count(starting, "task"))
	}
	for _, t := range e.in.Tasks {
		if age := e.now.Sub(t.Since); t.Running && age < e.Warmup {
			return e.keep("a task is only %s old (warmup %s)", span(max(0, age)), span(e.Warmup))
		}
	}
	return want, ""
}

func (e *evaluation) dryRun(want int) (int, string) {
	if !e.DryRun || want == e.in.Replicas {
		return want, ""
	}
	return e.in.Replicas, fmt.Sprintf("this is a dry run, else scale to %d", want)
}
