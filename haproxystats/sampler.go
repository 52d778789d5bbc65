package haproxystats

import (
	"cmp"
	"slices"
	"time"
)

// forget is how long a row that is gone keeps its counters, so that a backend that comes back does not start at 0.
const forget = 15 * time.Minute

// Worker is what one HAProxy process answered.
type Worker struct {
	PID      int
	Draining bool  // replaced by a reload, finishing its connections
	Rows     []Row // nil: the worker is there but could not be read; what it counted is kept
}

// Sampler adds up the workers of one HAProxy over time. A worker that it sees for the first time has counted from 0; of
// one that is gone the last counts stay. It is not safe for concurrent use.
//
// A counter starts with what the workers had counted when the Sampler first saw them, so with one worker that was never
// reloaded every value is HAProxy's own.
type Sampler struct {
	series map[key]*series
	pids   []int     // workers of the last call
	at     time.Time // of the last point
	tick   int       // number of the last point
	fresh  []*series // rows of the last point, in HAProxy's order
	look   int       // number of the last reading between points
	seen   []*series // backends of that
}

type key struct{ proxy, sv string }

// NewSampler returns a Sampler that has seen nothing.
func NewSampler() *Sampler { return &Sampler{series: map[key]*series{}} }

// Observe takes a reading of backends between two points: it goes into scur_mean and scur_max of the next one, and what
// its rows count is counted. All
// workers must have been read, else the sum would be short: leave the reading out instead. Rows that are no backends
// are passed over. Those of a draining worker should be whole ones: it ends soon.
func (s *Sampler) Observe(at time.Time, workers []Worker) {
	s.look, s.seen = s.look+1, s.seen[:0]
	for _, w := range workers {
		for _, row := range w.Rows {
			if row.Type != Backend {
				continue
			}
			sr := s.find(row)
			if sr.look != s.look {
				sr.look, sr.sum = s.look, 0
				s.seen = append(s.seen, sr)
			}
			sr.sum += row.numbers[schema.scur]
			sr.count(w.PID, row) // it may end before the next point, and takes with it what nobody read
		}
	}
	for _, sr := range s.seen {
		sr.open.read(at, float64(sr.sum))
	}
}

// Next makes the point of time at from a reading of every worker: one Sample for each row that any of them has, those of
// the current worker first. Rows that were not asked for (servers are not, each time) give no Sample and lose nothing.
// The samples are valid until the next call.
func (s *Sampler) Next(at time.Time, workers []Worker) []Sample {
	workers = slices.Clone(workers)
	slices.SortStableFunc(workers, func(a, b Worker) int {
		return cmp.Compare(rank(a), rank(b))
	})
	s.leaveGone(workers)
	previous := s.at
	s.at, s.tick, s.fresh = at, s.tick+1, s.fresh[:0]
	for _, w := range workers {
		for _, row := range w.Rows {
			sr := s.find(row)
			if sr.tick != s.tick {
				s.fresh = append(s.fresh, sr)
				sr.begin(s.tick, at, previous, row)
			}
			sr.add(w.PID, row)
		}
	}
	samples := make([]Sample, len(s.fresh))
	for i, sr := range s.fresh {
		samples[i] = sr.sample()
	}
	s.prune(at)
	return samples
}

// Gap says that HAProxy could not be read for a while: the sessions open meanwhile are not known, so the mean of the next
// point starts at the next reading. Counters go on.
func (s *Sampler) Gap() {
	for _, sr := range s.series {
		sr.open = integral{}
	}
}

// rank puts the current worker first: its settings and states count.
func rank(w Worker) int {
	if w.Draining {
		return 1
	}
	return 0
}

func (s *Sampler) find(row Row) *series {
	k := key{row.Proxy, row.Sv}
	sr, ok := s.series[k]
	if !ok {
		sr = newSeries(row)
		s.series[sr.key] = sr // its key does not hold on to the whole answer
	}
	return sr
}

// leaveGone forgets the workers that are no longer there, since a process of the future may get their PID.
func (s *Sampler) leaveGone(workers []Worker) {
	gone := slices.DeleteFunc(s.pids, func(pid int) bool {
		return slices.ContainsFunc(workers, func(w Worker) bool { return w.PID == pid })
	})
	if len(gone) > 0 {
		for _, sr := range s.series {
			sr.leave(gone)
		}
	}
	s.pids = s.pids[:0]
	for _, w := range workers {
		s.pids = append(s.pids, w.PID)
	}
}

// prune drops the rows that have been gone for long. Once in sixty points is often enough.
func (s *Sampler) prune(at time.Time) {
	if s.tick%60 != 0 {
		return
	}
	for k, sr := range s.series {
		if at.Sub(sr.at) > forget {
			delete(s.series, k)
		}
	}
}
