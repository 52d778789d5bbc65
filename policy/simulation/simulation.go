// Package simulation runs a scaler against a load trace and a model of the service, second by second.
//
//	trace ──┐
//	service ┼─ Run(scaler) ──> Result: what was ready, what waited, what it cost
//	        └─ Minimum ──────> the same for somebody who knows the future
//
// The model is simple and says so. One second of load meets the replicas that are ready in that second; each carries
// Capacity of it. What is more waits (requests, first come, first served) or is a connection that waits (sessions). A
// second in which anything waits at its end is an overload second. A replica costs from the moment it is ordered until
// it is stopped, and is ready Start seconds after the order. Stopping takes no time and takes the youngest first. The
// scaler sees every second when it is over. It is pure: no clock, no file, no randomness but a seed.
package simulation

import (
	"fmt"
	"math"
)

// Unit is what a trace counts.
type Unit string

// The units: open connections at a moment, or arrivals in a second.
const (
	Sessions Unit = "sessions"
	Requests Unit = "requests"
)

// Trace is a load, one value a second.
type Trace struct {
	Name string
	Unit Unit
	Load []float64
}

// Service is the model of what is scaled.
type Service struct {
	Capacity float64 // of one replica, in the trace's unit
	Start    int     // seconds from the order until a replica is ready
	Latency  float64 // seconds that a request takes when it does not wait; of a trace of requests
	Min, Max int
}

// Validate says what cannot be.
func (s Service) Validate() error {
	switch {
	case !(s.Capacity > 0) || math.IsInf(s.Capacity, 0):
		return fmt.Errorf("capacity: must be above 0, got %v", s.Capacity)
	case s.Start < 0 || s.Start > 3600:
		return fmt.Errorf("start: must lie between 0s and 1h, got %d s", s.Start)
	case s.Min < 0 || s.Max < max(1, s.Min):
		return fmt.Errorf("bounds: there is nothing between %d and %d", s.Min, s.Max)
	}
	return nil
}

// nothing is the part of a capacity that counts as none: what is left of a sum that should be zero.
const nothing = 1e-6

// needs is how many replicas carry a load, within the bounds.
func (s Service) needs(load float64) int {
	n := math.Ceil(load/s.Capacity - nothing)
	return int(min(max(n, float64(s.Min)), float64(s.Max)))
}

// Moment is what a scaler sees after a second has passed. The slices are the past, oldest first, and not to be changed.
type Moment struct {
	Second   int // that begins now
	Desired  int
	Started  []int // second in which each replica was ordered, oldest first; one that ran before the trace is negative
	Start    int   // seconds that they take
	Sessions []float64
	Requests []float64 // nil when the trace counts sessions
	Queue    []float64
}

// Ready is how many replicas serve.
func (m Moment) Ready() int {
	n := 0
	for _, at := range m.Started {
		if m.Second-at >= m.Start {
			n++
		}
	}
	return n
}

// Scaler decides how many replicas there are to be.
type Scaler interface {
	Name() string
	Decide(m Moment) int
}

// Result is how a scaler did.
type Result struct {
	Scaler         string
	Desired, Ready []int     // in every second
	Waiting        []float64 // at the end of every second
	ReplicaSeconds int
	Overload       int     // seconds
	Waited         float64 // sum of what waited, in sessions or requests times seconds
	Changes        int
}

// Run simulates. Before the trace, as many replicas as its first second needs have been running for ever.
func Run(scaler Scaler, trace Trace, service Service) Result {
	n := len(trace.Load)
	r := Result{Scaler: scaler.Name(), Desired: make([]int, 0, n), Ready: make([]int, 0, n), Waiting: make([]float64, 0, n)}
	m := Moment{Start: service.Start, Sessions: make([]float64, 0, n), Queue: make([]float64, 0, n)}
	if trace.Unit == Requests {
		m.Requests = make([]float64, 0, n)
	}
	if n > 0 {
		m.order(service.needs(trace.Load[0]), -1<<30)
	}
	backlog := 0.0
	for second, load := range trace.Load {
		m.Second = second
		ready := m.Ready()
		able := service.Capacity * float64(ready)
		served := min(backlog+load, able)
		waiting, sessions := max(0, load-able), load
		if trace.Unit == Requests {
			backlog = max(0, backlog+load-served)
			waiting, sessions = backlog, served*service.Latency+backlog
			m.Requests = append(m.Requests, load)
		}
		m.Sessions, m.Queue = append(m.Sessions, sessions), append(m.Queue, waiting)
		r.add(m.Desired, ready, waiting, service)
		m.Second = second + 1
		if next := min(max(scaler.Decide(m), service.Min), service.Max); next != m.Desired {
			r.Changes++
			m.order(next, m.Second)
		}
	}
	return r
}

func (r *Result) add(desired, ready int, waiting float64, service Service) {
	r.Desired, r.Ready, r.Waiting = append(r.Desired, desired), append(r.Ready, ready), append(r.Waiting, waiting)
	r.ReplicaSeconds += desired
	r.Waited += waiting
	if waiting > nothing*service.Capacity {
		r.Overload++
	}
}

// order adds replicas at the end or takes the youngest away.
func (m *Moment) order(replicas, second int) {
	m.Desired = replicas
	for len(m.Started) < replicas {
		m.Started = append(m.Started, second)
	}
	m.Started = m.Started[:replicas:replicas]
}

// Minimum is the least that anybody could pay who knows the future and overloads in no second that the bounds allow: at
// each second as many replicas as any of the following Start seconds needs.
//
// It is the least. A replica that is to be ready in second u was ordered Start seconds before and is paid since, so in
// every second t there are at least as many as any u of t … t+Start needs. And it is enough: taking that many and
// stopping the youngest first, as many are Start seconds old at u as the fewest of the seconds u-Start … u, and each of
// those is at least the need of u. The test compares it with all ways there are.
func Minimum(trace Trace, service Service) Result {
	n := len(trace.Load)
	r := Result{Scaler: "minimum"}
	need := make([]int, n)
	for i, load := range trace.Load {
		need[i] = service.needs(load)
	}
	desired := forwardMaximum(need, service.Start)
	for i := range n {
		waiting := max(0, trace.Load[i]-service.Capacity*float64(need[i])) // above what max allows
		r.add(desired[i], max(need[i], oldest(desired, i, service.Start)), waiting, service)
		if i > 0 && desired[i] != desired[i-1] {
			r.Changes++
		}
	}
	return r
}

// oldest is how many replicas have been there for that long.
func oldest(desired []int, at, start int) int {
	least := desired[at]
	for i := max(0, at-start); i < at; i++ {
		least = min(least, desired[i])
	}
	return least
}

// forwardMaximum is at each index the largest of it and the next ahead values, in linear time: candidates wait in a
// queue that only falls.
func forwardMaximum(values []int, ahead int) []int {
	result := make([]int, len(values))
	var queue []int // indexes, the nearest last
	first := 0      // of the queue
	for i := len(values) - 1; i >= 0; i-- {
		for len(queue) > first && values[queue[len(queue)-1]] <= values[i] {
			queue = queue[:len(queue)-1]
		}
		queue = append(queue, i)
		for queue[first] > i+ahead {
			first++
		}
		result[i] = values[queue[first]]
	}
	return result
}
