package scenario

import (
	"math"
	"sort"
	"time"
)

// Schedule says when every request of a run is due. It is a function of the phases alone: nothing that a server does
// can move a due time (an open loop). Closed phases have no due times: in the schedule they are silence.
//
// Each phase becomes pieces in which the rate follows one curve. Request n (from 0) is due at the moment when the area
// under the rate reaches n + ½. The half makes the number of requests the rounded area, so that 0.1 + 0.2 requests cost
// or give none by accident, and carries fractions from phase to phase.
type Schedule struct {
	pieces []piece
	end    float64 // seconds
	count  int
}

type piece struct {
	curve
	phase         int
	start, length float64 // seconds
	before        float64 // area under the rate in all earlier pieces
}

func (p piece) total() float64 { return p.area(p.length) }

// NewSchedule lays the phases one behind the other.
func NewSchedule(phases []Phase) Schedule {
	var s Schedule
	var area float64
	for i, phase := range phases {
		for _, p := range phase.pieces() {
			p.phase, p.start, p.before = i, s.end, area
			s.pieces = append(s.pieces, p)
			s.end += p.length
			area += p.total()
		}
	}
	s.count = int(area + 0.5)
	return s
}

// Len is the number of requests in the schedule.
func (s Schedule) Len() int { return s.count }

// Duration is the time from the start to the end of the last phase.
func (s Schedule) Duration() time.Duration { return seconds(s.end) }

// Due gives the time of request n, counted from the start, and the index of the phase that asks for it. n must be at
// least 0 and less than Len.
func (s Schedule) Due(n int) (at time.Duration, phase int) {
	want := float64(n) + 0.5
	i := sort.Search(len(s.pieces)-1, func(i int) bool { return s.pieces[i].before+s.pieces[i].total() > want })
	for i > 0 && s.pieces[i].total() == 0 { // the last one, when rounding left the last request to it
		i--
	}
	p, into := s.pieces[i], 0.0
	if x := want - p.before; x > 0 { // else it is due where the piece begins
		into = min(p.length, p.reach(x))
	}
	return seconds(min(p.start+into, s.end)), p.phase
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
	if i := s.piece(at); i >= 0 {
		return s.pieces[i].rate(at - s.pieces[i].start)
	}
	return 0
}

// Peak is the highest rate of the schedule in requests per second.
func (s Schedule) Peak() float64 {
	var peak float64
	for _, p := range s.pieces {
		peak = max(peak, p.peak(p.length))
	}
	return peak
}

// Phase is the index of the phase that runs at t, or -1 outside of all.
func (s Schedule) Phase(t time.Duration) int {
	if i := s.piece(t.Seconds()); i >= 0 {
		return s.pieces[i].phase
	}
	return -1
}

func (s Schedule) piece(at float64) int {
	i := sort.Search(len(s.pieces), func(i int) bool { return s.pieces[i].start+s.pieces[i].length > at })
	if at < 0 || i == len(s.pieces) {
		return -1
	}
	return i
}

func seconds(s float64) time.Duration { return time.Duration(math.Round(s * float64(time.Second))) }
