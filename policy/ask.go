package policy

import (
	"fmt"
	"time"
)

// Ask is a number of replicas that somebody asks for: a person, or an alert. The zero value asks for what runs.
type Ask struct {
	To    int  // replicas, while By and Step are 0
	By    int  // so many more, or fewer when negative
	Step  int  // 1: a step up as the label upBy says, -1: a step down as downBy says
	Alert bool // no person stands behind it: pauses, speed and cooldowns hold for it
}

// want is what is asked for while current replicas are desired, and the words for it.
func (a Ask) want(p Policy, current int) (int, string) {
	who := "somebody"
	if a.Alert {
		who = "an alert"
	}
	switch {
	case a.Step > 0:
		return p.UpBy.Up(current), fmt.Sprintf("%s asks for a step up from %d (upBy %s)", who, current, p.UpBy)
	case a.Step < 0:
		return p.DownBy.Down(current), fmt.Sprintf("%s asks for a step down from %d (downBy %s)", who, current, p.DownBy)
	case a.By > 0:
		return current + a.By, fmt.Sprintf("%s asks for %d more than %d", who, a.By, current)
	case a.By < 0:
		return max(0, current+a.By), fmt.Sprintf("%s asks for %d fewer than %d", who, -a.By, current)
	}
	return a.To, fmt.Sprintf("%s asks for %d", who, a.To)
}

// Answer decides about what somebody asks for. A person is stopped by the bounds, by a pause at a number, by an update in
// progress, and by a dry run; an alert by everything that stops a rule but tolerance and stabilization. The rules go on
// from there: what was asked for counts as wanted now, so that stabilizeDown holds it that long.
func (p Policy) Answer(now time.Time, in Input, st State, a Ask) (Decision, State) {
	d := Decision{Service: p.Service, At: now, From: in.Replicas, To: in.Replicas, Want: in.Replicas}
	if refused(p, in, &d) {
		return d, st
	}
	st = st.at(now, p.memory())
	p = p.pausedAs(st)
	st = p.notice(now, in, st)
	want, lead := a.want(p, in.Replicas)
	d.Want = want
	e := &evaluation{Policy: p, now: now, in: in, st: st, seen: sight{want: want, ask: want, spare: want, any: true, complete: true}}
	e.Min, e.Max = p.BoundsAt(now)
	steps := []step{{"bounds", e.within}, {"pause", e.held}, {"convergence", e.updating}, {"dryRun", e.dryRun}}
	if a.Alert {
		steps = []step{
			{"rate", e.rate}, {"external", e.external}, {"bounds", e.within}, {"pause", e.pause}, {"cooldown", e.cooldown},
			{"convergence", e.convergence}, {"dryRun", e.dryRun},
		}
	}
	e.run(&d, steps, lead)
	st.Aim = d.To
	if d.To != d.From {
		st.Wanted = wanted(st.Wanted, now, d.To, 0)
	}
	return d, st
}

// held is pause for a person, who may step over one that is meant for the scaler, but not over a number: the next
// evaluation would go back to it.
func (e *evaluation) held(want int) (int, string) {
	if !e.Pause.Frozen {
		return want, ""
	}
	return e.pause(want)
}

// updating is convergence for a person.
func (e *evaluation) updating(want int) (int, string) {
	if want != e.in.Replicas && e.in.Updating {
		return e.keep("an update of the service is in progress")
	}
	return want, ""
}
