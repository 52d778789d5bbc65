package scenario

import (
	"math"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
	"pgregory.net/rapid"
)

func TestRequestsAreDueInTheMiddleOfTheirShare(t *testing.T) {
	tests := []struct {
		name   string
		phases []Phase
		want   []time.Duration
	}{
		{"constant", phases("constant", 2*time.Second, 2), []time.Duration{250 * time.Millisecond, 750 * time.Millisecond, 1250 * time.Millisecond, 1750 * time.Millisecond}},
		{"step", phases("step", 2*time.Second, 1, 2), []time.Duration{500 * time.Millisecond, 1250 * time.Millisecond, 1750 * time.Millisecond}},
		// The area under a rise from 0 to 2 in 2 s is t²/2: ½ is reached after 1 s, 1½ after √3 s.
		{"ramp up", phases("ramp", 2*time.Second, 0, 2), []time.Duration{time.Second, 1732050808}},
		{"ramp down", phases("ramp", 2*time.Second, 2, 0), []time.Duration{267949192, time.Second}},
		{"nothing", phases("constant", time.Second, 0), nil},
		{"a fraction is rounded", phases("constant", time.Second, 0.4), nil},
		{"fractions add up", append(phases("constant", time.Second, 0.4), phases("constant", time.Second, 0.4)...), []time.Duration{1250 * time.Millisecond}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := NewSchedule(tt.phases)
			if s.Len() != len(tt.want) {
				t.Fatalf("%d requests, want %d", s.Len(), len(tt.want))
			}
			for n, want := range tt.want {
				if at, _ := s.Due(n); at != want {
					t.Errorf("request %d is due at %s, want %s", n, at, want)
				}
			}
		})
	}
}

func TestScheduleKeepsItsPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		given := drawPhases(t)
		s := NewSchedule(given)
		area := 0.0
		for _, p := range s.pieces {
			area += p.area()
		}
		if math.Abs(float64(s.Len())-area) > 0.5+1e-6 {
			t.Fatalf("%d requests for an area of %f", s.Len(), area)
		}
		var last time.Duration
		lastPhase, perPhase := 0, make([]int, len(given))
		for n := range s.Len() {
			at, phase := s.Due(n)
			if at < last || phase < lastPhase {
				t.Fatalf("request %d at %s in phase %d comes after one at %s in phase %d", n, at, phase, last, lastPhase)
			}
			if at < 0 || at > s.Duration() {
				t.Fatalf("request %d at %s is outside of %s", n, at, s.Duration())
			}
			last, lastPhase = at, phase
			perPhase[phase]++
		}
		for i, want := range perPhase {
			if got := s.Requests(i); got != want {
				t.Fatalf("phase %d has %d requests, says %d", i, want, got)
			}
		}
		cut := time.Duration(rapid.Int64Range(0, int64(s.Duration())).Draw(t, "cut"))
		before := s.Before(cut)
		if before > 0 {
			if at, _ := s.Due(before - 1); at >= cut {
				t.Fatalf("request %d at %s counts as before %s", before-1, at, cut)
			}
		}
		if before < s.Len() {
			if at, _ := s.Due(before); at < cut {
				t.Fatalf("request %d at %s does not count as before %s", before, at, cut)
			}
		}
	})
}

// An independent count: when request n is due by our area, vegeta's pacer has counted n + ½ hits, so after n hits it waits for half a hit more.
func TestScheduleAgreesWithVegetasPacer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from, to := rapid.IntRange(1, 500).Draw(t, "from"), rapid.IntRange(1, 500).Draw(t, "to")
		length := time.Duration(rapid.IntRange(2, 60).Draw(t, "seconds")) * time.Second
		s := NewSchedule(phases("ramp", length, float64(from), float64(to)))
		pacer := vegeta.LinearPacer{StartAt: vegeta.Rate{Freq: from, Per: time.Second}, Slope: float64(to-from) / length.Seconds()}
		n := rapid.IntRange(1, s.Len()-1).Draw(t, "n")
		at, _ := s.Due(n)
		wait, _ := pacer.Pace(at, uint64(n))
		if want := 0.5 / pacer.Rate(at); math.Abs(wait.Seconds()-want) > 1e-6+0.001*want {
			t.Fatalf("request %d is due at %s: vegeta would wait %s, not %fs", n, at, wait, want)
		}
	})
}

func TestMixGivesEveryTargetItsShareEvenly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var targets []Target
		total := 0
		for range rapid.IntRange(1, 6).Draw(t, "targets") {
			w := rapid.IntRange(1, 20).Draw(t, "weight")
			targets = append(targets, Target{Weight: w})
			total += w
		}
		mix := Mix(targets)
		got := make([]int, len(targets))
		for n, i := range mix {
			got[i]++
			ideal := float64(n+1) * float64(targets[i].Weight) / float64(total)
			if math.Abs(float64(got[i])-ideal) > float64(len(targets)) {
				t.Fatalf("after %d requests target %d had %d, its share is %.1f", n+1, i, got[i], ideal)
			}
		}
		for i, target := range targets {
			if got[i] != target.Weight {
				t.Fatalf("target %d stands %d times in a cycle, want %d", i, got[i], target.Weight)
			}
		}
	})
}

func phases(kind Kind, length time.Duration, rates ...float64) []Phase {
	return []Phase{{Name: string(kind), Kind: kind, Rates: rates, Duration: length}}
}

func drawPhases(t *rapid.T) []Phase {
	rate := rapid.OneOf(rapid.Just(0.0), rapid.Float64Range(0, 50))
	var out []Phase
	for range rapid.IntRange(1, 5).Draw(t, "phases") {
		length := time.Duration(rapid.IntRange(1, 20_000).Draw(t, "ms")) * time.Millisecond
		switch kind := rapid.SampledFrom([]Kind{Constant, Ramp, Step}).Draw(t, "kind"); kind {
		case Ramp:
			out = append(out, Phase{Kind: kind, Rates: []float64{rate.Draw(t, "from"), rate.Draw(t, "to")}, Duration: length})
		case Step:
			out = append(out, Phase{Kind: kind, Rates: rapid.SliceOfN(rate, 1, 4).Draw(t, "rates"), Duration: length})
		default:
			out = append(out, Phase{Kind: kind, Rates: []float64{rate.Draw(t, "rate")}, Duration: length})
		}
	}
	return out
}
