package main

import (
	"strconv"
	"time"
)

// recentReloads is how many reloads are kept.
const recentReloads = 50

// recentWorkers keeps the last minutes of HAProxy's workers, and its last reloads with their reasons.
type recentWorkers struct {
	points  []workersPoint // oldest first
	reloads []reloadPoint
}

type workersPoint struct {
	at                int64 // Unix milliseconds
	workers, draining int
	reloads           int64 // since the proxy started
}

type reloadPoint struct {
	at     int64 // of the first point after it
	total  int64 // reloads since the proxy started, this one included
	reason string
}

// addWorkers keeps how many workers there were at a time. Of reloads between two points the last one's reason is known.
func (r *recent) addWorkers(at time.Time, workers, draining int, f figures) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := &r.workers
	var before int64
	if n := len(w.points); n > 0 {
		before = w.points[n-1].reloads
	}
	if f.reloads > before {
		w.reloads = append(w.reloads, reloadPoint{at.UnixMilli(), f.reloads, f.reloadReason})
		w.reloads = w.reloads[max(0, len(w.reloads)-recentReloads):]
	}
	w.points = append(w.points, workersPoint{at.UnixMilli(), workers, draining, f.reloads})
	if limit := max(1, int(recentWindow/r.interval)); len(w.points) > 2*limit {
		w.points = append([]workersPoint(nil), w.points[len(w.points)-limit:]...)
	}
}

// appendWorkers writes ,"workers":[…],"reloads":[…] of what is after a time in Unix milliseconds.
func (r *recent) appendWorkers(out []byte, since int64) []byte {
	r.mu.RLock()
	defer r.mu.RUnlock()
	out = append(out, `,"workers":[`...)
	first := true
	separate := func() {
		if !first {
			out = append(out, ',')
		}
		first = false
	}
	for _, p := range r.workers.points {
		if p.at > since {
			separate()
			out = append(strconv.AppendInt(append(out, '['), p.at, 10), ',')
			out = append(strconv.AppendInt(out, int64(p.workers), 10), ',')
			out = append(strconv.AppendInt(out, int64(p.draining), 10), ',')
			out = append(strconv.AppendInt(out, p.reloads, 10), ']')
		}
	}
	out = append(out, `],"reloads":[`...)
	first = true
	for _, p := range r.workers.reloads {
		if p.at > since {
			separate()
			out = strconv.AppendInt(append(out, `{"at":`...), p.at, 10)
			out = strconv.AppendInt(append(out, `,"total":`...), p.total, 10)
			out = append(appendJSON(append(out, `,"reason":`...), p.reason), '}')
		}
	}
	return append(out, ']')
}
