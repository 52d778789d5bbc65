package main

import (
	"fmt"
	"io"
	"path/filepath"

	"sluice/loadtest/report"
)

type compareCommand struct {
	Runs []string `arg:"" name:"run" help:"Directories of runs, or their result.json; the first is the measure of the others."`
	Out  string   `help:"File of the page." default:"comparison.html" placeholder:"FILE"`
	PNG  string   `name:"png" help:"Draw the page into this file too, by a Chromium in PATH." placeholder:"FILE"`
	Dark bool     `help:"Draw it in dark colours."`
}

func (c compareCommand) Run(w *world) error {
	var runs []report.Run
	for _, path := range c.Runs {
		r, err := report.Read(path)
		if err != nil {
			return err
		}
		runs = append(runs, report.Run{Name: runName(path, c.Runs), Result: r})
	}
	comparison, err := report.Compare(runs)
	if err != nil {
		return err
	}
	if err := report.WriteFile(c.Out, func(to io.Writer) error { return report.WriteComparison(to, comparison) }); err != nil {
		return err
	}
	if c.PNG != "" {
		if err := report.Picture(w.ctx, c.Out, c.PNG, report.Shot{Dark: c.Dark}); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(w.out, "%s  report  %s\n", comparison, c.Out)
	return err
}

// runName is the last part of a run's path that tells it from the others.
func runName(path string, all []string) string {
	short := func(path string) string {
		path = filepath.Clean(path)
		if filepath.Base(path) == report.Data && filepath.Dir(path) != "." {
			path = filepath.Dir(path)
		}
		return filepath.Base(path)
	}
	for _, other := range all {
		if other != path && short(other) == short(path) {
			return filepath.Clean(path)
		}
	}
	return short(path)
}
