package observe

import (
	"cmp"
	"slices"
)

// Timeline is everything that was seen. Series hold one entry for each second from 0; nil is not known.
type Timeline struct {
	Seconds   int               // that the run has come to
	Services  map[string]Series // by name
	Proxies   []Proxies         // by instance
	Reloads   []Reload
	Decisions []Decision
	Gaps      []Gap
}

// Series is what was seen of one service.
type Series struct {
	Policy   *Policy // nil when no scaler tells
	Replicas []*Replicas
	Backends []Backend
}

// Backend is what was seen of one backend; "" is all of the service together.
type Backend struct {
	Name  string
	Loads []*Load
}

// Proxies is what was seen of one proxy's workers.
type Proxies struct {
	Instance string
	Workers  []*Workers
}

// Timeline gives a copy of what was seen until now, for a run that has come to the given number of seconds.
func (w *Watcher) Timeline(seconds int) Timeline {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := Timeline{
		Seconds: seconds, Services: map[string]Series{}, Reloads: slices.Clone(w.reloads), Decisions: slices.Clone(w.decisions), Gaps: slices.Clone(w.gaps),
	}
	for name, s := range w.services {
		series := Series{Policy: s.policy, Replicas: s.replicas.fill(seconds, w.failed)}
		for backend, loads := range s.backends {
			series.Backends = append(series.Backends, Backend{backend, loads.sum(seconds, w.failed)})
		}
		slices.SortFunc(series.Backends, func(a, b Backend) int { return cmp.Compare(a.Name, b.Name) })
		t.Services[name] = series
	}
	for instance, workers := range w.proxies {
		t.Proxies = append(t.Proxies, Proxies{instance, workers.fill(seconds, w.failed)})
	}
	slices.SortFunc(t.Proxies, func(a, b Proxies) int { return cmp.Compare(a.Instance, b.Instance) })
	return t
}

// Total adds up the backends of each second. A backend that nobody saw in it counts for nothing; nil is a second in which none was seen.
func (s Series) Total() []*Load {
	var out []*Load
	for _, b := range s.Backends {
		for i, load := range b.Loads {
			if len(out) <= i {
				out = append(out, nil)
			}
			if load == nil {
				continue
			}
			if out[i] == nil {
				out[i] = &Load{Service: load.Service, At: load.At}
			}
			out[i].add(*load)
		}
	}
	return out
}

// add adds what is known of another load.
func (l *Load) add(o Load) {
	plus := func(to **float64, v *float64) {
		if v == nil {
			return
		}
		sum := *v
		if *to != nil {
			sum += **to
		}
		*to = &sum
	}
	plus(&l.Connections, o.Connections)
	plus(&l.Peak, o.Peak)
	plus(&l.Queue, o.Queue)
	plus(&l.Rate, o.Rate)
	plus(&l.Errors, o.Errors)
}

// recently is how many seconds old what a live view shows may be.
const recently = 4

// Latest is what is known last of a service and of all proxies; nil when it is older than a few seconds.
func (t Timeline) Latest(service string) (replicas *Replicas, load *Load, workers *Workers) {
	s := t.Services[service]
	replicas, load = latest(s.Replicas), latest(s.Total())
	for _, p := range t.Proxies {
		if w := latest(p.Workers); w != nil {
			sum := *w
			if workers != nil {
				sum.All, sum.Draining, sum.Reloads = sum.All+workers.All, sum.Draining+workers.Draining, sum.Reloads+workers.Reloads
			}
			workers = &sum
		}
	}
	return replicas, load, workers
}

func latest[T any](all []*T) *T {
	var out *T
	for _, v := range all[max(0, len(all)-recently):] {
		out = cmp.Or(v, out)
	}
	return out
}
