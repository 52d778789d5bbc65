package report

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// String is the comparison as a table of text: a column for each run, with the ratio to the first behind each figure.
func (c Comparison) String() string {
	header := []string{""}
	for i, run := range c.Runs {
		if header = append(header, run.Name); i > 0 {
			header = append(header, "")
		}
	}
	lines := [][]string{header}
	for _, row := range c.Rows {
		line := []string{row.Label}
		for i, cell := range row.Cells {
			if line = append(line, cell.Text); i > 0 {
				line = append(line, cell.Ratio)
			}
		}
		lines = append(lines, line)
	}
	for _, v := range c.Verdicts {
		line := []string{v.Expect}
		for i, cell := range v.Cells {
			if line = append(line, map[string]string{"good": "ok", "bad": "FAILED", "": "–"}[cell.Tone]); i > 0 {
				line = append(line, map[bool]string{true: "differs"}[v.Differ && cell.Tone != v.Cells[0].Tone])
			}
		}
		lines = append(lines, line)
	}
	widths := make([]int, len(header))
	for _, line := range lines {
		for i, word := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(word))
		}
	}
	var out strings.Builder
	for _, line := range lines {
		text := fmt.Sprintf("%-*s", widths[0], line[0])
		for i, word := range line[1:] {
			text += fmt.Sprintf("  %*s", widths[i+1], word)
		}
		out.WriteString(strings.TrimRight(text, " ") + "\n")
	}
	for _, w := range c.Warnings {
		out.WriteString("note: " + w + "\n")
	}
	return out.String()
}
