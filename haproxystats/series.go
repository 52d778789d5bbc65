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
	at      time.Time // time of that point
	workers []counts
	open    integral // added-up sessions over time

	header  *header
	numbers []int64 // by slot, merged; counters and maxima go on from point to point
	has     slotSet
	texts   []string

	sums, weights [meanSlots]float64 // of the means of this point
	arrived       int64              // stot at the last point
	elapsed       time.Duration      // since the point before; 0 is unknown
}

// counts is what one worker had counted.
type counts struct {
	pid     int
	numbers []int64 // by schema.counter: there may be 10,000 servers, and most columns are no counters
}

func newSeries(r Row) *series {
	return &series{
		key:     key{strings.Clone(r.Proxy), strings.Clone(r.Sv)},
		numbers: make([]int64, len(r.numbers)),
	}
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
	s.tick, s.at = tick, at
	s.typ, s.header = r.Type, r.header
	if !slices.Equal(s.texts, r.texts) { // texts of its own, or they would keep the whole answer in memory
		s.texts = make([]string, len(r.texts))
		for i, text := range r.texts {
			s.texts[i] = strings.Clone(text)
		}
	}
	s.has, s.sums, s.weights = slotSet{}, [meanSlots]float64{}, [meanSlots]float64{}
	if more := len(r.numbers) - len(s.numbers); more > 0 {
		s.numbers = append(s.numbers, make([]int64, more)...)
	}
}

// add merges one worker's row into the point. The first one after begin is that of the current worker.
func (s *series) add(pid int, r Row) {
	first := s.has == slotSet{}
	known := s.counted(pid)
	weight := weigh(known[schema.counter[schema.stot]], r.numbers[schema.stot])
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
	known := s.counted(pid)
	for slot := range schema.numbers {
		if schema.merge[slot] == Count && r.has.has(slot) {
			counted := &known[schema.counter[slot]]
			s.numbers[slot] += increment(*counted, r.numbers[slot])
			*counted = r.numbers[slot]
		}
	}
}

// counted finds what a worker had counted, by schema.counter: nothing when it is new.
func (s *series) counted(pid int) []int64 {
	for i := range s.workers {
		if s.workers[i].pid == pid {
			return s.workers[i].numbers
		}
	}
	numbers := make([]int64, schema.counters)
	s.workers = append(s.workers, counts{pid, numbers})
	return numbers
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
		if of >= 0 && s.has.has(slot) {
			s.numbers[slot] = max(s.numbers[slot], s.numbers[of])
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
	s.open.read(s.at, float64(s.numbers[schema.scur]))
	out.ScurMean, out.ScurMax = s.open.take()
	if s.elapsed > 0 {
		out.ReqRateMean = float64(s.numbers[schema.stot]-s.arrived) / s.elapsed.Seconds()
	}
	s.arrived = s.numbers[schema.stot]
	return out
}
