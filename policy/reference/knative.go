package reference

import (
	"math"

	"sluice/policy/simulation"
)

// Knative is the Knative Pod Autoscaler, after "Additional autoscaling configuration for Knative Pod Autoscaler" and
// "Configuring scale rates": a decision every 2 s, a stable window of 60 s and a panic window of 10 % of it; panic begins
// when the panic window asks for 200 % of the ready pods, lasts until that was not so for a stable window, and scales
// only up; at most 1000 times the ready pods upwards and half of them downwards at a time. Target is what a pod is to
// carry after the target utilization.
type Knative struct {
	Target float64
	Metric Metric

	panicked int // second of the last jump
	panic    bool
	most     int // pods wanted during the panic
}

const (
	knativeTick   = 2
	knativeStable = 60
	knativePanic  = 6
)

// Name is "Knative".
func (k *Knative) Name() string { return "Knative" }

// Decide is one tick.
func (k *Knative) Decide(m simulation.Moment) int {
	if m.Second%knativeTick != 0 {
		return m.Desired
	}
	ready := float64(max(1, m.Ready()))
	pods := func(window int) float64 { return math.Ceil(mean(k.Metric(m), window)/k.Target - 1e-9) }
	bounded := func(n float64) int { return int(min(max(n, math.Floor(ready/2)), 1000*ready)) }
	stable, short := pods(knativeStable), pods(knativePanic)
	switch jump := short/ready >= 2; {
	case jump:
		k.panic, k.panicked = true, m.Second
	case k.panic && m.Second-k.panicked > knativeStable:
		k.panic, k.most = false, 0
	}
	if !k.panic {
		return bounded(stable)
	}
	k.most = max(k.most, bounded(stable), bounded(short))
	return k.most
}
