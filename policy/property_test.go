package policy_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"sluice/policy"
)

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// scene is one evaluation: everything that Evaluate may look at.
type scene struct {
	policy policy.Policy
	in     policy.Input
	state  policy.State
}

func (s scene) evaluate() policy.Decision {
	d, _ := s.policy.Evaluate(epoch, s.in, s.state)
	return d
}

func drawPolicy(t *rapid.T, pauses ...string) policy.Policy {
	pick := func(name string, values ...string) string { return rapid.SampledFrom(values).Draw(t, name) }
	low := rapid.IntRange(1, 10).Draw(t, "min")
	labels := map[string]string{
		"min": strconv.Itoa(low), "max": strconv.Itoa(low + rapid.IntRange(0, 30).Draw(t, "room")),
		"target.1": pick("target", "1", "50", "0.5"), "agg.1": pick("agg", "mean", "max", "min", "sum", "last", "p50", "p99"),
		"window.1": pick("window", "1s", "5s", "15s", "30s"), "tolerance": pick("tolerance", "0", "0.1", "0.4"),
		"targetType.1": pick("targetType", "perReplica", "value"), "merge": pick("merge", "max", "min", "mean"),
		"stabilizeUp": pick("stabilizeUp", "0s", "10s"), "stabilizeDown": pick("stabilizeDown", "0s", "10s", "1m"),
		"cooldownUp": pick("cooldownUp", "0s", "5s", "1m"), "cooldownDown": pick("cooldownDown", "0s", "1m"),
		"rateUp":   pick("rateUp", "4/15s,100%/15s", "1/30s", "disabled", "50%/10s"),
		"rateDown": pick("rateDown", "100%/15s", "1/15s", "disabled"), "rateUpSelect": pick("select", "max", "min"),
		"warmup": pick("warmup", "0s", "15s"), "paused": "false",
	}
	if len(pauses) > 0 {
		labels["paused"] = pick("paused", pauses...)
	}
	if rapid.Bool().Draw(t, "second rule") {
		labels["metric.2"], labels["target.2"] = "queue", pick("target 2", "1", "5")
	}
	full := map[string]string{}
	for k, v := range labels {
		full[policy.Prefix+k] = v
	}
	p, _, problems := policy.Parse("go-demo", full, time.LoadLocation)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return p
}

// drawScene invents a present and a past, likely or not.
func drawScene(t *rapid.T, p policy.Policy) scene {
	ago := func(name string, longest int) time.Time {
		return epoch.Add(-time.Duration(rapid.IntRange(0, longest).Draw(t, name)) * time.Second)
	}
	s := scene{policy: p, in: policy.Input{
		Replicas: rapid.IntRange(0, 50).Draw(t, "replicas"), Replicated: true, Updating: rapid.Float64Range(0, 1).Draw(t, "updating") > 0.8,
	}}
	for range s.in.Replicas {
		s.in.Tasks = append(s.in.Tasks, policy.Task{Running: rapid.IntRange(0, 9).Draw(t, "runs") > 0, Since: ago("task", 200)})
	}
	for n := range rapid.IntRange(0, 3).Draw(t, "proxies") {
		newest := rapid.SampledFrom([]int{0, 1, 4, 5, 7, 60, 300}).Draw(t, "newest")
		for _, metric := range []string{"sessions", "queue"} {
			series := policy.Series{Metric: metric, Proxy: fmt.Sprint("proxy-", n), Backend: "go-demo-be8080_1"}
			for back := newest + rapid.IntRange(0, 40).Draw(t, "points"); back >= newest; back-- {
				value := rapid.Float64Range(0, 2000).Draw(t, metric)
				series.Points = append(series.Points, policy.Point{At: epoch.Add(-time.Duration(back) * time.Second), Value: value})
			}
			s.in.Series = append(s.in.Series, series)
		}
	}
	since := ago("observed", 300)
	s.state.Observed = policy.Run{From: since, To: epoch.Add(-time.Second)}
	s.state.Complete = s.state.Observed
	for at := since; at.Before(epoch); at = at.Add(20 * time.Second) {
		s.state.Wanted = append(s.state.Wanted, policy.Run{From: at, To: at.Add(19 * time.Second), Replicas: rapid.IntRange(0, 40).Draw(t, "wanted")})
		s.state.Lowest = s.state.Wanted
	}
	if rapid.Bool().Draw(t, "changed") {
		s.state.Changes = []policy.Change{{
			At: ago("change", 70), From: rapid.IntRange(1, 20).Draw(t, "from"), To: rapid.IntRange(1, 20).Draw(t, "to"),
		}}
	}
	return s
}

func TestAlwaysWithinBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScene(t, drawPolicy(t, "false"))
		if d := s.evaluate(); d.To < s.policy.Min || d.To > s.policy.Max {
			t.Fatalf("%d is outside %d to %d: %s", d.To, s.policy.Min, s.policy.Max, d.Reason)
		}
	})
}

func TestNeverDownOnMissingStaleOrPartialData(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScene(t, drawPolicy(t, "false", "in", "out"))
		for i := range s.in.Series { // one proxy wrote last between 6 s and 2 min ago, or there is none at all
			if s.in.Series[i].Proxy == "proxy-0" {
				points := s.in.Series[i].Points
				cut := epoch.Add(-time.Duration(rapid.IntRange(6, 119).Draw(t, "silent since")) * time.Second)
				s.in.Series[i].Points = append(slices.DeleteFunc(slices.Clone(points), func(p policy.Point) bool {
					return !p.At.Before(cut)
				}), policy.Point{At: cut, Value: 1})
			}
		}
		if d := s.evaluate(); d.To < d.From && d.From <= s.policy.Max {
			t.Fatalf("down to %d: %s", d.To, d.Reason)
		}
	})
}

func TestMoreLoadNeverMeansFewerReplicas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		less := drawScene(t, drawPolicy(t, "false", "in", "out"))
		more := less
		more.in.Series = slices.Clone(less.in.Series)
		for i := range more.in.Series {
			more.in.Series[i].Points = slices.Clone(less.in.Series[i].Points)
			for j := range more.in.Series[i].Points {
				more.in.Series[i].Points[j].Value += rapid.Float64Range(0, 500).Draw(t, "more")
			}
		}
		if a, b := less.evaluate(), more.evaluate(); b.To < a.To {
			t.Fatalf("more load, fewer replicas:\n%s\n%s", a.Reason, b.Reason)
		}
	})
}

func TestSameInputsSameOutputAndNothingIsTouched(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScene(t, drawPolicy(t, "false", "true", "in", "out"))
		before, _ := json.Marshal(s.state)
		a, stateA := s.policy.Evaluate(epoch, s.in, s.state)
		_ = stateA.Applied(epoch, policy.Decision{From: 1, To: 2})
		b, stateB := s.policy.Evaluate(epoch, s.in, s.state)
		after, _ := json.Marshal(s.state)
		if string(before) != string(after) {
			t.Fatal("the state that was given has changed")
		}
		unexported := cmpopts.IgnoreUnexported(policy.Observation{})
		if diff := cmp.Diff(a, b, unexported) + cmp.Diff(stateA, stateB); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestOrderOfSeriesDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScene(t, drawPolicy(t))
		turned := s
		turned.in.Series = slices.Clone(s.in.Series)
		slices.Reverse(turned.in.Series)
		if a, b := s.evaluate(), turned.evaluate(); a.To != b.To {
			t.Fatalf("another order, another decision:\n%s\n%s", a.Reason, b.Reason)
		}
	})
}

func TestPausedServiceIsLeftAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPolicy(t, "true", "in", "out")
		d := drawScene(t, p).evaluate()
		if (p.Pause.In && d.To < d.From) || (p.Pause.Out && d.To > d.From) {
			t.Fatal(d.Reason)
		}
	})
}

func TestStateSurvivesEncoding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScene(t, drawPolicy(t))
		d, st := s.policy.Evaluate(epoch, s.in, s.state)
		st = st.Applied(epoch, d)
		data, err := json.Marshal(st)
		if err != nil {
			t.Fatal(err)
		}
		var back policy.State
		if err := json.Unmarshal(data, &back); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(st, back, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
	})
}

// A restart must not go down earlier than the scaler would have that ran on: neither with no past, nor with one read
// back from the points.
func TestRestartNeverGoesDownEarlier(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		labels := map[string]string{
			"com.df.scale.max": "20", "com.df.scale.target": "10", "com.df.scale.stabilizeDown": "20s",
			"com.df.scale.cooldownDown": "0s", "com.df.scale.warmup": "0s", "com.df.scale.rateUp": "100/1s",
		}
		p, _, _ := policy.Parse("go-demo", labels, time.LoadLocation)
		w := &world{policy: p, now: epoch, load: map[string]float64{}, proxies: 2, silent: map[int]bool{}, input: policy.Input{Replicated: true}}
		w.external(1)
		for range rapid.IntRange(1, 60).Draw(t, "seconds") {
			w.load["sessions"] = rapid.Float64Range(0, 150).Draw(t, "sessions")
			w.second()
		}
		w.load["sessions"] = 1
		w.now = w.now.Add(time.Second)
		w.measure()
		ranOn, _ := p.Evaluate(w.now, w.input, w.state)
		restarted, _ := p.Evaluate(w.now, w.input, policy.State{})
		resumed, _ := p.Evaluate(w.now, w.input, p.Resume(w.now, w.input, time.Time{}))
		if restarted.To < ranOn.To || resumed.To < ranOn.To {
			t.Fatalf("ran on: %s\nrestarted: %s\nresumed: %s", ranOn.Reason, restarted.Reason, resumed.Reason)
		}
	})
}

func TestACooldownNeverBlocksALargerStepUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorldOf(t, "com.df.scale.max=100 com.df.scale.target=10 com.df.scale.cooldownUp=1m com.df.scale.rateUp=1000/1s com.df.scale.panicWindow=0s")
		step := rapid.IntRange(1, 10).Draw(t, "last step")
		w.external(5 + step)
		w.state.Changes = []policy.Change{{At: w.now, From: 5, To: 5 + step}}
		want := 5 + step + rapid.IntRange(step+1, 50).Draw(t, "next step")
		w.load["sessions"] = float64(want * 10)
		if d := w.second(); d.To != want {
			t.Fatal(d.Reason)
		}
	})
}
