package policy

import (
	"slices"
	"sort"
	"strings"
	"time"
)

// How old a point may be. A proxy writes every second; five seconds forgive a slow write, two minutes tell a proxy that
// fell silent from one that is gone for good.
const (
	Fresh    = 5 * time.Second
	Lookback = 2 * time.Minute
)

// Series is one metric of one backend as one proxy measured it, points in ascending order of time, one per time.
type Series struct {
	Metric  string
	Proxy   string        // the proxy instance
	Backend string        // HAProxy's name of the backend
	Ahead   time.Duration // of the proxy's clock before ours; negative when it is behind
	Points  []Point
}

// Point is one measured value. Points later than now are not looked at.
type Point struct {
	At    time.Time
	Value float64
}

// selects tells whether the rule measures this series.
func (r Rule) selects(s Series) bool {
	if s.Metric != r.Metric {
		return false
	}
	return r.Backend == "" || s.Backend == r.Backend || (isIndex(r.Backend) && strings.HasSuffix(s.Backend, "_"+r.Backend))
}

func isIndex(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }) < 0
}

// after is the index of the first point later than t, by the proxy's clock.
func (s Series) after(t time.Time) int {
	return sort.Search(len(s.Points), func(i int) bool { return s.Points[i].At.After(t) })
}

// newest is the time of the newest point at or before t, both by our clock; the zero time if there is none.
func (s Series) newest(t time.Time) time.Time {
	i := s.after(t.Add(s.Ahead))
	if i == 0 {
		return time.Time{}
	}
	return s.Points[i-1].At.Add(-s.Ahead)
}

// totals are the sums over the series at every second of the window that ends at now, oldest first; seconds at which no
// series has a fresh point are left out. Proxies do not write at the same instant, so each counts with its newest point.
func totals(series []Series, now time.Time, window time.Duration) []float64 {
	seconds := int(window / time.Second)
	values, found := make([]float64, seconds), make([]bool, seconds)
	first := now.Add(-time.Duration(seconds-1) * time.Second)
	for _, s := range series {
		start := first.Add(s.Ahead)
		next := s.after(start)
		for i, t := 0, start; i < seconds; i, t = i+1, t.Add(time.Second) {
			for next < len(s.Points) && !s.Points[next].At.After(t) {
				next++
			}
			if next > 0 && t.Sub(s.Points[next-1].At) <= Fresh {
				values[i] += s.Points[next-1].Value
				found[i] = true
			}
		}
	}
	known := values[:0]
	for i, v := range values {
		if found[i] {
			known = append(known, v)
		}
	}
	return known
}

// silence is a proxy that was heard within Lookback and is not heard now.
type silence struct {
	Proxy string
	For   time.Duration
}

// hearing sorts the proxies into those heard within Fresh and those that fell silent, silent ones in order of name. A
// proxy is heard when any of its series is: a backend that one proxy no longer has is gone, not silent.
func hearing(series []Series, now time.Time) (heard int, silent []silence) {
	newest := map[string]time.Time{}
	for _, s := range series {
		if at := s.newest(now); now.Sub(at) <= Lookback && at.After(newest[s.Proxy]) {
			newest[s.Proxy] = at
		}
	}
	for proxy, at := range newest {
		if now.Sub(at) <= Fresh {
			heard++
		} else {
			silent = append(silent, silence{proxy, now.Sub(at)})
		}
	}
	slices.SortFunc(silent, func(a, b silence) int { return strings.Compare(a.Proxy, b.Proxy) })
	return heard, silent
}
