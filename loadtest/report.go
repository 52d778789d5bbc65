package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"sluice/loadtest/report"
	"sluice/loadtest/result"
)

type reportCommand struct {
	Runs   []string `arg:"" name:"run" help:"Directories of earlier runs, or their result.json."`
	HTML   string   `name:"html" help:"Write only the page, to this file." placeholder:"FILE"`
	PNG    string   `name:"png" help:"Draw the page into this file, by a Chromium in PATH." placeholder:"FILE"`
	Height int      `help:"Pixels of the picture from the top of the page (default: the whole page)." placeholder:"N"`
	Charts bool     `help:"The picture ends below the last chart of the seconds."`
	Dark   bool     `help:"Draw it in dark colours."`
}

func (c reportCommand) Run(w *world) error {
	if len(c.Runs) > 1 && (c.HTML != "" || c.PNG != "") {
		return errors.New("write report: --html and --png take one run; several on one page are a comparison: see loadtest compare")
	}
	for _, path := range c.Runs {
		r, err := report.Read(path)
		if err != nil {
			return err
		}
		written, err := c.write(w, path, r)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprint(w.out, report.Summary(r)); err != nil {
			return err
		}
		for _, file := range written {
			fmt.Fprintf(w.out, "  report  %s\n", file)
		}
	}
	return nil
}

// write makes what was asked for, and names it.
func (c reportCommand) write(w *world, path string, r result.Result) ([]string, error) {
	var written []string
	page := c.HTML
	switch {
	case c.HTML != "":
		written = append(written, page)
	case c.PNG != "":
		dir, err := os.MkdirTemp("", "loadtest-report-")
		if err != nil {
			return nil, fmt.Errorf("make report directory: %w", err)
		}
		defer os.RemoveAll(dir)
		page = filepath.Join(dir, report.Page)
	default:
		return c.rewrite(path, r)
	}
	if err := report.WriteFile(page, func(to io.Writer) error { return report.WritePage(to, r) }); err != nil {
		return nil, err
	}
	if c.PNG != "" {
		if err := report.Picture(w.ctx, page, c.PNG, report.Shot{Height: c.Height, Charts: c.Charts, Dark: c.Dark}); err != nil {
			return nil, err
		}
		written = append(written, c.PNG)
	}
	return written, nil
}

// rewrite makes all files of a run's directory again; beside a result of another name only its page.
func (c reportCommand) rewrite(path string, r result.Result) ([]string, error) {
	dir, name := path, report.Data
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		dir, name = filepath.Split(path)
	}
	if name != report.Data {
		page := filepath.Join(dir, strings.TrimSuffix(name, filepath.Ext(name))+".html")
		return []string{page}, report.WriteFile(page, func(to io.Writer) error { return report.WritePage(to, r) })
	}
	return []string{filepath.Join(dir, report.Page)}, report.Write(dir, r)
}
