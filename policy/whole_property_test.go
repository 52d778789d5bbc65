package policy_test

import (
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

// drawWhole invents a policy over the whole vocabulary. The answer to missing data is what the labels say by default
// unless careless, and so is the kind of a rule unless kinds are named.
func drawWhole(t *rapid.T, careless bool, kinds ...string) policy.Policy {
	pick := func(name string, values ...string) string { return rapid.SampledFrom(values).Draw(t, name) }
	low := rapid.IntRange(1, 6).Draw(t, "min")
	high := low + rapid.IntRange(4, 30).Draw(t, "room")
	labels := map[string]string{
		"min": strconv.Itoa(low), "max": strconv.Itoa(high), "merge": pick("merge", "max", "min", "mean"),
		"tolerance": pick("tolerance", "0", "0.1"), "warmup": pick("warmup", "0s", "15s"),
		"stabilizeUp": pick("stabilizeUp", "0s", "10s"), "stabilizeDown": pick("stabilizeDown", "0s", "10s", "40s"),
		"cooldownUp": pick("cooldownUp", "0s", "5s"), "cooldownDown": pick("cooldownDown", "0s", "20s"),
		"rateUp": pick("rateUp", "4/15s,100%/15s", "1/5s", "disabled"), "rateDown": pick("rateDown", "100%/15s", "1/15s"),
		"onExternalChange": pick("onExternalChange", "restore", "adopt", "pause"),
	}
	if careless {
		labels["noData"], labels["onError"] = pick("noData", "hold", "zero"), pick("onError", "hold", "ignore", "fallback")
		if labels["onError"] == "fallback" {
			labels["fallbackReplicas"], labels["fallbackAfter"] = strconv.Itoa(low), pick("fallbackAfter", "0s", "10s")
			labels["fallbackBehavior"] = pick("fallbackBehavior", "static", "currentReplicas", "currentReplicasIfHigher", "currentReplicasIfLower")
		}
	}
	if len(kinds) == 0 {
		kinds = []string{"target", "threshold", "passThrough", "fixed"}
	}
	for n := range rapid.IntRange(1, 3).Draw(t, "rules") {
		drawRule(pick, labels, n+1, kinds)
	}
	if rapid.Bool().Draw(t, "window") {
		labels["schedule.9"], labels["scheduleFor.9"] = pick("opens", "* * * * *", "0 12 * * *", "1 12 * * *"), pick("lasts", "1m", "1h")
		labels["scheduleMin.9"] = strconv.Itoa(rapid.IntRange(1, high).Draw(t, "scheduleMin"))
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

func drawRule(pick func(string, ...string) string, labels map[string]string, n int, kinds []string) {
	set := func(name, value string) { labels[name+"."+strconv.Itoa(n)] = value }
	kind := pick("strategy", kinds...)
	set("strategy", kind)
	if pick("scheduled", "no", "no", "yes") == "yes" {
		set("schedule", pick("begins", "0 12 * * *", "1 12 * * *", "30 11 * * *"))
		set("scheduleFor", pick("for", "1m", "31m"))
	}
	if kind == "fixed" {
		set("replicas", pick("replicas", "0", "3", "12"))
		return
	}
	set("metric", pick("metric", "sessions", "queue", "responseTime", "cpu"))
	set("agg", pick("agg", "mean", "max", "min", "last", "p50", "p99"))
	set("window", pick("window", "1s", "5s", "15s"))
	set("windowOffset", pick("windowOffset", "0s", "0s", "3s"))
	switch kind {
	case "target":
		set("target", pick("target", "1", "50", "300"))
		set("targetType", pick("targetType", "perReplica", "value"))
		set("activation", pick("activation", "0", "100"))
	case "threshold":
		set("upAbove", pick("upAbove", "80", "200"))
		set("downBelow", pick("downBelow", "20", "80"))
		set("for", pick("held for", "0s", "3s", "10s"))
		set("upBy", pick("upBy", "1", "50%", "=9"))
		set("downBy", pick("downBy", "1", "50%", "=2"))
	}
}

// drawWorld lets a policy live for a while: load, failures, other people and updates as they come.
type stranger struct {
	*world
	t *rapid.T
}

func drawWorld(t *rapid.T, p policy.Policy) stranger {
	w := &world{
		policy: p, now: epoch.Add(-time.Duration(rapid.IntRange(0, 90).Draw(t, "before noon")) * time.Second),
		load: map[string]float64{}, proxies: rapid.IntRange(1, 2).Draw(t, "proxies"), silent: map[int]bool{},
		startup: time.Duration(rapid.IntRange(0, 8).Draw(t, "startup")) * time.Second, input: policy.Input{Replicated: true},
	}
	w.external(rapid.IntRange(0, 12).Draw(t, "replicas"))
	return stranger{w, t}
}

func (s stranger) second() policy.Decision {
	for _, metric := range []string{"sessions", "queue", "responseTime", "cpu"} {
		if _, known := s.load[metric]; !known || rapid.IntRange(0, 9).Draw(s.t, "load changes") == 0 {
			s.load[metric] = rapid.Float64Range(0, 1000).Draw(s.t, metric)
		}
	}
	switch rapid.IntRange(0, 40).Draw(s.t, "event") {
	case 0:
		s.external(rapid.IntRange(0, 20).Draw(s.t, "somebody sets"))
	case 1:
		s.silent[1] = !s.silent[1]
	case 2:
		s.input.Updating = !s.input.Updating
	case 3:
		if s.input.Failures = nil; rapid.Bool().Draw(s.t, "fails") {
			s.input.Failures = map[string]string{"cpu": "not read", "queue": "not read"}
		}
	}
	return s.world.second()
}

func TestWholeVocabularyStaysWithinBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t, drawWhole(t, true))
		for range 40 {
			d := w.second()
			low, high := w.policy.BoundsAt(w.now)
			paused := w.policy.OnExternalChange == "pause" && d.From == d.To
			if (d.To < low || d.To > high) && !paused {
				t.Fatalf("%d is outside %d to %d: %s", d.To, low, high, d.Reason)
			}
		}
	})
}

func TestWholeVocabularyNeverGoesDownOnMissingStaleOrPartialData(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawWhole(t, false, "target", "threshold", "passThrough")
		p.Rules = slices.DeleteFunc(p.Rules, func(r policy.Rule) bool { return r.Schedule != nil })
		if len(p.Rules) == 0 {
			t.Skip("every rule may be asleep")
		}
		w := drawWorld(t, p)
		for _, metric := range []string{"sessions", "queue", "responseTime", "cpu"} {
			w.load[metric] = 500
		}
		w.world.second() // every proxy has been heard
		for range rapid.IntRange(0, 30).Draw(t, "seconds") {
			w.second()
		}
		for _, metric := range []string{"sessions", "queue", "responseTime", "cpu"} {
			w.load[metric] = 0
		}
		w.silent[1] = true
		for range 30 {
			d := w.world.second()
			silence := w.now.Add(-6 * time.Second)
			heard := slices.ContainsFunc(w.input.Series, func(s policy.Series) bool {
				return s.Proxy == "proxy-1" && s.Points[len(s.Points)-1].At.After(silence)
			})
			_, high := p.BoundsAt(w.now)
			if d.To < d.From && d.From <= high && !heard {
				t.Fatalf("down to %d: %s", d.To, d.Reason)
			}
		}
	})
}

func TestWholeVocabularyMoreLoadNeverMeansFewerReplicas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t, drawWhole(t, true))
		for range rapid.IntRange(1, 30).Draw(t, "seconds") {
			w.second()
		}
		at := w.now.Add(time.Second)
		more := w.input
		more.Series = slices.Clone(more.Series)
		for i := range more.Series {
			more.Series[i].Points = slices.Clone(more.Series[i].Points)
			for j := range more.Series[i].Points {
				more.Series[i].Points[j].Value += rapid.Float64Range(0, 500).Draw(t, "more")
			}
		}
		a, _ := w.policy.Evaluate(at, w.input, w.state)
		b, _ := w.policy.Evaluate(at, more, w.state)
		if b.To < a.To {
			t.Fatalf("more load, fewer replicas:\n%s\n%s", a.Reason, b.Reason)
		}
	})
}

func TestWholeVocabularySameInputsSameOutput(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t, drawWhole(t, true))
		for range rapid.IntRange(1, 20).Draw(t, "seconds") {
			w.second()
		}
		at := w.now.Add(time.Second)
		before := w.state.Encode()
		a, stateA := w.policy.Evaluate(at, w.input, w.state)
		b, stateB := w.policy.Evaluate(at, w.input, w.state)
		if diff := cmp.Diff(a, b, cmpopts.IgnoreUnexported(policy.Observation{})) + cmp.Diff(stateA, stateB); diff != "" {
			t.Fatal(diff)
		}
		if w.state.Encode() != before {
			t.Fatal("the state that was given has changed")
		}
	})
}

// A restart at any moment loses nothing: the scaler that reads its state from the label decides as the other would have.
func TestRestartWithItsLabelChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t, drawWhole(t, true))
		for range rapid.IntRange(1, 30).Draw(t, "seconds") {
			w.second()
		}
		st, err := policy.DecodeState(w.state.Encode())
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			d := w.second()
			in := w.input // the world has obeyed already: look at it as it was
			in.Replicas = d.From
			switch {
			case d.To > d.From:
				in.Tasks = in.Tasks[:d.From]
			case d.To < d.From: // the tasks that left are not known any more: restart here
				if st, err = policy.DecodeState(w.state.Encode()); err != nil {
					t.Fatal(err)
				}
				continue
			}
			again, next := w.policy.Evaluate(w.now, in, st)
			if again.To != d.To {
				t.Fatalf("ran on: %s\nrestarted: %s", d.Reason, again.Reason)
			}
			if st = next; d.From != d.To {
				st = st.Applied(w.now, d)
			}
		}
	})
}

// Two scalers evaluate in the same tick. The one that comes second sees what the first has done, and steps no further.
func TestTwoScalersDoNotTakeAStepTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawWhole(t, false, "threshold")
		p.CooldownUp, p.CooldownDown = max(p.CooldownUp, time.Second), max(p.CooldownDown, time.Second)
		w := drawWorld(t, p)
		other := policy.State{}
		for range 40 {
			d := w.second()
			in := w.input
			second, st := p.Evaluate(w.now, in, other.Joined(w.state))
			other = st
			low, high := p.BoundsAt(w.now)
			if d.From != d.To && second.To != second.From && d.To >= low && d.To <= high {
				t.Fatalf("first: %s\nsecond: %s", d.Reason, second.Reason)
			}
			if second.To != second.From {
				other = other.Applied(w.now, second)
				w.state = w.state.Joined(other)
				w.external(second.To)
			}
		}
	})
}

// A step down that was carried out, though the answer was lost, is nobody else's: it is not undone.
func TestDecisionWhoseAnswerWasLostIsOurs(t *testing.T) {
	w := newWorld(t, map[string]string{
		"com.df.scale.max": "10", "com.df.scale.target": "100", "com.df.scale.stabilizeDown": "5s", "com.df.scale.cooldownDown": "0s",
	}, 6)
	w.load["sessions"] = 250
	for range 60 {
		w.now = w.now.Add(time.Second)
		w.measure()
		d, st := w.policy.Evaluate(w.now, w.input, w.state) // never told that anything was applied
		w.state = st
		w.external(d.To)
		if d.To > d.From {
			t.Fatal(d.Reason)
		}
	}
	if w.input.Replicas != 3 {
		t.Errorf("%d replicas, want 3", w.input.Replicas)
	}
	if n := len(w.state.Changes); n != 1 || w.state.Changes[0].To != 3 {
		t.Errorf("changes %v, want the one from 6 to 3", w.state.Changes)
	}
}

func TestStateSurvivesItsLabel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t, drawWhole(t, true))
		for range rapid.IntRange(1, 40).Draw(t, "seconds") {
			w.second()
		}
		text := w.state.Encode()
		back, err := policy.DecodeState(text)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(w.state, back, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
		if len(text) > 1000 {
			t.Fatalf("%d bytes are a long label: %s", len(text), text)
		}
	})
}

func TestStateIsRoundedToTheLaterMillisecond(t *testing.T) {
	at := epoch.Add(1234567 * time.Nanosecond)
	st := policy.State{Changes: []policy.Change{{At: at, From: 1, To: 2}}, PanicUntil: at.Add(time.Minute)}
	back, err := policy.DecodeState(st.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if got := back.Changes[0].At; got.Before(at) || got.Sub(at) >= time.Millisecond {
		t.Errorf("%s became %s", at, got)
	}
	if got := back.PanicUntil.Sub(back.Changes[0].At); got != time.Minute {
		t.Errorf("a minute became %s", got)
	}
}

func FuzzDecodeState(f *testing.F) {
	f.Add("1;1772366400000;r=5,5,5;c=60000:1>2,0:2>5;o=300000:0;d=300000:0;w=90000:2000:5,1000:0:4;p=-5000;m=7;f=1:2:0;h=3:1:-1")
	f.Add("1;0")
	f.Add("1;9007199254740992;c=-9007199254740992:2147483647>0")
	f.Fuzz(func(t *testing.T, text string) {
		st, err := policy.DecodeState(text)
		if err != nil {
			return
		}
		again, err := policy.DecodeState(st.Encode())
		if err != nil {
			t.Fatalf("%q became %q: %v", text, st.Encode(), err)
		}
		if diff := cmp.Diff(st, again, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
		p := parse(t, map[string]string{"com.df.scale.max": "10", "com.df.scale.target": "50"})
		in := policy.Input{Replicas: 3, Replicated: true}
		if d, _ := p.Evaluate(epoch, in, st); d.To < 1 || d.To > 10 {
			t.Fatal(fmt.Sprint("out of bounds ", d))
		}
	})
}
