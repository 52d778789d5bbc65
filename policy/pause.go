package policy

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Pause keeps the scaler's hands off, wholly or in one direction.
type Pause struct {
	In, Out  bool // no step down, no step up
	Frozen   bool // keep exactly Replicas
	Replicas int
}

// ParsePause reads false, true, in, out or a number of replicas.
func ParsePause(raw string) (Pause, error) {
	switch raw = strings.TrimSpace(raw); strings.ToLower(raw) {
	case "false":
		return Pause{}, nil
	case "true":
		return Pause{In: true, Out: true}, nil
	case "in":
		return Pause{In: true}, nil
	case "out":
		return Pause{Out: true}, nil
	}
	n, err := strconv.Atoi(raw)
	if err != nil || n < 0 {
		return Pause{}, fmt.Errorf("is not true, false, in, out or a number of replicas")
	}
	return Pause{Frozen: true, Replicas: n}, nil
}

// String is the pause as its label says it.
func (p Pause) String() string {
	switch {
	case p.Frozen:
		return strconv.Itoa(p.Replicas)
	case p.whole():
		return "true"
	case p.In:
		return "in"
	case p.Out:
		return "out"
	}
	return "false"
}

func (p Pause) whole() bool { return p.In && p.Out }

// Paused is a pause that somebody asked for over the API. While it lasts it stands in the place of the label's. It is
// part of the state, so that it survives a restart and every scaler of the service knows it.
type Paused struct {
	Pause
	Until time.Time // zero: until somebody ends it
}

// IsZero tells whether nobody asked for a pause.
func (p Paused) IsZero() bool { return p == Paused{} }

// Pausing is the state to leave at the service when somebody asks for a pause; the zero Paused ends one.
func (st State) Pausing(p Paused) State {
	st.Serial++
	st.Paused = p
	return st
}

// pausedAs gives a policy the pause that is in force. The bounds may have become other ones since somebody asked for it.
func (p Policy) pausedAs(st State) Policy {
	if !st.Paused.IsZero() {
		p.Pause = st.Paused.Pause
		if p.Pause.Frozen {
			p.Pause.Replicas = min(max(p.Pause.Replicas, p.Min), p.Max)
		}
	}
	return p
}

// pause goes before everything but the facts: a paused service is left even outside its bounds. A number is kept
// exactly, and lies within them.
func (e *evaluation) pause(want int) (int, string) {
	current := e.in.Replicas
	switch {
	case e.Pause.Frozen && want != e.Pause.Replicas:
		return e.Pause.Replicas, fmt.Sprintf("paused at %d%s", e.Pause.Replicas, e.until())
	case e.Pause.whole() && want != current:
		return current, "paused" + e.until()
	case e.Pause.In && want < current:
		return current, "stepping down is paused" + e.until()
	case e.Pause.Out && want > current:
		return current, "stepping up is paused" + e.until()
	case e.OnExternalChange == "pause" && e.st.Decided != current && want != current:
		return current, fmt.Sprintf("somebody else set %d where %d was decided (onExternalChange pause)", current, e.st.Decided)
	}
	return want, ""
}

// until says how long a pause of the API lasts.
func (e *evaluation) until() string {
	switch {
	case e.st.Paused.IsZero():
		return ""
	case e.st.Paused.Until.IsZero():
		return " over the API"
	}
	return " over the API for another " + span(e.st.Paused.Until.Sub(e.now))
}
