package policy_test

import (
	"slices"
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

// "If multiple metrics are specified …, the largest of the desired replica counts is chosen. If any of these metrics
// cannot be converted … and a scale down is suggested by the metrics which can be fetched, scaling is skipped", but it
// is "still capable of scaling up".
func TestSeveralMetricsOfTheHorizontalPodAutoscaler(t *testing.T) {
	tests := []struct {
		name            string
		sessions, queue float64 // queue below 0: it cannot be fetched
		want            int
	}{
		{"the largest is chosen", 300, 70, 7},
		{"whichever it is", 800, 70, 8},
		{"without one of them nothing goes down", 100, -1, 5},
		{"but up", 800, -1, 8},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, map[string]string{
				"com.df.scale.max": "100", "com.df.scale.target.1": "100", "com.df.scale.target.2": "10", "com.df.scale.metric.2": "queue",
				"com.df.scale.stabilizeDown": "0s", "com.df.scale.panicWindow": "0s",
			}, 5)
			if w.load["sessions"] = tt.sessions; tt.queue >= 0 {
				w.load["queue"] = tt.queue
			}
			if d := w.second(); d.To != tt.want {
				t.Errorf("%d, want %d: %s", d.To, tt.want, d.Reason)
			}
		})
	}
}

// "Example: limit scale down rate": 10 % a minute, and at most 5 pods a minute, whichever is fewer (selectPolicy Min).
func TestSelectMinOfTheHorizontalPodAutoscaler(t *testing.T) {
	w := newWorld(t, map[string]string{
		"com.df.scale.max": "100", "com.df.scale.target": "10", "com.df.scale.rateDown": "5/1m,10%/1m", "com.df.scale.rateDownSelect": "min",
		"com.df.scale.stabilizeDown": "0s", "com.df.scale.cooldownDown": "0s", "com.df.scale.warmup": "0s",
	}, 80)
	w.load["sessions"] = 100
	var got []int
	for range 8 * 60 {
		if d := w.second(); d.From != d.To {
			got = append(got, d.To)
		}
	}
	// 10 % of 50 are 5 pods; below, 10 % are fewer, rounded up to whole pods.
	if want := []int{75, 70, 65, 60, 55, 50, 45, 40}; !slices.Equal(got, want) {
		t.Errorf("steps %v, want %v", got, want)
	}
}
