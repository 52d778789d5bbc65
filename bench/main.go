// Command bench measures what Sluice promises, each row beside a reference in the same run.
//
//	go run ./bench                       all rows; table on standard output, results in bench/results.json
//	go run ./bench --rows routing        rows whose name matches
//	go run ./bench --publish             and into README.md, docs/benchmarks.md and docs/bench.svg
//
// It is no test: it fails only when it cannot measure. Rows are ratios or counts; absolute figures belong to the machine
// that the results name.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"

	"github.com/alecthomas/kong"
)

type settings struct {
	Rows    string `default:"." help:"Regular expression of the rows to measure."`
	Rounds  int    `default:"5" help:"Times that each side is measured, in turns; the median counts."`
	Out     string `default:"bench/results.json" help:"Where the results are written; rows that were not measured stay."`
	Publish bool   `help:"Write what is promised into README.md, all rows to docs/benchmarks.md and the picture to docs/bench.svg too."`
}

// measurement is one or several rows that are measured together.
type measurement struct {
	name    string // of its rows, or what they begin with
	measure func(context.Context, bench) ([]row, error)
}

// bench is what every measurement gets.
type bench struct {
	rounds int
	dir    string // scratch, removed at the end
	say    func(format string, args ...any)
}

func main() {
	var s settings
	kong.Parse(&s, kong.Name("bench"), kong.Description("Measures what Sluice promises, each row beside a reference."))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, s); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings) error {
	wanted, err := regexp.Compile(s.Rows)
	if err != nil {
		return fmt.Errorf("--rows: %w", err)
	}
	if s.Rounds < 1 {
		return fmt.Errorf("--rounds: is less than 1, got %d", s.Rounds)
	}
	results, err := readResults(s.Out)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "sluice-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := bench{rounds: s.Rounds, dir: dir, say: func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }}
	var failures error
	for _, m := range measurements() {
		if !wanted.MatchString(m.name) {
			continue
		}
		b.say("%s …", m.name)
		rows, err := m.measure(ctx, b)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		results.add(m.name, rows, err)
		failures = errors.Join(failures, err)
	}
	results.Machine = machine()
	text, err := json.MarshalIndent(results, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(s.Out), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(s.Out, append(text, '\n'), 0o644); err != nil {
		return err
	}
	fmt.Print(results.table())
	if s.Publish {
		failures = errors.Join(failures, results.publish())
	}
	return failures
}
