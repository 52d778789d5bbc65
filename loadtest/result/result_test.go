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
		Name: "ten", Targets: []scenario.Target{{URL: "http://127.0.0.1/", Method: "POST", Weight: 1}}, Timeout: 10 * time.Second, Connections: 5,
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
	for i, n := range perSecond {
		var m observe.Moment
		if n >= 0 {
			m.Replicas = &observe.Replicas{Desired: n, Running: n}
		} else {
			t.Gaps = append(t.Gaps, observe.Gap{Source: "swarm", From: i, To: i, Reason: "gone"})
		}
		t.Moments = append(t.Moments, m)
	}
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

func TestASecondWithoutALookTakesTheValueBefore(t *testing.T) {
	one, two := &observe.Replicas{Desired: 1, Running: 1}, &observe.Replicas{Desired: 2, Running: 2}
	moments := []observe.Moment{{Replicas: one}, {}, {Replicas: two}, {}, {}, {}, {Replicas: one}, {}}
	got := filled(moments, []observe.Gap{{Source: "swarm", From: 7, To: 7}})
	want := []observe.Moment{{Replicas: one}, {Replicas: one}, {Replicas: two}, {Replicas: two}, {Replicas: two}, {}, {Replicas: one}, {}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("moments (-want +got):\n%s", diff)
	}
}
