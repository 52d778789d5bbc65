package main

import (
	"cmp"
	"slices"
	"time"

	"sluice/loadtest/live"
	"sluice/loadtest/observe"
	"sluice/loadtest/result"
)

// show writes what is new. A screen that cannot be written to is no reason to end the run.
func (t *test) show() {
	elapsed := time.Since(t.start)
	timeline := t.watcher.Timeline(int(elapsed/time.Second) + 1)
	latest := t.recorder.Latest(elapsed)
	for _, word := range t.words(timeline, latest) {
		_ = t.view.Say(word)
	}
	f := live.Frame{
		Elapsed: elapsed, Load: t.schedule.Duration(), Left: t.schedule.Duration() - elapsed,
		Asked: t.schedule.Rate(elapsed), Latest: latest,
	}
	if i := t.schedule.Phase(elapsed); i >= 0 {
		f.Phase, f.Users = t.scenario.Phases[i].Name, t.scenario.Phases[i].Users
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

// words are what was not said yet, in the order of time.
func (t *test) words(timeline observe.Timeline, latest result.Latest) []live.Word {
	var all []live.Word
	for _, d := range timeline.Decisions {
		all = append(all, live.Decision(d.At.Sub(t.start), d))
	}
	for _, r := range timeline.Reloads {
		all = append(all, live.Reload(r.At.Sub(t.start), r))
	}
	for _, g := range timeline.Gaps {
		all = append(all, live.Silence(g))
	}
	for _, m := range latest.Marks {
		all = append(all, live.Event(m))
	}
	slices.SortStableFunc(all, func(a, b live.Word) int { return cmp.Compare(a.At, b.At) })
	var news []live.Word
	for _, word := range all {
		if !t.said[word] {
			t.said[word] = true
			news = append(news, word)
		}
	}
	return news
}
