package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"sluice/policy"
)

// InfluxDB cannot tell a proxy that is gone from one that serves and does not get its points through. Where the proxies
// can be asked, they are called by name now and then: whoever answers and is not in InfluxDB is asked at every tick from
// then on, and whoever does neither is known to be missing.
const (
	rollEvery = 5 * time.Second
	rollKeep  = 2 * rollEvery // how far back a call reaches
)

// beginRoll calls the proxies while InfluxDB is the source, if it is time to.
func (f *feed) beginRoll(ctx context.Context, now time.Time) {
	keep := rollKeep
	if f.influx.answered.IsZero() { // and may not: then all of it is needed
		keep = f.samples.keep
	}
	if len(f.unwritten(now)) > 0 || now.Sub(f.direct.asked) >= rollEvery {
		f.direct.begin(ctx, f.timeout, keep)
	}
}

// endRoll takes the answers, for the first of which a tick waits.
func (f *feed) endRoll(ctx context.Context) {
	if f.direct.called {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.side)
		defer cancel()
	}
	f.direct.collect(ctx, f.log, f.samples)
}

// unwritten are the proxies that answered, and whose points do not reach InfluxDB.
func (f *feed) unwritten(now time.Time) (instances []string) {
	for _, instance := range f.direct.heard.spoke {
		if !f.samples.written(instance, now) {
			instances = append(instances, instance)
		}
	}
	return instances
}

// absent says which proxies neither answer nor write; "" when every address of their names is accounted for. An address
// that never answered may be that of any proxy that writes and has no address yet.
func (f *feed) absent(now time.Time) string {
	if !f.direct.called {
		return "the proxies were not asked yet"
	}
	heard, writers := f.direct.heard, f.samples.writers(now)
	placed := func(w string) bool {
		return slices.Contains(heard.spoke, w) || slices.ContainsFunc(heard.silent, func(p silentPeer) bool { return p.instance == w })
	}
	strangers := len(slices.DeleteFunc(slices.Clone(writers), placed))
	var missing []string
	for _, p := range heard.silent {
		switch {
		case p.instance == "" && strangers > 0:
			strangers--
		case p.instance == "" || !slices.Contains(writers, p.instance):
			missing = append(missing, p.address)
		}
	}
	switch n := len(missing); n {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf("proxy %s neither answers nor writes to InfluxDB", missing[0])
	default:
		return fmt.Sprintf("%d of %d proxies neither answer nor write to InfluxDB (%s …)", n, len(heard.silent)+len(heard.spoke), missing[0])
	}
}

// written tells whether InfluxDB has fresh points of the proxy.
func (s *samples) written(proxy string, now time.Time) bool {
	c := s.clocks[proxy]
	return c != nil && now.Sub(c.written.Add(-c.ahead())) <= policy.Fresh
}

// writers are the proxies of which InfluxDB has fresh points.
func (s *samples) writers(now time.Time) (proxies []string) {
	for proxy := range s.clocks {
		if s.written(proxy, now) {
			proxies = append(proxies, proxy)
		}
	}
	return proxies
}
