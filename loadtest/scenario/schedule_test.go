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
			area += p.total()
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
	time := func(most int, name string) time.Duration {
		return time.Duration(rapid.IntRange(1, most).Draw(t, name)) * time.Millisecond
	}
	var out []Phase
	for range rapid.IntRange(1, 5).Draw(t, "phases") {
		p := Phase{Duration: time(20_000, "ms"), Rates: []float64{rate.Draw(t, "one"), rate.Draw(t, "two")}}
		switch p.Kind = rapid.SampledFrom([]Kind{Constant, Ramp, Step, Sine, Spike, Sawtooth, Replay, Closed}).Draw(t, "kind"); p.Kind {
		case Step:
			p.Rates = rapid.SliceOfN(rate, 1, 4).Draw(t, "rates")
		case Constant:
			p.Rates = p.Rates[:1]
		case Sine, Sawtooth:
			p.Period = time(30_000, "period") + 10_000_000
		case Spike:
			p.Width = time(int(p.Duration.Milliseconds()), "width")
			p.At = (p.Duration - p.Width) / 2
		case Replay:
			p.Points = []Point{{0, rate.Draw(t, "first")}}
			for p.Points[len(p.Points)-1].At < p.Duration {
				p.Points = append(p.Points, Point{p.Points[len(p.Points)-1].At + time(9_000, "gap"), rate.Draw(t, "point")})
			}
		}
		out = append(out, p)
	}
	return out
}

// The second request is due where the fifth tooth begins, at rate 0.
func TestARequestMayBeDueWhereAPieceBegins(t *testing.T) {
	s := NewSchedule([]Phase{{Kind: Sawtooth, Rates: []float64{0, 50}, Duration: 61 * time.Millisecond, Period: 15 * time.Millisecond}})
	if at, _ := s.Due(1); s.Len() != 2 || at != 60*time.Millisecond {
		t.Errorf("%d requests, the second one at %s", s.Len(), at)
	}
}

// What is due until a moment is the area under the rate until then, which a sum of thin slices gives without any of the formulas.
func TestRequestsAreTheAreaUnderTheRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := NewSchedule(drawPhases(t))
		until := time.Duration(rapid.Int64Range(0, int64(s.Duration())).Draw(t, "until"))
		const slices = 200_000
		area, width := 0.0, until.Seconds()/slices
		for i := range slices {
			area += s.Rate(time.Duration((float64(i)+0.5)*width*1e9)) * width
		}
		if got := float64(s.Before(until)); math.Abs(got-area) > 1 {
			t.Fatalf("%g requests are due until %s, the area is %.3f", got, until, area)
		}
	})
}

func TestShapesAskForWhatTheySay(t *testing.T) {
	second := time.Second
	tests := []struct {
		name  string
		phase Phase
		rates map[time.Duration]float64
		len   int
		peak  float64
	}{
		{"a sine starts low and is high after half a period", Phase{Kind: Sine, Rates: []float64{10, 30}, Period: 8 * second, Duration: 16 * second},
			map[time.Duration]float64{0: 10, 2 * second: 20, 4 * second: 30, 8 * second: 10, 12 * second: 30}, 320, 30},
		{"a sine that is cut short never reaches its peak", Phase{Kind: Sine, Rates: []float64{10, 30}, Period: 8 * second, Duration: 2 * second},
			map[time.Duration]float64{0: 10}, 27, 20}, // 40 - 80/(2π)·sin(π/2) = 27.27
		{"a spike stands out of its base", Phase{Kind: Spike, Rates: []float64{10, 100}, At: 3 * second, Width: 2 * second, Duration: 10 * second},
			map[time.Duration]float64{0: 10, 2999 * time.Millisecond: 10, 3 * second: 100, 4999 * time.Millisecond: 100, 5 * second: 10}, 280, 100},
		{"a sawtooth rises and falls at once", Phase{Kind: Sawtooth, Rates: []float64{0, 100}, Period: 4 * second, Duration: 10 * second},
			map[time.Duration]float64{0: 0, 2 * second: 50, 4 * second: 0, 9 * second: 25}, 450, 100},
		{"a replay goes straight from point to point", Phase{Kind: Replay, Points: []Point{{0, 10}, {10 * second, 30}, {20 * second, 0}}, Duration: 15 * second},
			map[time.Duration]float64{0: 10, 5 * second: 20, 10 * second: 30, 14 * second: 18}, 313, 30}, // 200 + 112.5 rounded
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := NewSchedule([]Phase{tt.phase})
			for at, want := range tt.rates {
				if got := s.Rate(at); math.Abs(got-want) > 1e-6 {
					t.Errorf("%g/s at %s, want %g", got, at, want)
				}
			}
			if s.Len() != tt.len || math.Abs(s.Peak()-tt.peak) > 1e-6 {
				t.Errorf("%d requests, at most %g/s; want %d and %g", s.Len(), s.Peak(), tt.len, tt.peak)
			}
		})
	}
}
