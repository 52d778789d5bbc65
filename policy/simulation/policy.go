package simulation

import (
	"time"

	"sluice/policy"
)

// ours lets a policy decide, by the same Evaluate that the scaler calls.
type ours struct {
	policy policy.Policy
	begin  time.Time
	state  policy.State
	series []policy.Series
	last   time.Time // of an evaluation
	sink   func(policy.Decision)
}

// Policy makes a scaler of a policy. The trace begins at begin, which matters to schedules only. Every decision goes to
// sink, if there is one. Metrics that the model does not have are failures of the source.
func Policy(p policy.Policy, begin time.Time, sink func(policy.Decision)) Scaler {
	return &ours{policy: p, begin: begin, sink: sink, series: []policy.Series{
		{Metric: "sessions", Proxy: "simulated", Backend: "simulated_1"},
		{Metric: "queue", Proxy: "simulated", Backend: "simulated_1"},
		{Metric: "requestRate", Proxy: "simulated", Backend: "simulated_1"},
	}}
}

// Name is that of the project.
func (o *ours) Name() string { return "sluice" }

// Decide evaluates the policy when its interval has passed.
func (o *ours) Decide(m Moment) int {
	now := o.begin.Add(time.Duration(m.Second) * time.Second)
	in := policy.Input{Replicas: m.Desired, Replicated: true, Failures: o.measure(now, m), Series: o.series}
	if m.Requests == nil {
		in.Series = o.series[:2]
	}
	if now.Sub(o.last) < o.policy.Interval {
		return m.Desired
	}
	o.last = now
	for _, at := range m.Started {
		running := m.Second-at >= m.Start
		since := o.begin.Add(time.Duration(max(at, -86400)) * time.Second)
		if running {
			since = since.Add(time.Duration(m.Start) * time.Second)
		}
		in.Tasks = append(in.Tasks, policy.Task{Running: running, Since: since})
	}
	if o.state.Observed.From.IsZero() { // it has been running for ever, like the replicas
		o.state = settled(o.policy, now, m.Desired)
	}
	d, st := o.policy.Evaluate(now, in, o.state)
	if o.state = st.Applied(now, d); o.sink != nil {
		o.sink(d)
	}
	return d.To
}

// measure adds the last second to the series and says which metrics the model cannot give.
func (o *ours) measure(now time.Time, m Moment) map[string]string {
	for i, past := range [][]float64{m.Sessions, m.Queue, m.Requests} {
		if len(past) == 0 {
			continue
		}
		points := o.series[i].Points
		if len(points) > 2*kept { // forget the older half, into a new array
			points = append([]policy.Point{}, points[len(points)-kept:]...)
		}
		o.series[i].Points = append(points, policy.Point{At: now, Value: past[len(past)-1]})
	}
	failures := map[string]string{}
	for _, r := range o.policy.Rules {
		switch r.Metric {
		case "sessions", "queue":
		case "requestRate":
			if m.Requests == nil {
				failures[r.Source()] = "the trace counts sessions"
			}
		default:
			failures[r.Source()] = "the simulation has no " + r.Metric
		}
	}
	return failures
}

// kept is how many seconds of points are kept: the longest window with the longest offset.
const kept = 600

// settled is the state of a scaler that has watched a steady load for long enough to act at once.
func settled(p policy.Policy, now time.Time, replicas int) policy.State {
	from := now.Add(-max(p.StabilizeUp, p.StabilizeDown) - time.Minute)
	run := policy.Run{From: from, To: now.Add(-time.Second), Replicas: replicas}
	return policy.State{Observed: run, Complete: run, Wanted: []policy.Run{run}, Lowest: []policy.Run{run}}
}
