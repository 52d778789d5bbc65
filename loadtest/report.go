package main

import (
	"fmt"
	"path/filepath"

	"sluice/loadtest/report"
)

type reportCommand struct {
	Dir string `arg:"" help:"Directory of an earlier run."`
}

func (c reportCommand) Run(w *world) error {
	r, err := report.Read(c.Dir)
	if err != nil {
		return err
	}
	if err := report.Write(c.Dir, r); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w.out, "%s  report  %s\n", report.Summary(r), filepath.Join(c.Dir, report.Page))
	return err
}
