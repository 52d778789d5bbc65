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
	Proxy   string        // the proxy instance, or whatever else measured
	By      string        // what measured, for sentences; "" is a proxy
	Backend string        // HAProxy's name of the backend
	Ahead   time.Duration // of the proxy's clock before ours; negative when it is behind
	Every   time.Duration // between two points; 0 is a second
	Points  []Point
}

// Point is one measured value. Points later than now are not looked at.
type Point struct {
	At    time.Time
	Value float64
	// Weight is how many requests stand behind a response time or an error rate, 1 for a container. A level without
	// weight says that its proxy is alive, and nothing else. Sums have none.
	Weight float64
}

// fresh is how old the newest point of the series may be.
func (s Series) fresh() time.Duration { return max(Fresh, 3*s.Every) }

// selects tells whether the rule measures this series.
func (r Rule) selects(s Series) bool {
	if s.Metric != r.Source() {
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
// Levels are averaged by their weight instead, and seconds without any weight are left out; the weights of the others
// come along, so that a mean over the window is one over its requests. The weights of sums are 1.
func totals(series []Series, now time.Time, window time.Duration, level bool) (known, weighed []float64) {
	seconds := int(window / time.Second)
	room := make([]float64, 2*seconds)
	values, weights := room[:seconds], room[seconds:] // of a sum, a weight says that there is a point
	first := now.Add(-time.Duration(seconds-1) * time.Second)
	for _, s := range series {
		start, fresh := first.Add(s.Ahead), s.fresh()
		next := s.after(start)
		for i, t := 0, start; i < seconds; i, t = i+1, t.Add(time.Second) {
			for next < len(s.Points) && !s.Points[next].At.After(t) {
				next++
			}
			if next == 0 || t.Sub(s.Points[next-1].At) > fresh {
				continue
			}
			point, weight := s.Points[next-1], 1.0
			if level {
				weight = point.Weight
			}
			values[i] += point.Value * weight
			weights[i] += weight
		}
	}
	known, weighed = values[:0], weights[:0]
	for i, v := range values {
		switch weight := weights[i]; {
		case weight == 0:
		case level:
			known, weighed = append(known, v/weight), append(weighed, weight)
		default:
			known, weighed = append(known, v), append(weighed, 1)
		}
	}
	return known, weighed
}

// silence is a proxy that was heard within Lookback and is not heard now.
type silence struct {
	Proxy, By string
	For       time.Duration
}

// hearing sorts the proxies into those heard within Fresh and those that fell silent, silent ones in order of name. A
// proxy is heard when any of its series is: a backend that one proxy no longer has is gone, not silent.
func hearing(series []Series, now time.Time) (heard int, silent []silence) {
	type voice struct {
		proxy, by string
		newest    time.Time
		well      bool
	}
	voices := make([]voice, 0, 8) // few: a map costs more
	for _, s := range series {
		at := s.newest(now)
		age := now.Sub(at)
		if age > max(Lookback, s.fresh()) {
			continue
		}
		i := slices.IndexFunc(voices, func(v voice) bool { return v.proxy == s.Proxy })
		if i < 0 {
			i, voices = len(voices), append(voices, voice{proxy: s.Proxy, by: s.By, newest: at})
		}
		if v := &voices[i]; at.After(v.newest) {
			v.newest = at
		}
		voices[i].well = voices[i].well || age <= s.fresh()
	}
	for _, v := range voices {
		if v.well {
			heard++
		} else {
			silent = append(silent, silence{v.proxy, v.by, now.Sub(v.newest)})
		}
	}
	slices.SortFunc(silent, func(a, b silence) int { return strings.Compare(a.Proxy, b.Proxy) })
	return heard, silent
}
