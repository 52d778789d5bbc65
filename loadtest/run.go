package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"sluice/internal/swarm"
	"sluice/loadtest/attack"
	"sluice/loadtest/events"
	"sluice/loadtest/hold"
	"sluice/loadtest/live"
	"sluice/loadtest/observe"
	"sluice/loadtest/report"
	"sluice/loadtest/result"
	"sluice/loadtest/scenario"
)

type runCommand struct {
	File          string `arg:"" help:"Scenario (YAML)."`
	Out           string `help:"Directory for report.html, result.json, timeline.csv and services.csv (default: loadtest-TIME)." placeholder:"DIR"`
	Plain         bool   `help:"Write a plain line a second, on a terminal too."`
	AllowCommands bool   `help:"Let events of the scenario run programs on this machine."`
}

func (c runCommand) Run(w *world) error {
	s, err := load(c.File, w.lookup)
	if err != nil {
		return err
	}
	if s.Commands() && !c.AllowCommands {
		return fmt.Errorf("run %s: its events run programs on this machine: allow that with --allow-commands", c.File)
	}
	dir := c.Out
	if dir == "" {
		dir = "loadtest-" + time.Now().Format("20060102-150405")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { // before the load, not after it
		return fmt.Errorf("make report directory: %w", err)
	}
	sources, closeSources, err := sources(s.Observe)
	if err != nil {
		return err
	}
	defer closeSources()
	stage, closeStage, err := stage(s)
	if err != nil {
		return err
	}
	defer closeStage()
	fmt.Fprint(w.out, plan(s))
	if c.Plain {
		w.width = nil
	}
	r, err := trial(w, s, sources, stage)
	if err != nil {
		return err
	}
	if err := report.Write(dir, r); err != nil {
		return err
	}
	fmt.Fprint(w.out, "\n", report.Summary(r))
	fmt.Fprintf(w.out, "  report  %s\n", filepath.Join(dir, report.Page))
	switch {
	case r.Interrupted:
		return errInterrupted
	case !r.Passed:
		return errFailed
	default:
		return nil
	}
}

// stage is where the events of s take place.
func stage(s *scenario.Scenario) (*events.Stage, func(), error) {
	if !s.Docker() {
		return events.NewStage(nil), func() {}, nil
	}
	engine, err := swarm.Open(cmp.Or(s.Engine, s.Observe.Swarm))
	if err != nil {
		return nil, nil, err
	}
	return events.NewStage(engine), func() { _ = engine.Close() }, nil
}

// trial carries out a scenario: the load with all that goes on beside it, the watching, the live view, and what is looked at after the load.
// When the world's context ends it stops sending, waits briefly for what is under way, and gives a result of what was until then.
func trial(w *world, s *scenario.Scenario, sources []observe.Source, stage *events.Stage) (result.Result, error) {
	schedule := scenario.NewSchedule(s.Phases)
	asked := newQuestions(s.Expect)
	asked.before(w.ctx)
	t := &test{
		scenario: s, schedule: schedule, recorder: result.NewRecorder(s), start: time.Now(), cpu: cpuTime(), questions: asked,
		view: live.NewView(w.out, s.Name, perSecond(schedule), w.width), said: map[live.Word]bool{},
	}
	t.watcher = observe.NewWatcher(t.start, sources...)
	ctx, stop := context.WithCancel(w.ctx)
	var aside sync.WaitGroup
	aside.Go(func() { t.watcher.Run(ctx) })
	sent := make(chan error, 1)
	go func() { sent <- t.send(ctx, stage) }()
	err := t.follow(ctx, sent)
	stop()
	aside.Wait()
	if err != nil {
		return result.Result{}, err
	}
	return t.assemble(w.ctx.Err() != nil), nil
}

// send carries out the load, and the held connections and events that end with it.
func (t *test) send(ctx context.Context, stage *events.Stage) error {
	beside, end := context.WithCancel(ctx)
	defer end()
	var held, done sync.WaitGroup
	held.Go(func() { hold.Run(beside, t.scenario, t.start, t.recorder.RecordHeld) })
	done.Go(func() { stage.Run(ctx, t.scenario.Events, t.start, t.recorder.AddMark) })
	load, err := attack.Run(ctx, t.scenario, t.schedule, t.start, t.recorder.Record)
	used := cpuTime() - t.cpu
	end()
	held.Wait()
	done.Wait() // an event that has begun late in the load may still go on
	t.load, t.used = load, used.Seconds()/max(load.Seconds(), 1e-9)
	return err
}

// test is a run in progress.
type test struct {
	scenario *scenario.Scenario
	schedule scenario.Schedule
	recorder *result.Recorder
	watcher  *observe.Watcher
	view     *live.View
	start    time.Time
	cpu      time.Duration // processor time that was used before the start
	load     time.Duration // known once the attack has ended
	used     float64       // processors, mean over the load; known with it
	said     map[live.Word]bool

	questions *questions
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
		if ended {
			t.questions.after(ctx)
			if result.Settled(t.scenario.Expect, t.assemble(false)) {
				return nil
			}
		}
	}
}

func (t *test) assemble(interrupted bool) result.Result {
	return t.recorder.Assemble(result.Run{
		Version: version(), Scenario: t.scenario, Schedule: t.schedule, Started: t.start, Load: t.load, Interrupted: interrupted,
		Timeline: t.watcher.Timeline(int(time.Since(t.start)/time.Second) + 1),
		Answers:  t.questions.answers(), CPU: t.used,
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
