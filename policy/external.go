package policy

import (
	"fmt"
	"time"
)

// notice compares the replicas with those that the scaler left. What it had decided is its own even when the answer was
// lost on the way, or another scaler that decided the same was quicker. While nothing is done for a service there is no
// decision that anybody could have undone.
func (p Policy) notice(now time.Time, in Input, st State) State {
	idle := p.DryRun || p.Pause.Frozen || p.Pause.whole()
	if !st.Known || idle {
		st.Known, st.Decided = true, in.Replicas
	} else if in.Replicas != st.Present && in.Replicas == st.Aim { // what was decided, though nobody told that it was done
		st = st.changed(now, Decision{From: st.Present, To: in.Replicas})
		st.Moved, st.Held = now, nil
	} else if in.Replicas != st.Present {
		st.Moved, st.Held = now, nil
		switch {
		case p.OnExternalChange == "adopt":
			st.Decided = in.Replicas
			st.Wanted = wanted(st.Wanted, now, in.Replicas, 0)
			if p.StabilizeUp > 0 {
				st.Lowest = wanted(st.Lowest, now, in.Replicas, 0)
			}
		case p.OnExternalChange == "restore" && in.Replicas > st.Decided:
			st.Decided = in.Replicas
		}
	}
	st.Present = in.Replicas
	return st
}

// Joined is the state after a look at what another scaler, or this one before a restart, has left at the service: when
// that is later than what is known its changes are ours, so that they are neither undone as somebody else's nor made a
// second time. What is older was brought back by a rollback, and is somebody else's doing.
func (st State) Joined(left State) State {
	if left.Serial <= st.Serial {
		return st
	}
	st.Serial, st.Paused = left.Serial, left.Paused
	st.Changes = left.Changes
	st.Known, st.Decided, st.Present, st.Aim = left.Known, left.Decided, left.Present, left.Aim
	if left.Moved.After(st.Moved) {
		st.Moved = left.Moved
	}
	if n := len(left.Changes); n > 0 && left.Changes[n-1].At.After(st.Moved) {
		st.Moved = left.Changes[n-1].At // a step of a threshold counts from here, whoever took it
	}
	if left.PanicUntil.After(st.PanicUntil) {
		st.PanicUntil = left.PanicUntil
	}
	return st
}

// restoring tells whether somebody else took replicas away that were decided.
func (e *evaluation) restoring() bool {
	return e.OnExternalChange == "restore" && e.in.Replicas < e.st.Decided
}

// external gives back what somebody else took away. It does not wait for an update in progress, though a rollback will
// know only the specification before the last change: a stack that is deployed again under load has lost most of its
// replicas, and that is certain, a failing update is not. (Measured: with failure_action=rollback a release whose tasks
// fail is then called completed, and stays.) Who would rather have the rollback says adopt.
func (e *evaluation) external(want int) (int, string) {
	if !e.restoring() || want >= e.st.Decided {
		return want, ""
	}
	return e.st.Decided, fmt.Sprintf("somebody else set %d where %d was decided", e.in.Replicas, e.st.Decided)
}
