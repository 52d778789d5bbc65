package simulation_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sluice/policy"
	"sluice/policy/simulation"
)

// replay decides what it was told.
type replay []int

func (r replay) Name() string                   { return "replay" }
func (r replay) Decide(m simulation.Moment) int { return r[min(m.Second, len(r))-1] }

func TestOneReplicaStartsWaitsAndIsPaid(t *testing.T) {
	service := simulation.Service{Capacity: 10, Start: 2, Latency: 0.5, Min: 1, Max: 5}
	trace := simulation.Trace{Unit: simulation.Requests, Load: []float64{10, 15, 15, 15, 15, 0, 0}}
	got := simulation.Run(replay{1, 2, 2, 2, 2, 1, 1}, trace, service)
	want := simulation.Result{
		Scaler:  "replay",
		Desired: []int{1, 1, 2, 2, 2, 2, 1}, // ordered when second 1 is over
		Ready:   []int{1, 1, 1, 1, 2, 2, 1}, // serves two seconds later
		Waiting: []float64{0, 5, 10, 15, 10, 0, 0},
		// 5 more a second until the second replica serves, and then 5 fewer, and 20 in an idle second.
		ReplicaSeconds: 11, Overload: 4, Waited: 40, Changes: 2,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestConnectionsThatWaitAreNotCarriedOver(t *testing.T) {
	service := simulation.Service{Capacity: 10, Min: 1, Max: 1}
	got := simulation.Run(replay{1, 1, 1}, simulation.Trace{Unit: simulation.Sessions, Load: []float64{5, 25, 10}}, service)
	if diff := cmp.Diff([]float64{0, 15, 0}, got.Waiting); diff != "" || got.Overload != 1 {
		t.Errorf("%d overload seconds, waiting %s", got.Overload, diff)
	}
}

// cheapest tries all ways of running replicas, each a stack of the seconds in which they were ordered.
func cheapest(trace simulation.Trace, service simulation.Service) int {
	best := math.MaxInt
	var try func(second, paid int, started []int)
	try = func(second, paid int, started []int) {
		if paid >= best {
			return
		}
		if second == len(trace.Load) {
			best = paid
			return
		}
		for n := service.Min; n <= service.Max; n++ {
			next := slices.Clone(started[:min(n, len(started))])
			for len(next) < n {
				order := second
				if second == 0 {
					order = -1000 // before the trace, whatever is wanted has been running
				}
				next = append(next, order)
			}
			ready := 0
			for _, at := range next {
				if second-at >= service.Start {
					ready++
				}
			}
			if float64(ready)*service.Capacity >= trace.Load[second] {
				try(second+1, paid+n, next)
			}
		}
	}
	try(0, 0, nil)
	return best
}

func TestMinimumIsTheLeastOfAllWays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		service := simulation.Service{Capacity: 10, Start: rapid.IntRange(0, 3).Draw(t, "start"), Min: rapid.IntRange(0, 1).Draw(t, "min"), Max: 3}
		trace := simulation.Trace{Unit: simulation.Sessions, Load: rapid.SliceOfN(rapid.SampledFrom([]float64{0, 1, 9, 10, 11, 20, 25, 30}), 1, 6).Draw(t, "load")}
		least := simulation.Minimum(trace, service)
		if want := cheapest(trace, service); least.ReplicaSeconds != want || least.Overload != 0 {
			t.Fatalf("%d replica-seconds and %d overload seconds, want %d and none", least.ReplicaSeconds, least.Overload, want)
		}
	})
}

// Nobody who lets nothing wait pays less, on any trace and whoever decides.
func TestNobodyIsCheaperThanTheMinimum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		service := simulation.Service{Capacity: 10, Start: rapid.IntRange(0, 10).Draw(t, "start"), Min: 0, Max: 20}
		load := rapid.SliceOfN(rapid.Float64Range(0, 150), 2, 60).Draw(t, "load")
		trace := simulation.Trace{Unit: simulation.Sessions, Load: load}
		decisions := rapid.SliceOfN(rapid.IntRange(0, 20), len(load), len(load)).Draw(t, "decisions")
		least, r := simulation.Minimum(trace, service), simulation.Run(replay(decisions), trace, service)
		if r.Overload == 0 && r.ReplicaSeconds < least.ReplicaSeconds {
			t.Fatalf("%d, less than the minimum %d", r.ReplicaSeconds, least.ReplicaSeconds)
		}
	})
}

func TestSameSeedSameTrace(t *testing.T) {
	for _, kind := range simulation.Kinds {
		a, err := simulation.Generate(kind, simulation.Sessions, 100, 7)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := simulation.Generate(kind, simulation.Sessions, 100, 7)
		c, _ := simulation.Generate(kind, simulation.Sessions, 100, 8)
		if !slices.Equal(a.Load, b.Load) || slices.Equal(a.Load, c.Load) {
			t.Errorf("%s: the seed does not make the trace", kind)
		}
		if least := slices.Min(a.Load); least < 0 {
			t.Errorf("%s: a load of %f", kind, least)
		}
	}
}

func TestReadTrace(t *testing.T) {
	got, err := simulation.ParseTrace("x", strings.NewReader("seconds,sessions\n# a comment\n100, 5\n101,6.5\n104,0\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := simulation.Trace{Name: "x", Unit: simulation.Sessions, Load: []float64{5, 6.5, 6.5, 6.5, 0}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTraceThatCannotBeRead(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"empty", "", "read trace: EOF"},
		{"no head", "1,2\n", `read trace: line 1: is not seconds,sessions or seconds,requests, got "1,2"`},
		{"one second", "seconds,requests\n1,2\n", "read trace: has fewer than two seconds"},
		{"time goes back", "seconds,requests\n5,2\n4,2\n", "read trace: line 3: comes not after second 5, got 4"},
		{"no number", "seconds,requests\n5,many\n", `read trace: line 2: has no load but "many"`},
		{"no time", "seconds,requests\n-5,1\n", `read trace: line 2: has no time in seconds but "-5"`},
		{"endless", "seconds,requests\n0,1\n99999999,1\n", "read trace: line 3: is more than four weeks after the first"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := simulation.ParseTrace("x", strings.NewReader(tt.text)); err == nil || err.Error() != tt.want {
				t.Errorf("%v, want %s", err, tt.want)
			}
		})
	}
}

func FuzzParseTrace(f *testing.F) {
	f.Add("seconds,sessions\n0,1\n1,2\n5,1e3\n")
	f.Add("seconds,requests\n0,NaN\n")
	f.Fuzz(func(t *testing.T, text string) {
		trace, err := simulation.ParseTrace("x", strings.NewReader(text))
		if err == nil && (len(trace.Load) < 2 || slices.ContainsFunc(trace.Load, func(v float64) bool { return !(v >= 0) })) {
			t.Fatalf("read as %v", trace.Load)
		}
	})
}

// The scaler of a policy is the policy: a metric that the model does not have is missing, and not zero.
func TestMetricThatTheModelLacksHolds(t *testing.T) {
	p, _, problems := policy.Parse("web", map[string]string{"com.df.scale.max": "9", "com.df.scale.target": "50", "com.df.scale.metric": "cpu"}, nil)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var last policy.Decision
	s := simulation.Policy(p, time.Unix(0, 0), func(d policy.Decision) { last = d })
	trace := simulation.Trace{Unit: simulation.Sessions, Load: make([]float64, 200)}
	trace.Load[0] = 45
	r := simulation.Run(s, trace, simulation.Service{Capacity: 10, Min: 1, Max: 9})
	if r.Changes != 0 || !strings.Contains(last.Reason, "the simulation has no cpu") {
		t.Errorf("%d changes, %s", r.Changes, last.Reason)
	}
}

// The picture of the documentation: the defaults against the clairvoyant.
func TestDefaultsAreNearTheMinimum(t *testing.T) {
	p, _, _ := policy.Parse("web", map[string]string{"com.df.scale.max": "40", "com.df.scale.target": "85"}, nil)
	service := simulation.Service{Capacity: 100, Start: 10, Min: 1, Max: 40}
	for _, kind := range []string{"step", "spike", "sawtooth", "flash"} {
		trace, _ := simulation.Generate(kind, simulation.Sessions, 100, 1)
		least := simulation.Minimum(trace, service)
		r := simulation.Run(simulation.Policy(p, time.Unix(0, 0), nil), trace, service)
		if share := float64(r.ReplicaSeconds) / float64(least.ReplicaSeconds); share > 1.15 {
			t.Errorf("%s: %.3f of the minimum", kind, share)
		}
	}
}
