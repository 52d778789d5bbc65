package result

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/loadtest/attack"
	"sluice/loadtest/observe"
	"sluice/loadtest/scenario"
)

// tenASecond is ten requests a second for three seconds in two phases.
func tenASecond(expect ...string) *scenario.Scenario {
	s := &scenario.Scenario{
		Name: "ten", Targets: []scenario.Target{{URL: "http://127.0.0.1/", Method: "POST", Weight: 1}}, Timeout: 10 * time.Second, Connections: 5, Observe: scenario.Observe{Service: "app"},
		Phases: []scenario.Phase{
			{Name: "first", Kind: scenario.Constant, Rates: []float64{10}, Duration: time.Second},
			{Name: "rest", Kind: scenario.Constant, Rates: []float64{10}, Duration: 2 * time.Second},
		},
	}
	for _, text := range expect {
		e, err := scenario.ParseExpectation(text)
		if err != nil {
			panic(err)
		}
		s.Expect = append(s.Expect, e)
	}
	return s
}

// play records every request of s with the outcome that end gives it, starting from one that was sent when due and took 10 ms.
func play(s *scenario.Scenario, timeline observe.Timeline, end func(n int, o *attack.Outcome)) Result {
	schedule, r := scenario.NewSchedule(s.Phases), NewRecorder(s)
	for n := range schedule.Len() {
		due, phase := schedule.Due(n)
		o := attack.Outcome{Phase: phase, Due: due, Sent: due, Done: due + 10*time.Millisecond, Status: 200}
		if end != nil {
			end(n, &o)
		}
		r.Record(o)
	}
	return r.Assemble(Run{Scenario: s, Schedule: schedule, Started: time.Unix(0, 0), Load: schedule.Duration(), Timeline: timeline})
}

func TestLatencyCountsFromWhenARequestWasDue(t *testing.T) {
	r := play(tenASecond(), observe.Timeline{}, func(n int, o *attack.Outcome) {
		if n >= 10 { // the server stands still from second 1 to 2, and everything that was due waits for a connection
			o.Blocked = max(0, 2*time.Second-o.Due)
			o.Sent = o.Due + o.Blocked
			o.Done = o.Sent + 10*time.Millisecond
		}
	})
	if r.Total.Latency.P90 < 600 || r.Total.Service.P90 > 11 {
		t.Errorf("p90 is %.0f ms from due and %.0f ms from sent, want more than 600 and 10", r.Total.Latency.P90, r.Total.Service.P90)
	}
	if r.Phases[0].Latency.Max > 11 || r.Phases[1].Latency.Max < 900 {
		t.Errorf("the phases' longest are %.0f and %.0f ms, want 10 and 960", r.Phases[0].Latency.Max, r.Phases[1].Latency.Max)
	}
	if r.Pace.ClientLimited || !r.Pace.ConnectionLimited || r.Pace.Waited != 10 {
		t.Errorf("pace %+v, want 10 that waited and no blame on the client", r.Pace)
	}
}

func TestTheClientSaysWhenItWasTheLimit(t *testing.T) {
	r := play(tenASecond("sent >= 99%"), observe.Timeline{}, func(n int, o *attack.Outcome) {
		o.Sent += time.Duration(n) * 100 * time.Millisecond
		o.Done += time.Duration(n) * 100 * time.Millisecond
	})
	if !r.Pace.ClientLimited || len(r.Notes) != 1 || !strings.HasPrefix(r.Notes[0], "The client was the limit") {
		t.Errorf("pace %+v, notes %q", r.Pace, r.Notes)
	}
	if r.Passed || r.Total.Late != 19 {
		t.Errorf("passed %t with %d late requests, want 19", r.Passed, r.Total.Late)
	}
}

func TestFailuresAreCountedBySortWithTheirFirstTexts(t *testing.T) {
	r := play(tenASecond(), observe.Timeline{}, func(n int, o *attack.Outcome) {
		switch {
		case n%3 == 0:
			o.Kind, o.Status = attack.Status5xx, 503
		case n == 29:
			o.Kind, o.Err, o.Status = attack.Reset, errors.New("connection reset by peer"), 0
		}
	})
	if len(r.Failures) != 2 || r.Failures[0].Count != 10 || len(r.Failures[0].Samples) != samplesPerKind || r.Failures[0].Samples[0].Text != "status 503" {
		t.Errorf("failures %+v", r.Failures)
	}
	want := Sample{At: 2.96, Phase: "rest", Text: "connection reset by peer"}
	if diff := cmp.Diff(want, r.Failures[1].Samples[0]); diff != "" {
		t.Errorf("sample (-want +got):\n%s", diff)
	}
	if r.Total.OK != 19 || r.Total.Failed != 11 || r.Seconds[0].Failed != 4 || r.Seconds[0].OK != 6 {
		t.Errorf("total %+v, second 0 %+v", r.Total, r.Seconds[0])
	}
}

func TestAnInterruptedRunAsksOnlyForWhatWasDueUntilThen(t *testing.T) {
	s := tenASecond("errors = 0")
	schedule, rec := scenario.NewSchedule(s.Phases), NewRecorder(s)
	for n := range 15 {
		due, phase := schedule.Due(n)
		rec.Record(attack.Outcome{Phase: phase, Due: due, Sent: due, Done: due})
	}
	r := rec.Assemble(Run{Scenario: s, Schedule: schedule, Started: time.Unix(0, 0), Load: 1500 * time.Millisecond, Interrupted: true})
	if r.Total.Asked != 15 || r.Phases[0].Asked != 10 || r.Phases[1].Asked != 5 {
		t.Errorf("asked %d, of these %d and %d", r.Total.Asked, r.Phases[0].Asked, r.Phases[1].Asked)
	}
	if r.Passed || !r.Verdicts[0].Passed {
		t.Errorf("an interrupted run passed: %t, its expectation: %+v", r.Passed, r.Verdicts[0])
	}
}

// replicas is a timeline with that many running replicas per second, as many desired; -1 is a gap.
func replicas(perSecond ...int) observe.Timeline {
	var t observe.Timeline
	t.Seconds = len(perSecond)
	var series observe.Series
	for i, n := range perSecond {
		if n >= 0 {
			series.Replicas = append(series.Replicas, &observe.Replicas{Desired: n, Running: n})
			continue
		}
		series.Replicas = append(series.Replicas, nil)
		t.Gaps = append(t.Gaps, observe.Gap{Source: "swarm", From: i, To: i, Reason: "gone"})
	}
	t.Services = map[string]observe.Series{"app": series}
	return t
}

func TestExpectationsAreJudged(t *testing.T) {
	tests := []struct {
		expect   string
		timeline observe.Timeline
		want     bool
		saw      string
	}{
		{"errors = 0", replicas(), false, "3 of 30 requests failed"},
		{"errors <= 10%", replicas(), true, "3 of 30 requests failed, 10 %"},
		{"errors = 0 in first", replicas(), true, "0 of 10 requests failed"},
		{"p50 < 20ms", replicas(), true, "p50 was 10.0 ms"},
		{"max < 20ms in first", replicas(), true, "max was 10.0 ms"},
		{"max < 20ms in rest", replicas(), false, "max was 500 ms"},
		{"retries = 0", replicas(), true, "0 retries"},
		{"replicas >= 4 in rest", replicas(1, 2, 4, 1), true, "at most 4, first in second 2"},
		{"replicas >= 4 in first", replicas(1, 2, 4, 1), false, "at most 1, first in second 0"},
		{"replicas >= 4 by 2s", replicas(1, 2, 4, 1), false, "at most 2, first in second 1"},
		{"replicas <= 3", replicas(1, 2, 4, 1), false, "at most 4, first in second 2"},
		{"replicas >= 1", replicas(-1, -1, -1), false, "no replicas were observed"},
		{"final replicas = 1", replicas(1, 2, 2), false, "still 2 running, 2 wanted, 0 s after the load"},
		{"final replicas = 1 within 3s", replicas(1, 2, 4, 3, 1), true, "1 running, 1 wanted, 1 s after the load"},
		{"final replicas = 1 within 3s", replicas(1, 2, 4, 3, 3, 3, 3, 1), false, "still 3 running, 3 wanted, 3 s after the load"},
		{"final replicas = 1 within 3s", replicas(1, 1, -1, -1, -1), false, "no replicas were observed after the load"},
	}
	for _, tt := range tests {
		r := play(tenASecond(tt.expect), tt.timeline, func(n int, o *attack.Outcome) {
			if n >= 27 {
				o.Kind, o.Done = attack.Timeout, o.Due+500*time.Millisecond
			}
		})
		if got := r.Verdicts[0]; got.Passed != tt.want || got.Saw != tt.saw || r.Passed != tt.want {
			t.Errorf("%s: %t, saw %q; want %t, %q", tt.expect, got.Passed, got.Saw, tt.want, tt.saw)
		}
	}
}

func TestARunIsSettledWhenNothingMoreCanChange(t *testing.T) {
	tests := []struct {
		name     string
		expect   string
		timeline observe.Timeline
		want     bool
	}{
		{"nothing to wait for", "errors = 0", replicas(), true},
		{"not there yet", "final replicas = 1 within 3s", replicas(1, 2, 4, 3), false},
		{"there", "final replicas = 1 within 3s", replicas(1, 2, 4, 1), true},
		{"too late", "final replicas = 1 within 3s", replicas(1, 2, 4, 3, 3, 3, 3), true},
	}
	for _, tt := range tests {
		s := tenASecond(tt.expect)
		if got := Settled(s.Expect, play(s, tt.timeline, nil)); got != tt.want {
			t.Errorf("%s: settled %t, want %t", tt.name, got, tt.want)
		}
	}
}

func TestFailuresOfASecondAreCountedByTheAnswersClass(t *testing.T) {
	r := play(tenASecond(), observe.Timeline{}, func(n int, o *attack.Outcome) {
		switch {
		case n < 2:
			o.Kind, o.Status = attack.Status5xx, 503
		case n < 5:
			o.Kind, o.Status = attack.Status4xx, 404
		case n < 6: // the answer broke off
			o.Kind, o.Status, o.Err = attack.EOF, 200, errors.New("unexpected EOF")
		}
	})
	s := r.Seconds[0]
	if s.Failed != 6 || s.Status5xx != 2 || s.Status4xx != 3 || s.NoAnswer != 1 {
		t.Errorf("second 0: %+v, want 6 failed: 2 of 5xx, 3 of 4xx, 1 without an answer", s)
	}
}

func TestEachTargetHasItsOwnLatencies(t *testing.T) {
	s := tenASecond()
	s.Targets = append(s.Targets, scenario.Target{Name: "slow", URL: "http://127.0.0.1/slow", Method: "GET", Weight: 1})
	r := play(s, observe.Timeline{}, func(n int, o *attack.Outcome) {
		if o.Target = n % 2; o.Target == 1 {
			o.Done += 500 * time.Millisecond
		}
	})
	if fast, slow := r.Targets[0].Latency.Max, r.Targets[1].Latency.P50; fast > 11 || slow < 500 || r.Targets[1].Sent != 15 {
		t.Errorf("the fast one took %.0f ms at most, the slow one %.0f ms at the median, %d times", fast, slow, r.Targets[1].Sent)
	}
	if p := r.Phases[0].Targets; len(p) != 2 || p[1].Sent != 5 || p[1].Latency.P50 < 500 {
		t.Errorf("targets of the first phase %+v", p)
	}
}

func TestADistributionIsToldAsFarAsItsNumberOfRequestsTells(t *testing.T) {
	r := play(tenASecond(), observe.Timeline{}, func(n int, o *attack.Outcome) { o.Done = o.Due + time.Duration(n+1)*time.Millisecond })
	last, end := r.Curve[len(r.Curve)-2], r.Curve[len(r.Curve)-1]
	if last[0] != 95 || end[0] != 100 || int(end[1]) != 30 {
		t.Errorf("of 30 requests %v is told before %v", last, end)
	}
}

func TestHeldConnectionsAreCountedToTheEndOfEachSecond(t *testing.T) {
	s := tenASecond()
	schedule, r := scenario.NewSchedule(s.Phases), NewRecorder(s)
	at := func(ms int, what Hold, err error) {
		r.RecordHeld(Held{At: time.Duration(ms) * time.Millisecond, Target: "ws://127.0.0.1/", What: what, Took: 5 * time.Millisecond, Err: err})
	}
	at(100, Opened, nil)
	at(200, Opened, nil)
	at(300, Refused, errors.New("no room"))
	at(1100, Echoed, nil)
	at(1200, Lost, errors.New("connection reset by peer"))
	at(2900, Closed, nil)
	got := r.Assemble(Run{Scenario: s, Schedule: schedule, Started: time.Unix(0, 0), Load: schedule.Duration()})
	var held []int
	for _, second := range got.Seconds {
		held = append(held, *second.Held)
	}
	if diff := cmp.Diff([]int{2, 1, 0}, held); diff != "" {
		t.Errorf("held (-want +got):\n%s", diff)
	}
	if h := got.Holders[0]; h.Opened != 2 || h.Lost != 1 || h.Refused != 1 || h.Closed != 1 || h.Most != 2 || h.Echo.P50 < 4.9 || len(h.Failures) != 2 {
		t.Errorf("held connections %+v", h)
	}
	if got.Seconds[0].Lost != 1 || got.Seconds[1].Lost != 1 {
		t.Errorf("lost in seconds 0 and 1: %d and %d, want one each", got.Seconds[0].Lost, got.Seconds[1].Lost)
	}
}

func TestWhatWasSeenStandsInTheScenariosOrderAtItsSecond(t *testing.T) {
	start := time.Unix(0, 0)
	s := tenASecond()
	r := play(s, observe.Timeline{
		Seconds: 3,
		Services: map[string]observe.Series{"app": {
			Policy:   &observe.Policy{Min: 1, Max: 4},
			Replicas: []*observe.Replicas{{Desired: 2, Running: 1, Waiting: new(1)}, nil, {Desired: 2, Running: 2}},
			Backends: []observe.Backend{
				{Name: "a", Loads: []*observe.Load{{Connections: new(3.0)}, {Connections: new(4.0), Queue: new(1.0)}}},
				{Name: "b", Loads: []*observe.Load{{Connections: new(1.0)}, nil, nil}},
			},
		}},
		Proxies: []observe.Proxies{{Instance: "one", Workers: []*observe.Workers{{All: 1}, {All: 2, Draining: 1}}}},
		Reloads: []observe.Reload{{Instance: "one", At: start.Add(1500 * time.Millisecond), Reason: "new backend b"}},
	}, nil)
	app := r.Services[0]
	if *app.Waiting[0] != 1 || app.Running[1] != nil || *app.Connections[0] != 4 || *app.Connections[1] != 4 || app.Connections[2] != nil || app.Queue[0] != nil || *app.Queue[1] != 1 {
		t.Errorf("app %+v", app)
	}
	if *r.Seconds[0].Running != 1 || *r.Seconds[0].Connections != 4 || r.Seconds[1].Running != nil {
		t.Errorf("seconds 0 and 1: %+v, %+v", r.Seconds[0], r.Seconds[1])
	}
	s.Observe.Others = []string{"gone"}
	if r := play(s, observe.Timeline{Seconds: 1, Services: map[string]observe.Series{"app": {}}}, nil); len(r.Notes) != 1 || r.Notes[0] != "Nothing was seen of the service gone." {
		t.Errorf("notes %q, want one of the service that is not there", r.Notes)
	}
	if diff := cmp.Diff([]Reload{{1.5, "new backend b"}}, r.Proxies[0].Reloads); diff != "" || *r.Proxies[0].Draining[1] != 1 {
		t.Errorf("proxy %+v (-want +got):\n%s", r.Proxies[0], diff)
	}
}
