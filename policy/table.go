package policy

import (
	"fmt"
	"slices"
	"time"

	"sluice/internal/label"
)

// Prefix is the name space of the scaling labels.
const Prefix = label.Prefix + "scale."

// Table is the vocabulary of the scaling labels: Parse reads by it, the documentation is printed from it.
var Table = label.Table{Prefix: Prefix, Specs: []label.Spec{
	{Name: "max", Kind: label.Int, Aliases: []string{"com.df.scaleMax"}, Check: atLeast(1), Example: "10",
		Doc: "Most replicas. Required."},
	{Name: "target", Kind: label.Float, Indexed: true, Check: above(0), Example: "50",
		Doc: "What one replica should carry of the metric. Required."},
	{Name: "min", Kind: label.Int, Default: "1", Aliases: []string{"com.df.scaleMin"}, Check: atLeast(1), Example: "2",
		Doc: "Fewest replicas. Both bounds are kept even when nothing is measured."},
	{Name: "enabled", Kind: label.Bool, Default: "true", Example: "false",
		Doc: "`false` leaves the replicas alone though the service has scaling labels."},
	{Name: "metric", Kind: label.Enum, Indexed: true, Default: "sessions", Values: []string{"sessions", "requestRate", "queue"}, Example: "requestRate",
		Doc: "What is measured in HAProxy, summed over all proxies: concurrent sessions, requests per second, or requests waiting for a server."},
	{Name: "backend", Kind: label.Text, Indexed: true, Example: "2",
		Doc: "Measure only this destination of the service: its index, or the full name of its HAProxy backend."},
	{Name: "strategy", Kind: label.Enum, Indexed: true, Default: "target", Values: []string{"target"}, Example: "target",
		Doc: "How a value becomes replicas."},
	{Name: "targetType", Kind: label.Enum, Indexed: true, Default: "perReplica", Values: []string{"perReplica", "value"}, Example: "value",
		Doc: "`perReplica`: replicas = value / target. `value`: replicas = replicas × value / target, for a metric that is no sum."},
	{Name: "agg", Kind: label.Enum, Indexed: true, Default: "mean", Values: aggregates, Example: "p95",
		Doc: "How the seconds of the window become one value."},
	{Name: "window", Kind: label.Duration, Indexed: true, Default: "15s", Check: between(time.Second, 5*time.Minute), Example: "30s",
		Doc: "How far back to look, up to 5m."},
	{Name: "panicWindow", Kind: label.Duration, Indexed: true, Default: "3s", Check: between(0, 5*time.Minute), Example: "0s",
		Doc: "A jump seen in this short window scales up at once and forbids scaling down for a whole window; `0s` turns that off."},
	{Name: "panicThreshold", Kind: label.Text, Indexed: true, Default: "200%", Check: checked(parsePercent), Example: "300%",
		Doc: "What counts as a jump: this much of what the replicas at the start of the window should carry."},
	{Name: "merge", Kind: label.Enum, Default: "max", Values: []string{"max", "min", "mean"}, Example: "mean",
		Doc: "Which of several rules decides."},
	{Name: "tolerance", Kind: label.Float, Default: "0.1", Check: fraction, Example: "0.05",
		Doc: "Dead band around the target: with 0.1 nothing happens between 90 % and 110 %."},
	{Name: "stabilizeUp", Kind: label.Duration, Default: "0s", Check: between(0, time.Hour), Example: "10s",
		Doc: "A step up goes to the lowest number that was wanted during this time."},
	{Name: "stabilizeDown", Kind: label.Duration, Default: "3m", Check: between(0, time.Hour), Example: "30s",
		Doc: "A step down goes to the highest number that was wanted during this time."},
	{Name: "cooldownUp", Kind: label.Duration, Default: "5s", Check: between(0, time.Hour), Example: "10s",
		Doc: "Pause between a change and a step up; it never blocks a step larger than that change."},
	{Name: "cooldownDown", Kind: label.Duration, Default: "1m", Check: between(0, time.Hour), Example: "10s",
		Doc: "Pause between a change and a step down."},
	{Name: "rateUp", Kind: label.Text, Default: "4/15s,100%/15s", Check: checked(parseRate), Example: "2/30s",
		Doc: "How fast replicas may be added: a number or a percentage per time, or `disabled`."},
	{Name: "rateDown", Kind: label.Text, Default: "100%/15s", Check: checked(parseRate), Example: "1/1m",
		Doc: "How fast replicas may be removed."},
	{Name: "rateUpSelect", Kind: label.Enum, Default: "max", Values: []string{"max", "min"}, Example: "min",
		Doc: "Of several limits of `rateUp` the loosest (`max`) or the tightest (`min`) holds."},
	{Name: "rateDownSelect", Kind: label.Enum, Default: "max", Values: []string{"max", "min"}, Example: "min",
		Doc: "The same for `rateDown`."},
	{Name: "warmup", Kind: label.Duration, Default: "15s", Check: between(0, time.Hour), Example: "30s",
		Doc: "Younger tasks forbid a step down, and are not counted as replicas where the target is a `value`."},
	{Name: "noData", Kind: label.Enum, Default: "hold", Values: []string{"hold"}, Example: "hold",
		Doc: "What to do when nothing fresh was measured."},
	{Name: "paused", Kind: label.Text, Default: "false", Check: checked(parsePause), Example: "in",
		Doc: "`true`: hands off. `in`: no step down. `out`: no step up. A number: keep exactly that many."},
	{Name: "dryRun", Kind: label.Bool, Default: "false", Example: "true",
		Doc: "Decide and record, change nothing."},
	{Name: "interval", Kind: label.Duration, Default: "1s", Check: between(time.Second, time.Hour), Example: "5s",
		Doc: "Time between two evaluations."},
}}

// planned are labels of the design that nothing reads yet. They are refused by name: a policy that was written for
// them must not run half.
var planned = []string{
	"query", "queryConfig", "windowOffset", "upAbove", "downBelow", "for", "upBy", "downBy", "replicas", "schedule", "scheduleEnd",
	"scheduleFor", "timezone", "scheduleMin", "scheduleMax", "activation", "onError", "fallbackReplicas", "fallbackAfter",
	"fallbackBehavior", "idleReplicas", "idleAfter", "wake", "wakeTimeout", "predictModel", "predictHorizon", "predictHistory",
	"predictMode", "onExternalChange", "notify",
}

// known is Table and the planned labels.
func known() label.Table {
	t := label.Table{Prefix: Prefix, Specs: slices.Clone(Table.Specs)}
	for _, name := range planned {
		spec := label.Spec{Name: name, Indexed: true, Check: func(any) error { return fmt.Errorf("is not supported yet") }}
		switch name {
		case "upBy":
			spec.Aliases = []string{"com.df.scaleUpBy"}
		case "downBy":
			spec.Aliases = []string{"com.df.scaleDownBy"}
		}
		t.Specs = append(t.Specs, spec)
	}
	return t
}

func atLeast(low int) func(any) error {
	return func(v any) error {
		if v.(int) < low {
			return fmt.Errorf("must be at least %d", low)
		}
		return nil
	}
}

func above(low float64) func(any) error {
	return func(v any) error {
		if v.(float64) <= low {
			return fmt.Errorf("must be above %v", low)
		}
		return nil
	}
}

func fraction(v any) error {
	if f := v.(float64); f < 0 || f >= 1 {
		return fmt.Errorf("must be at least 0 and below 1")
	}
	return nil
}

func between(low, high time.Duration) func(any) error {
	return func(v any) error {
		if d := v.(time.Duration); d < low || d > high {
			return fmt.Errorf("must lie between %s and %s", span(low), span(high))
		}
		return nil
	}
}

// checked makes a Spec.Check of a parser.
func checked[T any](parse func(string) (T, error)) func(any) error {
	return func(v any) error {
		_, err := parse(v.(string))
		return err
	}
}
