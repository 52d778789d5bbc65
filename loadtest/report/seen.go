package report

import "sluice/loadtest/result"

// meanReplicas is the mean of the running replicas of all services while the load lasted, over the seconds in which they are known.
func meanReplicas(r result.Result) (float64, bool) {
	var sum float64
	known := false
	for _, s := range r.Services {
		var running, seconds int
		for i, n := range s.Running {
			if n != nil && float64(i) < r.LoadSeconds {
				running, seconds = running+*n, seconds+1
			}
		}
		if seconds > 0 {
			sum, known = sum+float64(running)/float64(seconds), true
		}
	}
	return sum, known
}

func mostReplicas(r result.Result) (float64, bool) {
	var highest int
	known := false
	for _, s := range r.Services {
		for _, n := range s.Running {
			if n != nil {
				highest, known = max(highest, *n), true
			}
		}
	}
	return float64(highest), known
}

// decisions counts those that changed replicas. They are known when replicas are.
func decisions(r result.Result) (int, bool) {
	changes := 0
	for _, d := range r.Changes {
		if d.From != d.To {
			changes++
		}
	}
	_, known := mostReplicas(r)
	return changes, known
}

func reloads(r result.Result) float64 {
	n := 0
	for _, p := range r.Proxies {
		n += len(p.Reloads)
	}
	return float64(n)
}

func lostHeld(r result.Result) (float64, bool) {
	n := 0
	for _, h := range r.Holders {
		n += h.Lost + h.Refused
	}
	return float64(n), len(r.Holders) > 0
}
