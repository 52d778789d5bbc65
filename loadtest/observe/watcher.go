package observe

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Watcher asks its sources once a second and keeps what they say by the second of the run.
type Watcher struct {
	sources []Source
	start   time.Time

	mu        sync.Mutex
	services  map[string]*watched
	proxies   map[string]series[Workers] // by instance
	reloads   []Reload
	decisions []Decision
	gaps      []Gap
}

// watched is what is kept of one service.
type watched struct {
	policy     *Policy
	policyFrom int // rank of its source
	replicas   series[Replicas]
	backends   map[string]tracks
}

// NewWatcher prepares to watch from start on. Where two sources know the same, the earlier one in the list is believed.
func NewWatcher(start time.Time, sources ...Source) *Watcher {
	return &Watcher{sources: sources, start: start, services: map[string]*watched{}, proxies: map[string]series[Workers]{}}
}

// patience bounds one look. It is longer than a second: an answer that is late on a busy machine is worth more than none.
const patience = 3 * time.Second

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
		begin := time.Now()
		look, cancel := context.WithTimeout(ctx, patience)
		reading, err := source.Look(look)
		cancel()
		if ctx.Err() != nil {
			return
		}
		now := time.Now()
		for at := begin; err != nil && w.second(at) < w.second(now); at = at.Add(time.Second) {
			w.Add(at, rank, Reading{}, err) // nothing was seen since it was asked
		}
		w.Add(now, rank, reading, err)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Add takes what the source of the given rank said at a time. A reading that comes with an error is a part of what was asked.
func (w *Watcher) Add(at time.Time, rank int, r Reading, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	second := w.second(at)
	switch silent := (silence{}); {
	case errors.As(err, &silent):
		for part, why := range silent {
			w.gap(w.sources[rank].Name()+" "+part, second, why)
		}
	case err != nil:
		w.gap(w.sources[rank].Name(), second, err)
	}
	for name, replicas := range r.Replicas {
		w.service(name).replicas.put(second, rank, replicas)
	}
	for name, policy := range r.Policies {
		if s := w.service(name); s.policy == nil || rank <= s.policyFrom {
			s.policy, s.policyFrom = &policy, rank
		}
	}
	for _, load := range r.Loads {
		s := w.service(load.Service)
		track := s.track(load.Backend, load.Instance)
		second := w.second(load.At)
		// The oldest sample of a look has none before it from which failures could be counted: a look before knew more.
		if before, ok := track[second]; ok && before.rank == rank && load.Errors == nil {
			load.Errors = before.value.Errors
		}
		track.put(second, rank, load)
	}
	for _, workers := range r.Workers {
		if w.proxies[workers.Instance] == nil {
			w.proxies[workers.Instance] = series[Workers]{}
		}
		w.proxies[workers.Instance].put(w.second(workers.At), rank, workers)
	}
	w.addReloads(r.Reloads)
	w.addDecisions(r.Decisions)
}

// same is how far two tellings of one event by two sources may be apart: one cuts times to milliseconds.
const same = 5 * time.Millisecond

func (w *Watcher) addReloads(reloads []Reload) {
	for _, r := range reloads {
		known := slices.ContainsFunc(w.reloads, func(k Reload) bool { return k.Instance == r.Instance && r.At.Sub(k.At).Abs() <= same })
		if !known && !r.At.Before(w.start) {
			w.reloads = append(w.reloads, r)
		}
	}
	slices.SortStableFunc(w.reloads, func(a, b Reload) int { return a.At.Compare(b.At) })
}

func (w *Watcher) addDecisions(decisions []Decision) {
	for _, d := range decisions {
		known := slices.ContainsFunc(w.decisions, func(k Decision) bool {
			apart := d.At.Sub(k.At).Abs()
			k.At = d.At
			return apart <= same && k == d
		})
		if !known && !d.At.Before(w.start) {
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

func (w *Watcher) service(name string) *watched {
	if w.services[name] == nil {
		w.services[name] = &watched{replicas: series[Replicas]{}, backends: map[string]tracks{}}
	}
	return w.services[name]
}

// silence is why some parts of a source said nothing: the gaps are theirs, and what the others said is not in doubt.
type silence map[string]error

func (s silence) Error() string {
	var all []string
	for _, part := range slices.Sorted(maps.Keys(s)) {
		all = append(all, part+": "+s[part].Error())
	}
	return strings.Join(all, "; ")
}

// one is any of the reasons.
func (s silence) one() error {
	for _, why := range s {
		return why
	}
	return nil
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

// failed says whether a look of a source failed in a second.
func (w *Watcher) failed(rank, second int) bool {
	name := w.sources[rank].Name()
	return slices.ContainsFunc(w.gaps, func(g Gap) bool { return g.Source == name && second >= g.From && second <= g.To })
}
