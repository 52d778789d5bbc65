package scenario

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// maxPoints bounds a trace: a day by the second.
const maxPoints = 24*60*60 + 1

// ParseTrace reads a recorded load: a line "second,rate" for each point, the first at second 0, seconds rising. Empty lines, lines
// that begin with # and a first line of names are passed over. The line of the error is that of the trace.
func ParseTrace(data []byte) ([]Point, int, error) {
	var points []Point
	for i, text := range strings.Split(string(data), "\n") {
		text = strings.TrimSpace(text)
		if text == "" || text[0] == '#' {
			continue
		}
		second, rate, two := strings.Cut(text, ",")
		at, errAt := strconv.ParseFloat(strings.TrimSpace(second), 64)
		if errAt != nil && i == 0 {
			continue // names of the columns
		}
		v, errRate := strconv.ParseFloat(strings.TrimSpace(rate), 64)
		switch {
		case !two || errAt != nil || errRate != nil:
			return nil, i + 1, fmt.Errorf("want second,rate such as 10,250, not %q", text)
		case !(at >= 0 && at <= 24*60*60):
			return nil, i + 1, fmt.Errorf("second %g is not from 0 to a day", at)
		case !(v >= 0 && v <= maxRate):
			return nil, i + 1, fmt.Errorf("rate must be requests per second, 0 to %d, not %q", maxRate, strings.TrimSpace(rate))
		case len(points) == 0 && at != 0:
			return nil, i + 1, fmt.Errorf("the first point must be at second 0, not %g", at)
		case len(points) > 0 && seconds(at) <= points[len(points)-1].At:
			return nil, i + 1, fmt.Errorf("second %g does not come after %g", at, points[len(points)-1].At.Seconds())
		case len(points) == maxPoints:
			return nil, i + 1, fmt.Errorf("a trace has at most %d points", maxPoints)
		}
		points = append(points, Point{seconds(at), v})
	}
	if len(points) < 2 {
		return nil, 0, fmt.Errorf("a trace needs at least two lines second,rate")
	}
	return points, 0, nil
}

// scaled is the trace with every rate multiplied.
func scaled(points []Point, factor float64) []Point {
	out := make([]Point, len(points))
	for i, p := range points {
		out[i] = Point{p.At, p.Rate * factor}
	}
	return out
}

// extremes are the lowest and the highest rate until a moment.
func extremes(points []Point, until time.Duration) []float64 {
	low, high := points[0].Rate, points[0].Rate
	for _, p := range points {
		if p.At <= until {
			low, high = min(low, p.Rate), max(high, p.Rate)
		}
	}
	return []float64{low, high}
}
