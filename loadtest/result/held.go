package result

import (
	"fmt"

	"sluice/loadtest/scenario"
)

// judgeHeld adds up the held connections of all targets.
func judgeHeld(e scenario.Expectation, r Result) (bool, string) {
	var opened, lost int
	var worst float64
	for _, h := range r.Holders {
		opened, lost, worst = opened+h.Opened, lost+h.Lost+h.Refused, max(worst, h.Echo.P99)
	}
	if opened+lost == 0 {
		return false, "no connection was held"
	}
	from, to := window(e.Phase, r)
	switch e.Subject {
	case "held lost":
		if e.Phase != "" {
			lost = 0
			for _, s := range r.Seconds[from:to] {
				lost += s.Lost
			}
		}
		return opened > 0 && e.Holds(float64(lost)), fmt.Sprintf("%d lost or refused, %d opened", lost, opened)
	case "held open":
		most := 0
		for _, s := range r.Seconds[from:to] {
			if s.Held != nil {
				most = max(most, *s.Held)
			}
		}
		return e.Holds(float64(most)), fmt.Sprintf("at most %d open", most)
	default:
		return worst > 0 && e.Holds(worst), fmt.Sprintf("p99 of the echoes was %s", Milliseconds(worst))
	}
}
