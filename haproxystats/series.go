package haproxystats

import (
	"math"
	"slices"
	"strings"
	"time"
)

// series is what is remembered of one row: its counters, and what each worker had counted when it was last read.
type series struct {
	key     key
	typ     Type
	tick    int       // number of the last point it was in; 0 is none
	added   int       // workers that were added up for that
	at      time.Time // time of that point
	workers []counts
	open    integral // added-up sessions over time
	look    int      // number of the last reading between points it was in
	sum     int64    // of the sessions of all workers in that

	header  *header
	numbers []int64 // by slot, merged; counters and maxima go on from point to point. As many as its rows had: of a server the last columns are empty
	has     slotSet
	texts   []string

	sums, weights [meanSlots]float64 // of the means of this point
	arrived       int64              // stot at the last point
	elapsed       time.Duration      // since the point before; 0 is unknown
}

// counts is what one worker had counted.
type counts struct {
	pid     int
	taken   int64   // stot at the last point
	numbers []int64 // by schema.counter: there may be 10,000 servers, and most columns are no counters; as many as its rows had
}

func newSeries(r Row) *series {
	return &series{key: key{strings.Clone(r.Proxy), strings.Clone(r.Sv)}}
}

// widen makes room for the numbers of a row.
func (s *series) widen(r Row) {
	if more := r.has.width() - len(s.numbers); more > 0 {
		s.numbers = append(s.numbers, make([]int64, more)...)
	}
}

// number is the merged value of a slot, 0 when there never was one.
func (s *series) number(slot int) int64 {
	if slot < len(s.numbers) {
		return s.numbers[slot]
	}
	return 0
}

// leave forgets workers.
func (s *series) leave(pids []int) {
	s.workers = slices.DeleteFunc(s.workers, func(c counts) bool { return slices.Contains(pids, c.pid) })
}

// begin opens point number tick; r is the row of the worker whose states and settings count. The point before was made
// at time previous, or never.
func (s *series) begin(tick int, at, previous time.Time, r Row) {
	if s.tick > 0 {
		if s.tick != tick-1 {
			s.open = integral{} // it was away, nobody knows what it had open
		}
		previous = s.at
	}
	s.elapsed = 0
	if !previous.IsZero() {
		s.elapsed = at.Sub(previous)
	}
	s.tick, s.at, s.added = tick, at, 0
	s.typ, s.header = r.Type, r.header
	if !slices.Equal(s.texts, r.texts) { // texts of its own, or they would keep the whole answer in memory
		s.texts = make([]string, len(r.texts))
		for i, text := range r.texts {
			s.texts[i] = strings.Clone(text)
		}
	}
	s.has, s.sums, s.weights = slotSet{}, [meanSlots]float64{}, [meanSlots]float64{}
}

// add merges one worker's row into the point. The first one after begin is that of the current worker.
func (s *series) add(pid int, r Row) {
	first := s.added == 0
	s.added++
	s.widen(r)
	w := s.counted(pid, r)
	known, weight := w.numbers, 0.0
	if r.has.has(schema.stot) {
		weight = weigh(w.taken, r.numbers[schema.stot])
		w.taken = r.numbers[schema.stot]
	}
	for slot := range r.has.all() {
		if !first && slot >= len(schema.numbers) {
			break // another HAProxy may have other unknown columns
		}
		v, here, merge := r.numbers[slot], s.has.has(slot), schema.merge[slot]
		switch merge {
		case Count, CountOnce:
			counted := &known[schema.counter[slot]]
			if merge == Count || first {
				s.numbers[slot] += increment(*counted, v)
			}
			*counted = v
		case Sum:
			if here {
				v += s.numbers[slot]
			}
			s.numbers[slot] = v
		case Max:
			s.numbers[slot] = max(s.numbers[slot], v)
		case Youngest:
			if !here || s.numbers[slot] < 0 || v >= 0 && v < s.numbers[slot] {
				s.numbers[slot] = v
			}
		case Mean:
			i := slot - schema.firstMean
			s.sums[i] += float64(v) * weight
			s.weights[i] += weight
			fallthrough
		default:
			if !here {
				s.numbers[slot] = v
			}
		}
		s.has.add(slot)
	}
}

// count takes the counters of one worker between two points.
func (s *series) count(pid int, r Row) {
	s.widen(r)
	known := s.counted(pid, r).numbers
	for slot := range schema.numbers {
		if schema.merge[slot] == Count && r.has.has(slot) {
			counted := &known[schema.counter[slot]]
			s.numbers[slot] += increment(*counted, r.numbers[slot])
			*counted = r.numbers[slot]
		}
	}
}

// counted finds what a worker had counted, by schema.counter, with room for the counters of a row: nothing when it is new.
func (s *series) counted(pid int, r Row) *counts {
	i := slices.IndexFunc(s.workers, func(c counts) bool { return c.pid == pid })
	if i < 0 {
		i, s.workers = len(s.workers), append(s.workers, counts{pid: pid})
	}
	w := &s.workers[i]
	if more := schema.countersWithin(r.has.width()) - len(w.numbers); more > 0 {
		w.numbers = append(w.numbers, make([]int64, more)...)
	}
	return w
}

// increment is what was counted between two readings of one worker. A counter that fell was set back, by `clear
// counters` or because a server of that name was deleted and added again.
func increment(before, now int64) int64 {
	if now < before {
		return now
	}
	return now - before
}

// weigh is what a worker's means count for: the sessions it took since it was last read. Its sessions since the start
// only decide when no worker took any.
func weigh(before, now int64) float64 {
	return float64(increment(before, now)) + 1e-12*float64(now)
}

// sample closes the point.
func (s *series) sample() Sample {
	for slot, of := range schema.of {
		if of >= 0 && s.added > 1 && s.has.has(slot) { // HAProxy's own maximum may lag behind its own rate
			s.numbers[slot] = max(s.numbers[slot], s.number(of))
		}
	}
	for i, weight := range s.weights {
		if weight > 0 {
			s.numbers[schema.firstMean+i] = int64(math.Round(s.sums[i] / weight))
		}
	}
	out := Sample{Proxy: s.key.proxy, Sv: s.key.sv, Type: s.typ, series: s, ReqRateMean: math.NaN()}
	if s.typ != Backend {
		return out
	}
	s.open.read(s.at, float64(s.number(schema.scur)))
	out.ScurMean, out.ScurMax = s.open.take()
	if s.elapsed > 0 {
		out.ReqRateMean = float64(s.number(schema.stot)-s.arrived) / s.elapsed.Seconds()
	}
	s.arrived = s.number(schema.stot)
	return out
}
