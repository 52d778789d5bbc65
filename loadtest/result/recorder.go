package result

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"sluice/loadtest/attack"
	"sluice/loadtest/scenario"
)

// samplesPerKind is how many failures of a kind are kept with their text.
const samplesPerKind = 5

// lateAfter is how late a request may leave and still count as sent in its second.
const lateAfter = time.Second

// Recorder takes the outcomes of a run while it goes on. It may be used from many goroutines.
type Recorder struct {
	scenario *scenario.Scenario

	mu       sync.Mutex
	total    *meter
	phases   []*phaseMeter
	byTarget []*meter // latencies, in the order of the scenario
	seconds  []*second
	failures []Failure // in the order in which kinds were first seen
	pace     Pace
	lateness *hdrhistogram.Histogram
	marks    []Mark

	unscheduled int // requests of closed loops: no schedule asked for them
	holding     holding
}

// phaseMeter measures a phase, and in it each target.
type phaseMeter struct {
	meter
	byTarget []*meter
}

type meter struct {
	tally            Tally
	latency, service *hdrhistogram.Histogram
}

// second holds requests by when they were due and, for done and failed, by when they ended.
type second struct {
	meter
	done, failed         int
	status4xx, status5xx int // of failed

	unscheduled int
	held, lost  int // connections held: the change in this second, and those lost or refused in it
}

// NewRecorder is ready for the outcomes of s.
func NewRecorder(s *scenario.Scenario) *Recorder {
	r := &Recorder{scenario: s, total: newMeter(3), lateness: histogram(3)}
	for range s.Targets {
		r.byTarget = append(r.byTarget, newMeter(3))
	}
	for range s.Phases {
		p := &phaseMeter{meter: *newMeter(3)}
		for range s.Targets {
			p.byTarget = append(p.byTarget, newMeter(2))
		}
		r.phases = append(r.phases, p)
	}
	return r
}

// newMeter keeps the given number of significant digits. Two take 20 kB a histogram, so that there can be one a second.
func newMeter(digits int) *meter {
	return &meter{tally: Tally{Status: map[int]int{}}, latency: histogram(digits), service: histogram(digits)}
}

// histogram counts microseconds up to ten minutes.
func histogram(digits int) *hdrhistogram.Histogram {
	return hdrhistogram.New(1, (10 * time.Minute).Microseconds(), digits)
}

// Record takes one outcome.
func (r *Recorder) Record(o attack.Outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	due, done := r.second(o.Due), r.second(o.Done)
	phase := r.phases[o.Phase]
	for _, m := range []*meter{r.total, &phase.meter, phase.byTarget[o.Target], r.byTarget[o.Target], &due.meter} {
		m.record(o)
	}
	if r.scenario.Phases[o.Phase].Kind == scenario.Closed {
		r.unscheduled++
		due.unscheduled++
	}
	switch o.Kind {
	case "":
		done.done++
	case attack.Cut:
	default:
		done.fail(o)
		r.fail(o)
	}
	if o.Kind != attack.Unsent {
		record(r.lateness, o.Lateness())
	}
	if o.Blocked > 0 {
		r.pace.Waited++
		r.pace.LongestWaitMs = max(r.pace.LongestWaitMs, ms(o.Blocked))
	}
}

// fail counts what failed in a second by the answer's class.
func (s *second) fail(o attack.Outcome) {
	s.failed++
	switch {
	case o.Err != nil:
	case o.Status >= 500:
		s.status5xx++
	case o.Status >= 400:
		s.status4xx++
	}
}

func (r *Recorder) second(at time.Duration) *second {
	i := int(at / time.Second)
	for len(r.seconds) <= i {
		r.seconds = append(r.seconds, &second{meter: *newMeter(2)})
	}
	return r.seconds[i]
}

func (m *meter) record(o attack.Outcome) {
	t := &m.tally
	t.Retries += o.Retries
	t.Dialed += o.Dialed
	if o.Status > 0 {
		t.Status[o.Status]++
	}
	if o.Kind != attack.Unsent && o.Sent-o.Due > lateAfter {
		t.Late++
	}
	switch o.Kind {
	case attack.Cut:
		t.Sent++
		t.Cut++
		return
	case attack.Unsent:
		t.Unsent++
		t.Failed++
	case "":
		t.Sent++
		t.OK++
	default:
		t.Sent++
		t.Failed++
	}
	// A failure has a latency too: a user who waited ten seconds for an error has waited ten seconds.
	record(m.latency, o.Latency())
	if o.Kind != attack.Unsent {
		record(m.service, o.Service())
	}
}

func record(h *hdrhistogram.Histogram, d time.Duration) {
	// The only error is a value out of range, which is made impossible here.
	_ = h.RecordValue(min(max(d.Microseconds(), 0), h.HighestTrackableValue()))
}

func (r *Recorder) fail(o attack.Outcome) {
	var f *Failure
	for i := range r.failures {
		if r.failures[i].Kind == string(o.Kind) {
			f = &r.failures[i]
		}
	}
	if f == nil {
		r.failures = append(r.failures, Failure{Kind: string(o.Kind)})
		f = &r.failures[len(r.failures)-1]
	}
	f.Count++
	if len(f.Samples) < samplesPerKind {
		text := fmt.Sprintf("status %d", o.Status)
		if o.Err != nil {
			text = o.Err.Error()
		}
		f.Samples = append(f.Samples, Sample{At: o.Done.Seconds(), Phase: r.scenario.Phases[o.Phase].Name, Text: text})
	}
}

// Latest is what a live view shows: the totals and marks until now, and the last whole second before at.
type Latest struct {
	Total            Tally // without latencies
	OK, Failed, Sent int   // in that second
	P50, P99         float64
	Known            bool // whether P50 and P99 are

	Holding    bool // whether connections are held beside the load
	Held, Lost int  // of these: open now; lost or refused until now
	Marks      []Mark
}

// Latest looks at the run while it goes on.
func (r *Recorder) Latest(at time.Duration) Latest {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := Latest{Total: r.total.tally, Holding: len(r.holding.targets) > 0, Marks: slices.Clone(r.marks)}
	l.Held, l.Lost = r.holding.open()
	i := int(at/time.Second) - 1
	if i < 0 || i >= len(r.seconds) {
		return l
	}
	s := r.seconds[i]
	l.OK, l.Failed, l.Sent = s.done, s.failed, s.tally.Sent
	if s.latency.TotalCount() > 0 {
		latency := distribution(s.latency)
		l.P50, l.P99, l.Known = latency.P50, latency.P99, true
	}
	return l
}

func distribution(h *hdrhistogram.Histogram) Latency {
	if h.TotalCount() == 0 {
		return Latency{}
	}
	at := func(q float64) float64 { return float64(h.ValueAtQuantile(q)) / 1000 }
	return Latency{
		Mean: h.Mean() / 1000, P50: at(50), P90: at(90), P95: at(95), P99: at(99), P999: at(99.9), Max: float64(h.Max()) / 1000,
	}
}

// curvePoints are the shares of requests, in percent, at which a distribution is told.
var curvePoints = [...]float64{0, 10, 25, 50, 75, 90, 95, 97.5, 99, 99.5, 99.75, 99.9, 99.95, 99.99, 99.999, 100}

// curve tells a distribution up to the share that its number of requests can tell apart from the longest.
func curve(h *hdrhistogram.Histogram) []Quantile {
	out := []Quantile{}
	for _, q := range curvePoints {
		if n := h.TotalCount(); n > 0 && (q == 100 || (100-q)/100*float64(n) >= 1) {
			out = append(out, Quantile{q, float64(h.ValueAtQuantile(q)) / 1000})
		}
	}
	return out
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
