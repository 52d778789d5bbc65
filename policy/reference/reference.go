// Package reference holds the rules of other scalers, written anew from what their documentation says, to be simulated
// beside a policy on the same trace: the same metric, the same target, their own defaults for everything else.
package reference

import "sluice/policy/simulation"

// Metric picks the load that a scaler looks at: sessions, or requests where the trace counts them and that is asked for.
type Metric func(m simulation.Moment) []float64

// Sessions looks at the open sessions, those that wait among them.
func Sessions(m simulation.Moment) []float64 { return m.Sessions }

// Requests looks at the arrivals of a second.
func Requests(m simulation.Moment) []float64 { return m.Requests }

// mean is the mean of the newest values.
func mean(values []float64, newest int) float64 {
	values = values[max(0, len(values)-newest):]
	if len(values) == 0 {
		return 0
	}
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}
