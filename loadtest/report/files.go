// Package report writes what a run did, for people and for programs.
//
//	Result ─Write─> result.json     everything, to be read again by Read
//	                timeline.csv    a row a second
//	                services.csv    a row for each second, service and backend
//	                report.html     one self-contained page: works offline, in the dark and on paper
//	Results ─WriteComparison─> one page with several runs, the first as the measure
package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"sluice/loadtest/result"
)

// Names of the files in a report's directory.
const (
	Page     = "report.html"
	Data     = "result.json"
	Timeline = "timeline.csv"
	Services = "services.csv"
)

// Write puts the files into the directory dir, which must exist.
func Write(dir string, r result.Result) error {
	write := func(name string, to func(io.Writer, result.Result) error) error {
		return WriteFile(filepath.Join(dir, name), func(w io.Writer) error { return to(w, r) })
	}
	return errors.Join(write(Data, writeJSON), write(Timeline, writeTimeline), write(Services, writeServices), write(Page, WritePage))
}

// WriteFile makes a file and lets fill write it.
func WriteFile(path string, fill func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("create report: %w", err)
	}
	if err := errors.Join(fill(f), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// Read gives the result of an earlier run: from its result.json, or from the directory where that is.
func Read(path string) (result.Result, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, Data)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return result.Result{}, fmt.Errorf("read result: %w", err)
	}
	return parse(path, data)
}

// parse reads a result; the path is for messages.
func parse(path string, data []byte) (result.Result, error) {
	var r result.Result
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("read %s: %w", path, err)
	}
	switch {
	case r.Format > result.Format:
		return r, fmt.Errorf("read %s: its format is %d, this loadtest knows up to %d: use the one that wrote it, version %s", path, r.Format, result.Format, r.Version)
	case r.Scenario == "" || r.Started.IsZero():
		return r, fmt.Errorf("read %s: it is no result of a run", path)
	}
	return result.Upgrade(r), nil
}

func writeJSON(to io.Writer, r result.Result) error {
	enc := json.NewEncoder(to)
	enc.SetIndent("", " ")
	enc.SetEscapeHTML(false)
	return enc.Encode(r)
}
