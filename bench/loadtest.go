package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"sluice/loadtest/report"
	"sluice/loadtest/result"
)

// scenarios is where those stand that users, tests and this program run alike.
var scenarios = filepath.Join("loadtest", "examples")

// loadtest runs a scenario by the project's own command, in a process of its own. That an expectation does not hold is no error: the figures
// are what is asked for.
func (b bench) loadtest(ctx context.Context, scenario string, environment ...string) (r result.Result, err error) {
	binary, err := b.build(ctx, "sluice/loadtest")
	if err != nil {
		return r, err
	}
	dir, err := os.MkdirTemp(b.dir, "report")
	if err != nil {
		return r, err
	}
	cmd := exec.CommandContext(ctx, binary, "run", "--plain", "--out", dir, filepath.Join(scenarios, scenario))
	cmd.Env = append(os.Environ(), environment...)
	output, err := cmd.CombinedOutput()
	if failed := (*exec.ExitError)(nil); err != nil && !(errors.As(err, &failed) && failed.ExitCode() == 1) {
		return r, fmt.Errorf("run scenario %s: %w: %.2000s", scenario, err, output)
	}
	return report.Read(dir)
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
