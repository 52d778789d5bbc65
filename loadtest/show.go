package main

import (
	"time"

	"sluice/loadtest/live"
	"sluice/loadtest/observe"
)

// show writes what is new. A screen that cannot be written to is no reason to end the run.
func (t *test) show() {
	elapsed := time.Since(t.start)
	timeline := t.watcher.Timeline(int(elapsed/time.Second) + 1)
	for ; t.said < len(timeline.Decisions); t.said++ {
		d := timeline.Decisions[t.said]
		_ = t.view.Say(d.At.Sub(t.start), d)
	}
	f := live.Frame{
		Elapsed: elapsed, Load: t.schedule.Duration(), Left: t.schedule.Duration() - elapsed,
		Asked: t.schedule.Rate(elapsed), Latest: t.recorder.Latest(elapsed),
	}
	if i := t.schedule.Phase(elapsed); i >= 0 {
		f.Phase = t.scenario.Phases[i].Name
	} else {
		f.Left = max(0, f.Left+t.scenario.Watch())
	}
	load := (*observe.Load)(nil)
	f.Replicas, load, f.Workers = timeline.Latest(t.scenario.Observe.Service)
	if load != nil {
		f.Connections, f.Queue = load.Connections, load.Queue
	}
	if n := len(timeline.Decisions); n > 0 {
		f.Word = timeline.Decisions[n-1].Reason
	}
	_ = t.view.Show(f)
}
