package live

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Columns of a line: a label, a graph where there is room for one, and a value.
const (
	labelColumns = 14
	valueColumns = 28
	leastGraph   = 8
	mostGraph    = 60
)

// layout is how many columns a graph has; none where the terminal is too narrow for one.
type layout struct{ columns int }

func newLayout(width int) layout {
	columns := min(width-labelColumns-valueColumns, mostGraph)
	if columns < leastGraph {
		columns = 0
	}
	return layout{columns}
}

func (l layout) row(label, graph, value string) string {
	if l.columns == 0 {
		return fmt.Sprintf("  %s%-12s%s%s", dim, label, off, value)
	}
	return fmt.Sprintf("  %s%-12s%s%s  %s", dim, label, off, graph, value)
}

// progress is a bar that is full when load and watching are over at the latest.
func (l layout) progress(f Frame) string {
	full := int(done(f) * float64(l.columns))
	return green + strings.Repeat("━", full) + off + dim + strings.Repeat("─", l.columns-full) + off
}

// done is the share of the run that is over, from 0 to 1.
func done(f Frame) float64 {
	all := f.Elapsed + f.Left
	if all <= 0 {
		return 1
	}
	return min(1, max(0, f.Elapsed.Seconds()/all.Seconds()))
}

func where(f Frame) string {
	if f.Phase == "" {
		return clock(f.Elapsed) + "  load is over, watching"
	}
	return clock(f.Elapsed) + "  " + f.Phase
}

func left(f Frame) string {
	most := ""
	if f.Phase == "" {
		most = " at most"
	}
	return fmt.Sprintf("%s%.0f %%%s  %s left%s", bold, 100*done(f), off, clock(f.Left), most)
}

// visible counts the runes of a line that are seen: colours are not.
func visible(line string) int {
	n := 0
	walk(line, func(_ string, seen bool) bool {
		if seen {
			n++
		}
		return true
	})
	return n
}

// cut shortens a line to what fits into so many columns. A cut line ends in an ellipsis.
func cut(line string, columns int) string {
	if visible(line) <= columns {
		return line
	}
	var out strings.Builder
	n := 0
	walk(line, func(piece string, seen bool) bool {
		if seen {
			if n++; n >= columns {
				return false
			}
		}
		out.WriteString(piece)
		return true
	})
	if columns > 0 {
		out.WriteString(off + "…")
	}
	return out.String()
}

// walk gives a line piece by piece: each rune that is seen, and with seen false each sequence that sets a colour, until next says no.
func walk(line string, next func(piece string, seen bool) bool) {
	for len(line) > 0 {
		if strings.HasPrefix(line, "\x1b[") {
			end := strings.IndexByte(line, 'm') + 1
			if end == 0 {
				return
			}
			if !next(line[:end], false) {
				return
			}
			line = line[end:]
			continue
		}
		_, size := utf8.DecodeRuneInString(line)
		if !next(line[:size], true) {
			return
		}
		line = line[size:]
	}
}
