package observe

import (
	"maps"
	"slices"
)

// tracks are the loads of one backend by the proxy that counted them.
type tracks map[string]series[Load]

func (s *watched) track(backend, instance string) series[Load] {
	if s.backends[backend] == nil {
		s.backends[backend] = tracks{}
	}
	if s.backends[backend][instance] == nil {
		s.backends[backend][instance] = series[Load]{}
	}
	return s.backends[backend][instance]
}

// sum adds up what the proxies counted in each second. Where two sources know, the lower rank is believed alone: what the other one says is of the
// same requests.
func (t tracks) sum(seconds int, failed func(rank, second int) bool) []*Load {
	out, ranks := make([]*Load, seconds), make([]int, seconds)
	for _, instance := range slices.Sorted(maps.Keys(t)) {
		for i, s := range t[instance].told(seconds, failed) {
			switch {
			case s == nil:
			case out[i] == nil || s.rank < ranks[i]:
				out[i], ranks[i] = &s.value, s.rank
				out[i].Instance = ""
			case s.rank == ranks[i]:
				out[i].add(s.value)
			}
		}
	}
	return out
}
