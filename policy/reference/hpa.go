package reference

import (
	"math"

	"sluice/policy/simulation"
)

// HPA is the HorizontalPodAutoscaler of Kubernetes with a Pods metric and the default behaviour, after "Horizontal Pod
// Autoscaling" of the Kubernetes documentation ("Algorithm details", "Default behavior"): a loop every 15 s, a tolerance
// of 0.1, pods that are not ready count as carrying nothing when it scales up, up by 4 pods or 100 % in 15 s, whichever
// is more, down to the highest recommendation of 300 s. The metric is the mean of the last 15 s, without the delay that
// a metrics pipeline has.
type HPA struct {
	Target float64 // of one pod
	Metric Metric

	wanted []int // recommendations of the last 300 s, one every 15 s
	steps  []step
}

type step struct{ second, by int }

const (
	hpaPeriod        = 15
	hpaStabilization = 300
	hpaTolerance     = 0.1
)

// Name is "HPA".
func (h *HPA) Name() string { return "HPA" }

// Decide is one round of the loop.
func (h *HPA) Decide(m simulation.Moment) int {
	if m.Second%hpaPeriod != 0 {
		return m.Desired
	}
	want := h.recommend(mean(h.Metric(m), hpaPeriod), m.Desired, m.Ready())
	h.wanted = append(h.wanted, want)
	if n := hpaStabilization / hpaPeriod; len(h.wanted) > n {
		h.wanted = h.wanted[1:]
	}
	if want < m.Desired {
		for _, w := range h.wanted {
			want = max(want, w)
		}
		return h.did(m, min(want, m.Desired))
	}
	began := m.Desired // pods when the period began
	for _, s := range h.steps {
		if m.Second-s.second < hpaPeriod {
			began -= s.by
		}
	}
	return h.did(m, min(want, max(began+4, 2*began)))
}

func (h *HPA) did(m simulation.Moment, to int) int {
	if to != m.Desired {
		h.steps = append(h.steps[:0], step{m.Second, to - m.Desired})
	}
	return to
}

// recommend is the ratio of the metric's mean over the ready pods to the target, times the pods.
func (h *HPA) recommend(total float64, desired, ready int) int {
	if ready == 0 {
		return desired
	}
	ratio := total / float64(ready) / h.Target
	near := func(r float64) bool { return math.Abs(r-1) <= hpaTolerance }
	switch {
	case near(ratio):
		return desired
	case ratio < 1 || ready == desired:
		return max(1, int(math.Ceil(ratio*float64(ready)-1e-9)))
	}
	if ratio = total / float64(desired) / h.Target; ratio <= 1 || near(ratio) {
		return desired
	}
	return int(math.Ceil(ratio*float64(desired) - 1e-9))
}
