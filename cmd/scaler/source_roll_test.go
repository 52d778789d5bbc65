package main

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"sluice/internal/influx"
	"sluice/policy"
)

// fleet is an InfluxDB beside some proxies.
type fleet struct {
	t       *testing.T
	now     time.Time
	influx  *fakeInflux
	proxies []*fakeProxy
	*feed
}

func newFleet(t *testing.T, names ...string) *fleet {
	f := &fleet{t: t, now: time.Now(), influx: &fakeInflux{}}
	for _, name := range names {
		f.proxies = append(f.proxies, startProxy(t, name))
	}
	f.feed = directFeed(f.influx, f.proxies...)
	return f
}

// wrote adds a point of a proxy to InfluxDB.
func (f *fleet) wrote(proxy string, ago time.Duration, sessions float64) {
	f.influx.rows = append(f.influx.rows, influx.Record{
		Time: f.now.Add(-ago), Value: sessions, Field: "scur_mean", Tags: map[string]string{"service": "app", "server": proxy, "proxy": "app-be80_1"},
	})
}

// decides pulls and answers what a policy makes of it that could do with fewer than the 9 replicas that there are.
func (f *fleet) decides() string {
	f.pull(f.t.Context(), wishes("sessions", "app"))
	labels := map[string]string{policy.Prefix + "max": "9", policy.Prefix + "target": "10", policy.Prefix + "stabilizeDown": "0s", policy.Prefix + "window": "1s"}
	p, _, _ := policy.Parse("app", labels, time.LoadLocation)
	in := policy.Input{Replicas: 9, Replicated: true, Tasks: slices.Repeat([]policy.Task{{Running: true}}, 9)}
	f.fill(f.now, &in, "app", p)
	d, _ := p.Evaluate(f.now, in, policy.State{})
	return d.Reason
}

func TestProxyWhosePointsDoNotGetThroughIsMeasuredAllTheSame(t *testing.T) {
	f := newFleet(t, "one", "two")
	f.wrote("one", 0, 10)
	f.proxies[0].measured(f.now, 10)
	for s := range 3 {
		f.wrote("two", policy.Lookback+time.Minute+time.Duration(s)*time.Second, 70) // once it did
	}
	f.proxies[1].measured(f.now, 70)
	f.decides()
	if got, want := seen(t, f.feed, f.now, "app", 1, "window=1s"), "80"; got != want {
		t.Errorf("sessions %s, want %s", got, want)
	}
	if got, want := f.origin(f.now), "from InfluxDB, and from two directly"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := f.remark(f.now), "InfluxDB gets no points of two, asked directly"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	f.now = f.now.Add(time.Second)
	f.wrote("one", 0, 10)
	f.proxies[1].measured(f.now, 30)
	f.decides()
	if got := seen(t, f.feed, f.now, "app", 1, "window=1s"); got != "40" {
		t.Errorf("a tick later sessions %s, want 40", got)
	}
}

func TestProxyThatNeitherWritesNorAnswersIsNotLessLoad(t *testing.T) {
	f := newFleet(t, "one", "two", "three")
	for _, p := range f.proxies {
		p.measured(f.now, 10)
	}
	f.wrote("one", 0, 10)
	f.wrote("two", policy.Lookback+time.Second, 70)
	f.proxies[1].Close()
	f.wrote("three", 0, 10)
	f.proxies[2].Close() // but writes
	want := fmt.Sprintf("sessions 20 over 9 replicas is 2.22 each, target 10: want 2, but proxy %s neither answers nor writes to InfluxDB: hold at 9", f.proxies[1].Listener.Addr())
	other := fmt.Sprintf("sessions 20 over 9 replicas is 2.22 each, target 10: want 2, but proxy %s neither answers nor writes to InfluxDB: hold at 9", f.proxies[2].Listener.Addr())
	if got := f.decides(); got != want && got != other { // which of them writes is not known: neither ever answered
		t.Errorf("%s, want %s", got, want)
	}
	f.wrote("two", 0, 10)
	if got, want := f.decides(), "sessions 30 over 9 replicas is 3.33 each, target 10: want 3"; got != want {
		t.Errorf("all three write: %s, want %s", got, want)
	}
}

func TestProxyThatFallsSilentIsKnownByItsAddress(t *testing.T) {
	f := newFleet(t, "one", "two")
	for i, name := range []string{"one", "two"} {
		f.wrote(name, 0, 10)
		f.proxies[i].measured(f.now, 10)
	}
	if got, want := f.decides(), "sessions 20 over 9 replicas is 2.22 each, target 10: want 2"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	f.proxies[1].Close()
	f.now = f.now.Add(time.Second)
	f.wrote("one", 0, 10)
	f.wrote("stranger", 0, 10) // does not stand for an address whose proxy is known
	f.direct.asked = time.Time{}
	f.decides()
	if got := f.lacking(f.now); got != "" {
		t.Errorf("it wrote a second ago, yet %q", got)
	}
	f.now = f.now.Add(2 * policy.Fresh)
	f.wrote("one", 0, 10)
	f.wrote("stranger", 0, 10)
	f.direct.asked = time.Time{}
	want := fmt.Sprintf("proxy %s neither answers nor writes to InfluxDB", f.proxies[1].Listener.Addr())
	f.decides()
	if got := f.lacking(f.now); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestProxiesAreCalledNowAndThen(t *testing.T) {
	f := newFleet(t, "one")
	f.wrote("one", 0, 10)
	f.proxies[0].measured(f.now, 10)
	for range 5 {
		f.decides()
	}
	if n := len(f.proxies[0].asked); n != 1 {
		t.Errorf("asked %d times at once", n)
	}
	f.direct.asked = time.Now().Add(-rollEvery)
	f.decides()
	if n := len(f.proxies[0].asked); n != 2 {
		t.Errorf("asked %d times after %s", n, rollEvery)
	}
	if f.lacking(f.now) != "" {
		t.Error(f.lacking(f.now))
	}
}

func TestNameOfProxiesThatIsWrongChangesNothing(t *testing.T) {
	f := newFleet(t)
	f.direct = newDirect([]string{"nowhere.invalid:8080"})
	f.feed.log = zerolog.Nop()
	f.wrote("one", 0, 10)
	if got, want := f.decides(), "sessions 10 over 9 replicas is 1.11 each, target 10: want 1"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
