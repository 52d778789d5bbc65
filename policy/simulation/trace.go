package simulation

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// longestTrace is in seconds: four weeks.
const longestTrace = 28 * 24 * 3600

// ParseTrace reads a CSV of two columns: seconds since any beginning, ascending, and the load. The head says what is
// counted: `seconds,sessions` or `seconds,requests` (a second). Between two lines the load stays. Errors name the line.
func ParseTrace(name string, content io.Reader) (Trace, error) {
	rows := csv.NewReader(content)
	rows.FieldsPerRecord, rows.TrimLeadingSpace, rows.Comment = 2, true, '#'
	head, err := rows.Read()
	if err != nil {
		return Trace{}, fmt.Errorf("read trace: %w", err)
	}
	t := Trace{Name: name, Unit: Unit(strings.ToLower(strings.TrimSpace(head[1])))}
	if strings.TrimSpace(head[0]) != "seconds" || t.Unit != Sessions && t.Unit != Requests {
		return Trace{}, fmt.Errorf("read trace: line 1: is not seconds,sessions or seconds,requests, got %q", strings.Join(head, ","))
	}
	first, last := 0, 0
	for {
		row, err := rows.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return Trace{}, fmt.Errorf("read trace: %w", err)
		}
		line, _ := rows.FieldPos(0)
		at, load, err := point(row)
		if err != nil {
			return Trace{}, fmt.Errorf("read trace: line %d: %w", line, err)
		}
		if len(t.Load) == 0 {
			first, last = at, at
		}
		switch {
		case at < last || at == last && len(t.Load) > 0:
			return Trace{}, fmt.Errorf("read trace: line %d: comes not after second %d, got %d", line, last, at)
		case at-first >= longestTrace:
			return Trace{}, fmt.Errorf("read trace: line %d: is more than four weeks after the first", line)
		}
		for ; last+1 < at && len(t.Load) > 0; last++ {
			t.Load = append(t.Load, t.Load[len(t.Load)-1])
		}
		t.Load, last = append(t.Load, load), at
	}
	if len(t.Load) < 2 {
		return Trace{}, fmt.Errorf("read trace: has fewer than two seconds")
	}
	return t, nil
}

func point(row []string) (at int, load float64, err error) {
	seconds, err := strconv.ParseFloat(strings.TrimSpace(row[0]), 64)
	if err != nil || seconds < 0 || seconds > 1e11 {
		return 0, 0, fmt.Errorf("has no time in seconds but %q", row[0])
	}
	load, err = strconv.ParseFloat(strings.TrimSpace(row[1]), 64)
	if err != nil || load < 0 || math.IsInf(load, 0) || load != load {
		return 0, 0, fmt.Errorf("has no load but %q", row[1])
	}
	return int(seconds), load, nil
}
