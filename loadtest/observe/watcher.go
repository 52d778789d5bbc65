package observe

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
)

// Watcher asks its sources once a second and keeps what they say by the second of the run.
type Watcher struct {
	sources []Source
	start   time.Time

	mu        sync.Mutex
	moments   map[int]*moment
	decisions []Decision
	gaps      []Gap
}

// moment remembers which source said what: the lowest rank wins.
type moment struct {
	Moment
	replicasFrom, loadFrom int
}

// NewWatcher prepares to watch from start on. Where two sources know the same, the earlier one in the list is believed.
func NewWatcher(start time.Time, sources ...Source) *Watcher {
	return &Watcher{sources: sources, start: start, moments: map[int]*moment{}}
}

// Run looks until ctx ends. Every source has its own pace, so a slow one holds up no other.
func (w *Watcher) Run(ctx context.Context) {
	var all sync.WaitGroup
	for rank, source := range w.sources {
		all.Go(func() { w.follow(ctx, rank, source) })
	}
	all.Wait()
}

func (w *Watcher) follow(ctx context.Context, rank int, source Source) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		look, cancel := context.WithTimeout(ctx, 900*time.Millisecond)
		reading, err := source.Look(look)
		cancel()
		if ctx.Err() != nil {
			return
		}
		w.Add(time.Now(), rank, reading, err)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Add takes what the source of the given rank said at a time.
func (w *Watcher) Add(at time.Time, rank int, r Reading, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	second := w.second(at)
	if err != nil {
		w.gap(w.sources[rank].Name(), second, err)
		return
	}
	if r.Replicas != nil {
		if m := w.moment(second); rank <= m.replicasFrom {
			m.Replicas, m.replicasFrom = r.Replicas, rank
		}
	}
	for _, load := range r.Loads {
		if m := w.moment(w.second(load.At)); rank <= m.loadFrom {
			m.Connections, m.Queue, m.loadFrom = &load.Connections, load.Queue, rank
		}
	}
	for _, d := range r.Decisions {
		if !d.At.Before(w.start) && !slices.Contains(w.decisions, d) {
			w.decisions = append(w.decisions, d)
		}
	}
	slices.SortStableFunc(w.decisions, func(a, b Decision) int { return a.At.Compare(b.At) })
}

func (w *Watcher) second(at time.Time) int {
	d := at.Sub(w.start)
	if d < 0 {
		return -1
	}
	return int(d / time.Second)
}

// moment is what is kept of a second; one before the start is kept, and never shown.
func (w *Watcher) moment(second int) *moment {
	if w.moments[second] == nil {
		w.moments[second] = &moment{replicasFrom: len(w.sources), loadFrom: len(w.sources)}
	}
	return w.moments[second]
}

// gap notes a failed look; one that goes on makes the last gap longer.
func (w *Watcher) gap(source string, second int, err error) {
	for i := len(w.gaps) - 1; i >= 0; i-- {
		if g := &w.gaps[i]; g.Source == source && second-g.To <= 1 {
			g.To = max(g.To, second)
			return
		}
	}
	w.gaps = append(w.gaps, Gap{Source: source, From: second, To: second, Reason: err.Error()})
}

// Timeline is everything that was seen. Moments holds one entry for each second from 0; an empty one is a gap.
type Timeline struct {
	Moments   []Moment
	Decisions []Decision
	Gaps      []Gap
}

// Timeline gives a copy of what was seen until now, for a run that has come to the given number of seconds.
func (w *Watcher) Timeline(seconds int) Timeline {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := Timeline{Moments: make([]Moment, seconds), Decisions: slices.Clone(w.decisions), Gaps: slices.Clone(w.gaps)}
	for second, m := range w.moments {
		if second >= 0 && second < seconds {
			t.Moments[second] = m.Moment
		}
	}
	return t
}

// Latest is what is known last, if it is at most three seconds old.
func (t Timeline) Latest() (replicas *Replicas, connections *float64) {
	for _, m := range t.Moments[max(0, len(t.Moments)-4):] {
		replicas, connections = cmp.Or(m.Replicas, replicas), cmp.Or(m.Connections, connections)
	}
	return replicas, connections
}
