package scenario

import (
	"math"
	"time"
)

// pieces are the curves of a phase, one behind the other; none has no length.
func (p Phase) pieces() []piece {
	length := p.Duration.Seconds()
	switch p.Kind {
	case Closed:
		return level(0, length)
	case Ramp:
		return []piece{{curve: straight(p.Rates[0], p.Rates[1], length), length: length}}
	case Sine:
		return []piece{{curve: wave{p.Rates[0], p.Rates[1], p.Period.Seconds()}, length: length}}
	case Spike:
		before, width := p.At.Seconds(), p.Width.Seconds()
		rest := (p.Duration - p.At - p.Width).Seconds()
		return append(append(level(p.Rates[0], before), level(p.Rates[1], width)...), level(p.Rates[0], rest)...)
	case Sawtooth:
		return p.teeth(length)
	case Replay:
		return p.trace()
	default: // a constant rate is a step with one stair
		var stairs []piece
		for _, rate := range p.Rates {
			stairs = append(stairs, level(rate, length/float64(len(p.Rates)))...)
		}
		return stairs
	}
}

func level(rate, length float64) []piece {
	if length <= 0 {
		return nil
	}
	return []piece{{curve: line{from: rate}, length: length}}
}

// teeth are rises of a period each; the last may be broken off.
func (p Phase) teeth(length float64) []piece {
	var out []piece
	period := p.Period.Seconds()
	rise := straight(p.Rates[0], p.Rates[1], period)
	for n := range int(math.Ceil(float64(p.Duration) / float64(p.Period))) {
		out = append(out, piece{curve: rise, length: min(period, length-float64(n)*period)})
	}
	return out
}

// trace goes in a straight line from point to point until the phase ends.
func (p Phase) trace() []piece {
	var out []piece
	for i := 1; i < len(p.Points); i++ {
		a, b := p.Points[i-1], p.Points[i]
		if a.At >= p.Duration {
			break
		}
		length := (b.At - a.At).Seconds()
		out = append(out, piece{curve: straight(a.Rate, b.Rate, length), length: min(length, (p.Duration - a.At).Seconds())})
	}
	return out
}

// end is the rate with which the phase ends.
func (p Phase) end() float64 {
	pieces := p.pieces()
	if len(pieces) == 0 {
		return 0
	}
	last := pieces[len(pieces)-1]
	return max(0, last.rate(last.length))
}

// Point is the rate at one moment of a trace.
type Point struct {
	At   time.Duration
	Rate float64 // requests per second
}
