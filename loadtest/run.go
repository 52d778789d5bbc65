package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"sluice/loadtest/attack"
	"sluice/loadtest/live"
	"sluice/loadtest/observe"
	"sluice/loadtest/report"
	"sluice/loadtest/result"
	"sluice/loadtest/scenario"
)

type runCommand struct {
	File  string `arg:"" help:"Scenario (YAML)."`
	Out   string `help:"Directory for report.html, result.json and timeline.csv (default: loadtest-TIME)." placeholder:"DIR"`
	Plain bool   `help:"Write a plain line a second, on a terminal too."`
}

func (c runCommand) Run(w *world) error {
	s, err := load(c.File, w.lookup)
	if err != nil {
		return err
	}
	dir := c.Out
	if dir == "" {
		dir = "loadtest-" + time.Now().Format("20060102-150405")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { // before the load, not after it
		return fmt.Errorf("make report directory: %w", err)
	}
	sources, closeAll, err := sources(s.Observe)
	if err != nil {
		return err
	}
	defer closeAll()
	fmt.Fprint(w.out, plan(s))
	r, err := trial(w, s, sources, !w.live || c.Plain)
	if err != nil {
		return err
	}
	if err := report.Write(dir, r); err != nil {
		return err
	}
	fmt.Fprint(w.out, "\n", report.Summary(r))
	fmt.Fprintf(w.out, "  report  %s\n", filepath.Join(dir, report.Page))
	if !r.Passed {
		return errFailed
	}
	return nil
}

// trial carries out a scenario: the load, the watching, the live view, and what is watched after the load.
func trial(w *world, s *scenario.Scenario, sources []observe.Source, plain bool) (result.Result, error) {
	schedule := scenario.NewSchedule(s.Phases)
	t := &test{
		scenario: s, schedule: schedule, recorder: result.NewRecorder(s), start: time.Now(),
		view: live.NewView(w.out, s.Name, perSecond(schedule), plain),
	}
	t.watcher = observe.NewWatcher(t.start, sources...)
	ctx, stop := context.WithCancel(w.ctx)
	var aside sync.WaitGroup
	aside.Go(func() { t.watcher.Run(ctx) })
	sent := make(chan error, 1)
	go func() {
		var err error
		t.load, err = attack.Run(ctx, s, schedule, t.start, t.recorder.Record)
		sent <- err
	}()
	err := t.follow(ctx, sent)
	stop()
	aside.Wait()
	if err != nil {
		return result.Result{}, err
	}
	return t.assemble(w.ctx.Err() != nil), nil
}

// test is a run in progress.
type test struct {
	scenario *scenario.Scenario
	schedule scenario.Schedule
	recorder *result.Recorder
	watcher  *observe.Watcher
	view     *live.View
	start    time.Time
	load     time.Duration // known once the attack has ended
	said     int           // decisions that were shown
}

// follow shows a frame a second until the load has ended and nothing more is to be waited for.
func (t *test) follow(ctx context.Context, sent <-chan error) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	ended := false
	for {
		select {
		case err := <-sent:
			if err != nil || ctx.Err() != nil {
				return err
			}
			ended, sent = true, nil
		case <-ctx.Done():
			if ended {
				return nil
			}
			return <-sent
		case <-tick.C:
			t.show()
		}
		if ended && result.Settled(t.scenario.Expect, t.assemble(false)) {
			return nil
		}
	}
}

func (t *test) assemble(interrupted bool) result.Result {
	return t.recorder.Assemble(result.Run{
		Version: version(), Scenario: t.scenario, Schedule: t.schedule, Started: t.start, Load: t.load, Interrupted: interrupted,
		Timeline: t.watcher.Timeline(int(time.Since(t.start)/time.Second) + 1),
	})
}

// perSecond is the asked rate in the middle of every second.
func perSecond(s scenario.Schedule) []float64 {
	var out []float64
	for at := time.Second / 2; at < s.Duration(); at += time.Second {
		out = append(out, s.Rate(at))
	}
	return out
}
