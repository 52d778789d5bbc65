package haproxystats

import "time"

// integral is the area under a gauge that is read now and then. Between two readings the gauge is taken to move in a
// straight line, so readings at uneven distances weigh as much as the time they stand for.
type integral struct {
	at   time.Time // of the last reading; zero is none
	last float64
	area float64 // value times seconds since the last take
	span time.Duration
	peak float64 // of the readings since the last take
	any  bool    // there was a reading since the last take
}

func (g *integral) read(at time.Time, v float64) {
	if step := at.Sub(g.at); !g.at.IsZero() && step > 0 {
		g.area += (g.last + v) / 2 * step.Seconds()
		g.span += step
	}
	if !g.any || v > g.peak {
		g.peak = v
	}
	g.at, g.last, g.any = at, v, true
}

// take gives mean and highest reading since the last take. The last reading opens the next stretch, but its height
// counts only here.
func (g *integral) take() (mean, peak float64) {
	mean, peak = g.last, g.peak
	if g.span > 0 {
		mean = g.area / g.span.Seconds()
	}
	g.area, g.span, g.peak, g.any = 0, 0, 0, false
	return mean, peak
}
