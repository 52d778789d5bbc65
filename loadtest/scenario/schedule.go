package scenario

import (
	"math"
	"sort"
	"time"
)

// Schedule says when every request of a run is due. It is a function of the phases alone: nothing that a server does
// can move a due time (an open loop).
//
// Each phase becomes pieces in which the rate runs in a straight line, so any further shape needs only its pieces. Request n
// (from 0) is due at the moment when the area under the rate reaches n + ½. The half makes the number of requests
// the rounded area, so that 0.1 + 0.2 requests cost or give none by accident, and carries fractions from phase to phase.
type Schedule struct {
	pieces []piece
	end    float64 // seconds
	count  int
}

type piece struct {
	phase         int
	start, length float64 // seconds
	from, to      float64 // requests per second
	before        float64 // area under the rate in all earlier pieces
}

func (p piece) area() float64 { return (p.from + p.to) / 2 * p.length }

// NewSchedule lays the phases one behind the other.
func NewSchedule(phases []Phase) Schedule {
	var s Schedule
	var area float64
	for i, phase := range phases {
		for _, p := range phase.pieces() {
			p.phase, p.start, p.before = i, s.end, area
			s.pieces = append(s.pieces, p)
			s.end += p.length
			area += p.area()
		}
	}
	s.count = int(area + 0.5)
	return s
}

func (p Phase) pieces() []piece {
	length := p.Duration.Seconds()
	switch p.Kind {
	case Ramp:
		return []piece{{length: length, from: p.Rates[0], to: p.Rates[1]}}
	default: // a constant rate is a step with one stair
		stairs := make([]piece, len(p.Rates))
		for i, rate := range p.Rates {
			stairs[i] = piece{length: length / float64(len(p.Rates)), from: rate, to: rate}
		}
		return stairs
	}
}

// Len is the number of requests in the schedule.
func (s Schedule) Len() int { return s.count }

// Duration is the time from the start to the end of the last phase.
func (s Schedule) Duration() time.Duration { return seconds(s.end) }

// Due gives the time of request n, counted from the start, and the index of the phase that asks for it. n must be at
// least 0 and less than Len.
func (s Schedule) Due(n int) (at time.Duration, phase int) {
	want := float64(n) + 0.5
	i := sort.Search(len(s.pieces)-1, func(i int) bool { return s.pieces[i].before+s.pieces[i].area() > want })
	p := s.pieces[i]
	return seconds(min(p.start+p.reach(want-p.before), s.end)), p.phase
}

// reach gives the seconds after which the area under the piece's rate is x: the root of slope/2·t² + from·t = x, written so
// that a level rate, a start at zero and a fall to zero need no case of their own.
func (p piece) reach(x float64) float64 {
	slope := (p.to - p.from) / p.length
	root := math.Sqrt(max(0, p.from*p.from+2*slope*x))
	return min(p.length, 2*x/(p.from+root))
}

// Before counts the requests that are due earlier than t.
func (s Schedule) Before(t time.Duration) int {
	return sort.Search(s.count, func(n int) bool { at, _ := s.Due(n); return at >= t })
}

// Requests counts the requests of one phase.
func (s Schedule) Requests(phase int) int {
	first := func(phase int) int {
		return sort.Search(s.count, func(n int) bool { _, p := s.Due(n); return p >= phase })
	}
	return first(phase+1) - first(phase)
}

// Rate is the asked rate at t in requests per second; zero before the start and from the end on.
func (s Schedule) Rate(t time.Duration) float64 {
	at := t.Seconds()
	for _, p := range s.pieces {
		if at >= p.start && at < p.start+p.length {
			return p.from + (p.to-p.from)*(at-p.start)/p.length
		}
	}
	return 0
}

// Peak is the highest rate of the schedule in requests per second.
func (s Schedule) Peak() float64 {
	var peak float64
	for _, p := range s.pieces {
		peak = max(peak, p.from, p.to)
	}
	return peak
}

// Phase is the index of the phase that runs at t, or -1 outside of all.
func (s Schedule) Phase(t time.Duration) int {
	at := t.Seconds()
	for _, p := range s.pieces {
		if at >= p.start && at < p.start+p.length {
			return p.phase
		}
	}
	return -1
}

func seconds(s float64) time.Duration { return time.Duration(math.Round(s * float64(time.Second))) }
