package scenario

import "math"

// curve is a rate over time, from 0 to the end of its piece. Time is in seconds, rates in requests per second.
type curve interface {
	rate(t float64) float64
	area(t float64) float64  // under the rate from 0 to t: the requests that are due until then
	reach(x float64) float64 // when the area is x; x is more than 0 and not more than the area of the whole piece
	peak(length float64) float64
}

// line is a rate that rises or falls evenly, or stays.
type line struct{ from, slope float64 }

func straight(from, to, length float64) line { return line{from, (to - from) / length} }

func (l line) rate(t float64) float64 { return l.from + l.slope*t }
func (l line) area(t float64) float64 { return l.from*t + l.slope*t*t/2 }

// reach is the root of slope/2·t² + from·t = x, written so that a level rate, a start at zero and a fall to zero need no case of
// their own.
func (l line) reach(x float64) float64 {
	return 2 * x / (l.from + math.Sqrt(max(0, l.from*l.from+2*l.slope*x)))
}

func (l line) peak(length float64) float64 { return max(l.rate(0), l.rate(length)) }

// wave starts at its lowest rate, is at its highest after half a period, and so on.
type wave struct{ low, high, period float64 }

func (w wave) rate(t float64) float64 {
	return w.low + (w.high-w.low)*(1-math.Cos(2*math.Pi*t/w.period))/2
}

func (w wave) area(t float64) float64 {
	turn := 2 * math.Pi / w.period
	return (w.low+w.high)/2*t - (w.high-w.low)/2/turn*math.Sin(turn*t)
}

// reach has no closed form: the area is between two straight lines, and from there halving finds the time to the nanosecond.
func (w wave) reach(x float64) float64 {
	mean, sway := (w.low+w.high)/2, math.Abs(w.high-w.low)/2*w.period/(2*math.Pi)
	early, late := max(0, (x-sway)/mean), (x+sway)/mean
	for late-early > 1e-10 {
		middle := (early + late) / 2
		if middle <= early || middle >= late { // no number lies between them any more
			break
		}
		if w.area(middle) < x {
			early = middle
		} else {
			late = middle
		}
	}
	return late
}

func (w wave) peak(length float64) float64 {
	if length >= w.period/2 || w.low > w.high {
		return max(w.low, w.high)
	}
	return w.rate(length)
}
