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
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Policy is how one service wants to be scaled. Only Parse makes one that is complete.
type Policy struct {
	Service  string
	Enabled  bool // false: leave the service alone
	Min, Max int
	Interval time.Duration // between two evaluations
	Rules    []Rule
	Merge    string  // max, min or mean of the rules
	Tolerate float64 // dead band around the target: 0.1 is 10 % to both sides

	CooldownUp, CooldownDown   time.Duration
	StabilizeUp, StabilizeDown time.Duration
	RateUp, RateDown           Rate
	Warmup                     time.Duration
	Pause                      Pause
	DryRun                     bool
}

// Rule compares one metric with its target.
type Rule struct {
	Index      int    // suffix of its labels, 0 for labels without one
	Metric     string // sessions, requestRate or queue
	Backend    string // HAProxy backend or index of a destination; "" is all of them
	Agg        string // how the window becomes one value
	Window     time.Duration
	Target     float64
	PerReplica bool // the target is a replica's share, not the value itself

	PanicWindow    time.Duration // 0: no panic
	PanicThreshold float64       // times the replicas at the start of the window: 2 is 200 %
}

// Pause keeps the scaler's hands off, wholly or in one direction.
type Pause struct {
	In, Out  bool // no step down, no step up
	Frozen   bool // keep exactly Replicas
	Replicas int
}

// parsePause reads false, true, in, out or a number of replicas.
func parsePause(raw string) (Pause, error) {
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
