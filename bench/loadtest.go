package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"sluice/loadtest/report"
	"sluice/loadtest/result"
)

// scenarios is where those stand that users, tests and this program run alike.
var scenarios = filepath.Join("loadtest", "examples")

// loadtest runs a scenario to its end. That an expectation does not hold is no error: the figures are what is asked for.
func (b bench) loadtest(ctx context.Context, scenario string, environment ...string) (r result.Result, err error) {
	l, err := b.begin(ctx, scenario, environment...)
	if err != nil {
		return r, err
	}
	return l.wait()
}

// underway is a scenario that is run by the project's own command, in a process of its own.
type underway struct {
	scenario, dir string
	cmd           *exec.Cmd
	said          bytes.Buffer
}

func (b bench) begin(ctx context.Context, scenario string, environment ...string) (*underway, error) {
	binary, err := b.build(ctx, "sluice/loadtest")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(b.dir, "report")
	if err != nil {
		return nil, err
	}
	l := &underway{scenario: scenario, dir: dir}
	l.cmd = exec.CommandContext(ctx, binary, "run", "--plain", "--out", dir, filepath.Join(scenarios, scenario))
	l.cmd.Env, l.cmd.Stdout, l.cmd.Stderr = append(os.Environ(), environment...), &l.said, &l.said
	return l, l.cmd.Start()
}

// end interrupts the run; what was until then is its result.
func (l *underway) end() (result.Result, error) {
	_ = l.cmd.Process.Signal(os.Interrupt)
	return l.wait()
}

// The codes with which a run ends that has a result: an expectation does not hold, it was interrupted.
var haveResult = []int{1, 130}

func (l *underway) wait() (r result.Result, err error) {
	err = l.cmd.Wait()
	if failed := (*exec.ExitError)(nil); err != nil && !(errors.As(err, &failed) && slices.Contains(haveResult, failed.ExitCode())) {
		return r, fmt.Errorf("run scenario %s: %w: %.2000s", l.scenario, err, l.said.Bytes())
	}
	return report.Read(l.dir)
}

// kinds tells what failures there were.
func kinds(r result.Result) (text string) {
	for _, f := range r.Failures {
		text += fmt.Sprintf(", %d × %s", f.Count, f.Kind)
	}
	return text
}

// spoiled says why a run's latencies are worth nothing: its requests did not all get an answer.
func spoiled(r result.Result) error {
	if r.Total.Failed > 0 || r.Total.OK < r.Total.Asked {
		return fmt.Errorf("run scenario %s: %d of %d requests failed%s: is the machine busy?", r.Scenario, r.Total.Failed, r.Total.Asked, kinds(r))
	}
	return nil
}
