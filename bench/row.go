package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
)

// row is one line of the table.
type row struct {
	Name      string  `json:"name"`
	Ours      float64 `json:"ours"`
	Reference float64 `json:"reference,omitempty"` // 0: there is none, the goal is absolute
	Unit      string  `json:"unit"`
	Ratio     float64 `json:"ratio,omitempty"` // ours / reference
	Goal      string  `json:"goal"`            // ">= 0.95", "<= 1 s"; "" is a figure to compare with
	OK        bool    `json:"ok"`
	Detail    string  `json:"detail,omitempty"`
	Failure   string  `json:"failure,omitempty"` // why it could not be measured; "" when it was
}

// compared makes a row that stands beside a reference and promises nothing.
func compared(name, unit string, ours, reference float64) row {
	return row{Name: name, Unit: unit, Ours: ours, Reference: reference, Ratio: ours / reference}
}

// against makes a row whose ratio to a reference counts; atLeast or else atMost.
func against(name, unit string, ours, reference, goal float64, atLeast bool) row {
	r := compared(name, unit, ours, reference)
	if atLeast {
		r.Goal, r.OK = fmt.Sprintf("ratio >= %g", goal), r.Ratio >= goal
	} else {
		r.Goal, r.OK = fmt.Sprintf("ratio <= %g", goal), r.Ratio <= goal
	}
	return r
}

// paired is against for values that were measured in turns: the ratio is the median of the rounds' ratios, which what else
// the machine did meanwhile changes less than the values. A goal of 0 is none.
func paired(name, unit string, ours, reference []float64, goal float64, atLeast bool) row {
	ratios := make([]float64, len(ours))
	for i := range ours {
		ratios[i] = ours[i] / reference[i]
	}
	r := against(name, unit, median(ours), median(reference), goal, atLeast)
	r.Ratio = median(ratios)
	r.OK = r.Ratio >= goal == atLeast
	if goal == 0 {
		r.Goal, r.OK = "", false
	}
	return r
}

// limited makes a row with an absolute goal.
func limited(name, unit string, ours, most float64) row {
	return row{Name: name, Unit: unit, Ours: ours, Goal: fmt.Sprintf("<= %g %s", most, unit), OK: ours <= most}
}

// results are what bench/results.json holds.
type results struct {
	Machine string `json:"machine"`
	Rows    []row  `json:"rows"`
}

func readResults(file string) (r results, err error) {
	content, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(content, &r); err != nil {
		return r, fmt.Errorf("read %s: %w", file, err)
	}
	return r, nil
}

// add puts the rows of a measurement in the place of those of the same name; of one that failed its name stands there with
// the reason.
func (r *results) add(name string, rows []row, failure error) {
	if failure != nil {
		rows = []row{{Name: name, Failure: failure.Error()}}
	} else {
		r.Rows = slices.DeleteFunc(r.Rows, func(old row) bool { return old.Name == name && old.Failure != "" })
	}
	for _, fresh := range rows {
		if i := slices.IndexFunc(r.Rows, func(old row) bool { return old.Name == fresh.Name }); i >= 0 {
			r.Rows[i] = fresh
			continue
		}
		r.Rows = append(r.Rows, fresh)
	}
}

// number keeps three digits, with thousands apart.
func number(v float64) string {
	if v < 1000 {
		return fmt.Sprintf("%.3g", v)
	}
	digits := fmt.Sprintf("%.0f", v)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// machine names where the figures come from.
func machine() string {
	cpu := runtime.GOARCH
	if content, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(content)) {
			if _, name, found := strings.Cut(line, "model name\t: "); found {
				cpu = strings.TrimSpace(name)
				break
			}
		}
	}
	version := "HAProxy missing"
	if output, err := exec.Command("haproxy", "-v").Output(); err == nil {
		words := strings.Fields(string(output))
		if len(words) > 2 {
			version = "HAProxy " + words[2]
		}
	}
	return fmt.Sprintf("%d cores of %s, %s, %s", runtime.NumCPU(), cpu, version, runtime.Version())
}

// median of values.
func median(values []float64) float64 {
	return slices.Sorted(slices.Values(values))[len(values)/2]
}
