package policy_test

import (
	"testing"
	"time"

	"sluice/policy"
)

// Knative's documentation, "Additional autoscaling configuration for Knative Pod Autoscaler" and "Configuring targets":
// the replicas are the concurrency divided by the target, of which a share (70 % by default) is to be used.
func TestExamplesOfTheKnativePodAutoscaler(t *testing.T) {
	tests := []struct {
		name, target string
		concurrency  float64
		want         int
	}{
		{"100 requests at a target of 10 used to 70 % are 15 pods", "7", 100, 15},
		{"50 requests at a target of 10 are 5 pods", "10", 50, 5},
		{"200 requests at a target of 100 used to 70 % are 3 pods", "70", 200, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, map[string]string{
				"com.df.scale.max": "50", "com.df.scale.target": tt.target, "com.df.scale.window": "1m",
				"com.df.scale.panicWindow": "6s", "com.df.scale.rateUp": "1000/1s",
			}, 1)
			w.load["sessions"] = tt.concurrency
			if d := w.second(); d.To != tt.want {
				t.Errorf("%d, want %d: %s", d.To, tt.want, d.Reason)
			}
		})
	}
}

// "Panic threshold": when the short window shows twice what the replicas carry, it decides, nothing is scaled down, and
// that ends when the threshold was not reached for a stable window.
func TestPanicModeOfTheKnativePodAutoscaler(t *testing.T) {
	w := newWorld(t, map[string]string{
		"com.df.scale.max": "50", "com.df.scale.target": "10", "com.df.scale.window": "1m", "com.df.scale.panicWindow": "6s",
		"com.df.scale.panicThreshold": "200%",
		"com.df.scale.stabilizeDown":  "0s", "com.df.scale.cooldownDown": "0s", "com.df.scale.warmup": "0s", "com.df.scale.rateUp": "1000/1s",
	}, 2)
	w.load["sessions"] = 20
	for range 60 {
		w.second()
	}
	w.load["sessions"] = 100
	var last policy.Decision
	for range 6 {
		last = w.second()
	}
	if last.To != 10 {
		t.Fatalf("after 6 s of five times the load: %d replicas, want 10: %s", last.To, last.Reason)
	}
	w.load["sessions"] = 20
	calm := time.Duration(0) // since the jump was last seen
	for w.input.Replicas == 10 && calm < 5*time.Minute {
		if last = w.second(); last.Rules[0].Panic {
			calm = 0
		} else {
			calm += time.Second
		}
	}
	if calm < time.Minute || calm > 70*time.Second {
		t.Errorf("scaled down %s after the panic, want a stable window of 1m: %s", calm, last.Reason)
	}
}
