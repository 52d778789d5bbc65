package live

import "strings"

var bars = []rune(" ▁▂▃▄▅▆▇█")

// graph draws values as bars, one rune each, from 0 to the highest value or at least floor. A negative value is unknown and stays empty; anything above
// zero is seen.
func graph(values []float64, floor float64) string {
	top := floor
	for _, v := range values {
		top = max(top, v)
	}
	var out strings.Builder
	for _, v := range values {
		height := 0
		if v >= 0 && top > 0 {
			height = max(1, int(v/top*float64(len(bars)-1)+0.5))
		}
		out.WriteRune(bars[height])
	}
	return out.String()
}

// Sketch draws values, one a second, over so many columns.
func Sketch(values []float64, columns int) string {
	return graph(squeeze(values, columns, float64(len(values))), 1)
}

// squeeze lays values, one a second, over columns that together are length seconds: the highest value of each column, and -1 where there is
// none (yet).
func squeeze(values []float64, columns int, length float64) []float64 {
	out := make([]float64, columns)
	for i := range out {
		out[i] = -1
	}
	if length <= 0 {
		return out
	}
	for second, v := range values {
		// A run shorter than the columns are wide fills several of them with one second.
		first := int(float64(second) / length * float64(columns))
		next := int(float64(second+1) / length * float64(columns))
		for i := first; i < max(first+1, next) && i < columns; i++ {
			out[i] = max(out[i], v)
		}
	}
	return out
}
