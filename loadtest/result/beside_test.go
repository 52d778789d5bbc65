package result

import (
	"errors"
	"testing"
	"time"

	"sluice/loadtest/attack"
	"sluice/loadtest/observe"
	"sluice/loadtest/scenario"
)

func TestWhatWasHeldIsJudged(t *testing.T) {
	tests := []struct {
		expect string
		want   bool
		saw    string
	}{
		{"held lost = 0", false, "2 lost or refused, 4 opened"},
		{"held lost <= 2", true, "2 lost or refused, 4 opened"},
		{"held lost = 0 in first", true, "0 lost or refused, 4 opened"},
		{"held open >= 3", true, "at most 3 open"},
		{"held open >= 3 in first", false, "at most 2 open"},
		{"held p99 < 50ms", true, "p99 of the echoes was 20.0 ms"},
		{"held p99 < 20ms", false, "p99 of the echoes was 20.0 ms"},
	}
	for _, tt := range tests {
		s := tenASecond(tt.expect)
		r := NewRecorder(s)
		for _, h := range []Held{
			{At: 100 * time.Millisecond, What: Opened}, {At: 200 * time.Millisecond, What: Opened}, {At: 300 * time.Millisecond, What: Echoed, Took: 20 * time.Millisecond},
			{At: 1100 * time.Millisecond, What: Opened}, {At: 2100 * time.Millisecond, What: Lost, Err: errors.New("gone")},
			{At: 2200 * time.Millisecond, What: Refused, Err: errors.New("full")}, {At: 2300 * time.Millisecond, What: Opened, Again: true},
		} {
			h.Target = "ws://127.0.0.1/"
			r.RecordHeld(h)
		}
		got := r.Assemble(Run{Scenario: s, Schedule: scenario.NewSchedule(s.Phases), Started: time.Unix(0, 0), Load: 3 * time.Second}).Verdicts[0]
		if got.Passed != tt.want || got.Saw != tt.saw {
			t.Errorf("%s: %t, saw %q; want %t, %q", tt.expect, got.Passed, got.Saw, tt.want, tt.saw)
		}
	}
	if got := play(tenASecond("held lost = 0"), observe.Timeline{}, nil).Verdicts[0]; got.Passed {
		t.Errorf("nothing was held, and yet: %+v", got)
	}
}

func TestAnswersAreComparedWithWhatTheClientDid(t *testing.T) {
	number := func(v float64) *float64 { return &v }
	tests := []struct {
		expect        string
		before, after *float64
		want          bool
		saw           string
	}{
		{"answer http://localhost = 27", nil, number(27), true, "the answer was 27"},
		{"answer http://localhost = succeeded", nil, number(27), true, "the answer was 27; 27 requests succeeded"},
		{"answer http://localhost >= sent", nil, number(27), false, "the answer was 27; 30 requests sent"},
		{"answer http://localhost = succeeded of odd", nil, number(13), true, "the answer was 13; 13 requests succeeded"},
		{"growth http://localhost = succeeded", number(1000), number(1027), true, "it grew by 27, from 1000 to 1027; 27 requests succeeded"},
		{"growth http://localhost = 0", nil, number(0), false, "it was not answered: down"},
		{"answer http://localhost = 0", number(0), nil, false, "it was not answered: down"},
	}
	for _, tt := range tests {
		s := tenASecond(tt.expect)
		s.Targets = []scenario.Target{{Name: "even", Weight: 1}, {Name: "odd", Weight: 1}}
		r := NewRecorder(s)
		schedule := scenario.NewSchedule(s.Phases)
		for n := range schedule.Len() {
			due, phase := schedule.Due(n)
			o := attack.Outcome{Phase: phase, Target: n % 2, Due: due, Sent: due, Done: due, Status: 200}
			if n >= 27 {
				o.Kind, o.Status = attack.Status5xx, 503
			}
			r.Record(o)
		}
		answers := []Answer{{URL: "http://localhost", Before: tt.before, After: tt.after, Err: "down"}}
		got := r.Assemble(Run{Scenario: s, Schedule: schedule, Started: time.Unix(0, 0), Load: 3 * time.Second, Answers: answers}).Verdicts[0]
		if got.Passed != tt.want || got.Saw != tt.saw {
			t.Errorf("%s: %t, saw %q; want %t, %q", tt.expect, got.Passed, got.Saw, tt.want, tt.saw)
		}
	}
}

func TestStatusCodesAreCounted(t *testing.T) {
	for expect, want := range map[string]bool{
		"status 429 = 3": true, "status 429 < 10%": false, "status 429 <= 10%": true, "status 429 = 0 in first": true, "status 200 = 27": true, "status 503 > 0": false,
	} {
		r := play(tenASecond(expect), observe.Timeline{}, func(n int, o *attack.Outcome) {
			if n >= 27 {
				o.Kind, o.Status = attack.Status4xx, 429
			}
		})
		if got := r.Verdicts[0]; got.Passed != want {
			t.Errorf("%s: %+v", expect, got)
		}
	}
}

func TestReloadsOfAllProxiesAreAddedUp(t *testing.T) {
	seen := func(counts ...int) observe.Proxies {
		var p observe.Proxies
		for _, n := range counts {
			if n < 0 {
				p.Workers = append(p.Workers, nil)
				continue
			}
			p.Workers = append(p.Workers, &observe.Workers{Reloads: n})
		}
		return p
	}
	tests := []struct {
		name    string
		proxies []observe.Proxies
		expect  string
		want    bool
	}{
		{"none", []observe.Proxies{seen(7, 7, -1, 7)}, "reloads = 0", true},
		{"two proxies", []observe.Proxies{seen(-1, 3, 4), seen(0, 2)}, "reloads = 3", true},
		{"a proxy that was started anew", []observe.Proxies{seen(3, 4, 0, 1)}, "reloads = 2", true},
		{"nothing seen", []observe.Proxies{seen(-1, -1)}, "reloads = 0", false},
	}
	for _, tt := range tests {
		if got := play(tenASecond(tt.expect), observe.Timeline{Proxies: tt.proxies}, nil).Verdicts[0]; got.Passed != tt.want {
			t.Errorf("%s: %+v", tt.name, got)
		}
	}
}

func TestAnEventThatFailsFailsTheRunUnlessItIsOptional(t *testing.T) {
	for optional, want := range map[bool]bool{false: false, true: true} {
		s := tenASecond()
		r := NewRecorder(s)
		r.AddMark(Mark{Name: "kill task 1 of app", Err: "no manager", Optional: optional})
		r.AddMark(Mark{Name: "reload the proxy"})
		got := r.Assemble(Run{Scenario: s, Schedule: scenario.NewSchedule(s.Phases), Started: time.Unix(0, 0), Load: 3 * time.Second})
		if got.Passed != want || want != (len(got.Verdicts) == 0) {
			t.Errorf("optional %t: passed %t, %+v", optional, got.Passed, got.Verdicts)
		}
	}
}

func TestAClosedLoopIsMarked(t *testing.T) {
	s := tenASecond("errors = 0")
	s.Phases = []scenario.Phase{{Name: "people", Kind: scenario.Closed, Rates: []float64{0}, Users: 3, Duration: time.Second}}
	r := NewRecorder(s)
	for n := range 20 {
		at := time.Duration(n) * 50 * time.Millisecond
		r.Record(attack.Outcome{Due: at, Sent: at, Done: at, Status: 200})
	}
	got := r.Assemble(Run{Scenario: s, Schedule: scenario.NewSchedule(s.Phases), Started: time.Unix(0, 0), Load: time.Second, CPU: 1000})
	if !got.Passed || got.Total.Asked != 20 || got.Phases[0].Users != 3 || got.Phases[0].Asked != 20 || got.Seconds[0].Asked != 20 {
		t.Errorf("%+v, %+v", got.Total, got.Phases)
	}
	if len(got.Notes) != 2 { // that it was a closed loop, and that the client had no processor left
		t.Errorf("notes %q", got.Notes)
	}
}
