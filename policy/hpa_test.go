package policy_test

import (
	"testing"
	"time"

	"sluice/policy"
)

// The worked examples of the Kubernetes documentation, "Horizontal Pod Autoscaling": algorithm details.
func TestExamplesOfTheHorizontalPodAutoscaler(t *testing.T) {
	tests := []struct {
		name            string
		current         int
		value, target   float64
		targetType      string
		want            int
		rateUp, changed string
	}{
		{"200m against 100m doubles", 1, 200, 100, "value", 2, "", ""},
		{"50m against 100m halves", 4, 50, 100, "value", 2, "", ""},
		{"a ratio within the tolerance of 0.1 does nothing", 10, 109, 100, "value", 10, "", ""},
		{"a ratio just outside it does", 10, 111, 100, "value", 12, "", ""},
		{"an average value divides the sum", 3, 412, 100, "perReplica", 5, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, map[string]string{
				"com.df.scale.max": "100", "com.df.scale.target": number(tt.target), "com.df.scale.targetType": tt.targetType,
				"com.df.scale.stabilizeDown": "0s", "com.df.scale.panicWindow": "0s", "com.df.scale.tolerance": "0.1",
			}, tt.current)
			w.load["sessions"] = tt.value
			if d := w.second(); d.To != tt.want {
				t.Errorf("%d, want %d: %s", d.To, tt.want, d.Reason)
			}
		})
	}
}

// "Scaling policies": 80 replicas that should become 10, at most 4 pods or 10 % a minute, whichever is more.
func TestScaleDownPolicyOfTheHorizontalPodAutoscaler(t *testing.T) {
	w := newWorld(t, map[string]string{
		"com.df.scale.max": "100", "com.df.scale.target": "10", "com.df.scale.rateDown": "4/1m,10%/1m",
		"com.df.scale.stabilizeDown": "0s", "com.df.scale.cooldownDown": "0s", "com.df.scale.warmup": "0s",
	}, 80)
	w.load["sessions"] = 100
	var got []int
	for range 11 * 60 {
		if d := w.second(); d.From != d.To {
			got = append(got, d.To)
		}
	}
	// 10 % of 80 is 8; 10 % of 72 is 7.2, rounded up to 8; from 40 on the 4 pods are more than 10 %.
	want := []int{72, 64, 57, 51, 45, 40, 36, 32, 28, 24, 20}
	if len(got) != len(want) {
		t.Fatalf("steps %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("steps %v, want %v", got, want)
		}
	}
}

// "Example: scale up as fast as possible": 900 % a minute goes 1, 10, 100, 1000.
func TestScaleUpPolicyOfTheHorizontalPodAutoscaler(t *testing.T) {
	w := newWorld(t, map[string]string{
		"com.df.scale.max": "1000", "com.df.scale.target": "1", "com.df.scale.rateUp": "900%/1m",
	}, 1)
	w.load["sessions"] = 5000
	steps := map[time.Duration]int{0: 10, time.Minute: 100, 2 * time.Minute: 1000}
	for at := time.Duration(0); at < 3*time.Minute; at += time.Second {
		if d := w.second(); d.From != d.To && d.To != steps[at] {
			t.Fatalf("at %s %d, want %v", at, d.To, steps)
		}
	}
	if w.input.Replicas != 1000 {
		t.Errorf("%d replicas, want 1000", w.input.Replicas)
	}
}

func TestDisabledRateForbidsADirection(t *testing.T) {
	w := newWorld(t, map[string]string{
		"com.df.scale.max": "10", "com.df.scale.target": "10", "com.df.scale.rateDown": "disabled", "com.df.scale.stabilizeDown": "0s",
	}, 5)
	w.load["sessions"] = 10
	if d := w.second(); d.To != 5 || d.Verdict != policy.Hold {
		t.Errorf("%s to %d: %s", d.Verdict, d.To, d.Reason)
	}
}
