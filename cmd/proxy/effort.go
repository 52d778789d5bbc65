package main

import (
	"slices"
	"time"

	"sluice/haproxystats"
)

// How dear the exporter may be for HAProxy's thread, and how often it reads at best.
const (
	lookEvery    = 100 * time.Millisecond // shortest pause between two readings
	lookAgain    = 10                     // points without a reading in between, after which one is tried again
	lookShare    = 50                     // backends: a reading of 1 ms is followed by a pause of 50 ms, 2 % of a thread
	serverShare  = 100                    // servers: 1 %
	serversOften = 1000                   // up to so many servers are read for every point
)

// effort keeps the reading cheap for HAProxy. What a reading costs is taken from how long the answer took: that is never
// less than what HAProxy's thread spent, and the shortest of the last few is close to it.
type effort struct {
	interval time.Duration
	looks    shortest // readings of the backends
	alls     shortest // readings with all servers
	count    int      // servers
	every    int      // servers are read once in so many points; 0 is each time
	points   int      // since they were read
	blind    int      // points since the last reading of the backends
}

// shortest keeps the last few durations.
type shortest struct {
	last [8]time.Duration
	n    int
}

func (s *shortest) add(d time.Duration) {
	s.last[s.n%len(s.last)] = d
	s.n++
}

// get is the shortest of them, 0 when there are none.
func (s *shortest) get() time.Duration {
	if s.n == 0 {
		return 0
	}
	return slices.Min(s.last[:min(s.n, len(s.last))])
}

// backends takes note of what a reading of all backends took.
func (e *effort) backends(took time.Duration) {
	e.looks.add(took)
	e.blind = 0
}

// cost is the time that HAProxy needs to answer a reading of all backends, 0 while nobody knows.
func (e *effort) cost() time.Duration { return e.looks.get() }

// wait is how long to sleep before the next reading, when the next point is due after left: shorter than that when
// readings in between fit and are wanted.
func (e *effort) wait(left time.Duration, look bool) time.Duration {
	pause := max(lookEvery, lookShare*e.cost())
	if e.blind >= lookAgain {
		pause = lookEvery // it may have become cheaper
	}
	if !look || left <= pause {
		return max(0, left)
	}
	return pause
}

// serversDue begins a point and says whether it reads the servers.
func (e *effort) serversDue() bool {
	e.points++
	return e.points >= e.every
}

// servers takes note of a reading of everything and says whether it changed how often that is done.
func (e *effort) servers(samples []haproxystats.Sample, took time.Duration) (changed bool) {
	e.count, e.points = 0, 0
	e.alls.add(took)
	for _, s := range samples {
		if s.Type == haproxystats.Server {
			e.count++
		}
	}
	every := 1
	if e.count > serversOften {
		every = max((e.count+serversOften-1)/serversOften, int(serverShare*e.alls.get()/e.interval))
	}
	changed = every != e.every && (every > 1 || e.every > 1)
	e.every = every
	return changed
}
