// Package report writes what a run did, for people and for programs.
//
//	Result ─Write─> result.json     everything, to be read again by Read
//	                timeline.csv    a row a second
//	                report.html     one self-contained page: works offline, in the dark and on paper
package report

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"sluice/loadtest/result"
)

// Names of the files in a report's directory.
const (
	Page     = "report.html"
	Data     = "result.json"
	Timeline = "timeline.csv"
)

// Write puts the three files into the directory dir, which must exist.
func Write(dir string, r result.Result) error {
	write := func(name string, to func(io.Writer, result.Result) error) error {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			return fmt.Errorf("create report: %w", err)
		}
		if err := errors.Join(to(f, r), f.Close()); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
		return nil
	}
	return errors.Join(write(Data, writeJSON), write(Timeline, writeCSV), write(Page, WritePage))
}

// Read gives the result of an earlier run.
func Read(dir string) (result.Result, error) {
	var r result.Result
	data, err := os.ReadFile(filepath.Join(dir, Data))
	if err != nil {
		return r, fmt.Errorf("read result: %w", err)
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("read %s: %w", filepath.Join(dir, Data), err)
	}
	return r, nil
}

func writeJSON(to io.Writer, r result.Result) error {
	enc := json.NewEncoder(to)
	enc.SetIndent("", " ")
	enc.SetEscapeHTML(false)
	return enc.Encode(r)
}

// writeCSV leaves a field empty where nothing is known.
func writeCSV(to io.Writer, r result.Result) error {
	out := csv.NewWriter(to)
	header := []string{"second", "phase", "asked", "sent", "ok", "failed", "p50_ms", "p99_ms", "p99_from_sent_ms",
		"connections", "queue", "desired", "running", "decisions"}
	if err := out.Write(header); err != nil {
		return err
	}
	for i, s := range r.Seconds {
		phase, decisions := phaseAt(r, float64(i)), ""
		for _, d := range r.Changes {
			if int(d.At) == i {
				if decisions != "" {
					decisions += "; "
				}
				decisions += d.Reason
			}
		}
		row := []string{strconv.Itoa(i), phase, strconv.Itoa(s.Asked), strconv.Itoa(s.Sent), strconv.Itoa(s.OK), strconv.Itoa(s.Failed),
			number(s.P50), number(s.P99), number(s.Service99), number(s.Connections), number(s.Queue), whole(s.Desired), whole(s.Running), decisions}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func phaseAt(r result.Result, second float64) string {
	for _, p := range r.Phases {
		if second >= p.From && second < p.To {
			return p.Name
		}
	}
	return "after"
}

func number(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'f', 3, 64)
}

func whole(v *int) string {
	if v == nil {
		return ""
	}
	return strconv.Itoa(*v)
}
