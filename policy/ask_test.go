package policy_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"sluice/policy"
)

func drawAsk(t *rapid.T) policy.Ask {
	return policy.Ask{
		To: rapid.IntRange(0, 60).Draw(t, "to"), By: rapid.IntRange(-30, 30).Draw(t, "by"),
		Step: rapid.IntRange(-1, 1).Draw(t, "step"), Alert: rapid.Bool().Draw(t, "alert"),
	}
}

// Whatever somebody asks for, the bounds are kept, the state that was given is not touched, and a pause at a number holds.
func TestAnswersStayWithinBoundsAndPauses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t, drawWhole(t, true))
		for range rapid.IntRange(0, 20).Draw(t, "seconds") {
			w.second()
		}
		if rapid.Bool().Draw(t, "paused") {
			w.state = w.state.Pausing(policy.Paused{Pause: policy.Pause{Frozen: true, Replicas: rapid.IntRange(0, 60).Draw(t, "at")}})
		}
		before, ask := w.state.Encode(), drawAsk(t)
		d, st := w.policy.Answer(w.now, w.input, w.state, ask)
		low, high := w.policy.BoundsAt(w.now)
		paused := w.policy.OnExternalChange == "pause" && d.From == d.To || !w.state.Paused.IsZero() && d.To >= w.policy.Min && d.To <= w.policy.Max
		if (d.To < low || d.To > high) && !paused {
			t.Fatalf("%d is outside %d to %d: %s", d.To, low, high, d.Reason)
		}
		if w.state.Encode() != before {
			t.Fatal("the state that was given has changed")
		}
		if ask.Alert && d.To != d.From { // a second notice at once is not a second step, where there is a cooldown
			after := st.Applied(w.now, d)
			in := w.input
			in.Replicas = d.To
			again, _ := w.policy.Answer(w.now, in, after, policy.Ask{Step: -1, Alert: true})
			if w.policy.CooldownDown > 0 && again.To < again.From && again.To >= low && !w.state.Paused.Frozen {
				t.Fatalf("%s, then %s", d.Reason, again.Reason)
			}
		}
	})
}

// Two scalers whose clocks differ order their states by the serial.
func TestLaterStateIsTheOneWithTheHigherSerial(t *testing.T) {
	ahead, behind := epoch.Add(time.Hour), epoch
	first := policy.State{}.Applied(ahead, policy.Decision{From: 3, To: 5})
	second := first.Applied(behind, policy.Decision{From: 5, To: 4})
	if got := first.Joined(second); got.Decided != 4 || got.Serial != 2 {
		t.Errorf("the one that is behind knows %+v", got)
	}
	if diff := cmp.Diff(second, second.Joined(first), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("an older state is taken over:\n%s", diff)
	}
	paused := second.Pausing(policy.Paused{Pause: policy.Pause{In: true}, Until: epoch.Add(time.Minute)})
	if got := second.Joined(paused); !got.Paused.In || got.Decided != 4 {
		t.Errorf("a pause of the other scaler is not known: %+v", got)
	}
}

func TestPauseOfTheAPISurvivesItsLabelAndEnds(t *testing.T) {
	for _, p := range []policy.Pause{{In: true}, {Out: true}, {In: true, Out: true}, {Frozen: true, Replicas: 7}} {
		for _, until := range []time.Time{{}, epoch.Add(time.Minute)} {
			st := policy.State{}.Pausing(policy.Paused{Pause: p, Until: until})
			back, err := policy.DecodeState(st.Encode())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(st.Paused, back.Paused); diff != "" {
				t.Errorf("%s: %s", st.Encode(), diff)
			}
		}
	}
	w := newWorld(t, map[string]string{"com.df.scale.max": "10", "com.df.scale.target": "100"}, 3)
	w.state = w.state.Pausing(policy.Paused{Pause: policy.Pause{Frozen: true, Replicas: 50}, Until: epoch.Add(10 * time.Second)})
	w.load["sessions"] = 450
	if d := w.second(); d.To != 10 || d.Reason != "sessions 450 over 3 replicas is 150 each, target 100: want 5, but paused at 10 over the API for another 9s: scale to 10" {
		t.Errorf("a pause beyond the bounds: %s", d.Reason)
	}
	for range 8 {
		if d := w.second(); d.To != 10 {
			t.Errorf("%s", d.Reason)
		}
	}
	w.second()
	if !w.state.Paused.IsZero() {
		t.Errorf("the pause has not ended: %+v", w.state.Paused)
	}
}
