package result

import (
	"fmt"
	"math"

	"sluice/loadtest/observe"
	"sluice/loadtest/scenario"
)

// Answer is a number that was read from the service before and after the load. Nil could not be read.
type Answer struct {
	URL    string   `json:"url"`
	Field  string   `json:"field,omitempty"`
	Before *float64 `json:"before"`
	After  *float64 `json:"after"`
	Err    string   `json:"error,omitempty"` // why one is not known
}

// judgeAnswer compares what the service counted with what the client did.
func judgeAnswer(e scenario.Expectation, r Result) (bool, string) {
	a, known := answerOf(e, r)
	switch {
	case !known:
		return false, "it was not asked"
	case a.After == nil, e.Subject == "growth" && a.Before == nil:
		return false, "it was not answered: " + a.Err
	}
	seen, saw := *a.After, fmt.Sprintf("the answer was %g", *a.After)
	if e.Subject == "growth" {
		seen, saw = *a.After-*a.Before, fmt.Sprintf("it grew by %g, from %g to %g", *a.After-*a.Before, *a.Before, *a.After)
	}
	if e.Than == "" {
		return e.Holds(seen), saw
	}
	count := counted(e, r)
	e.Value = float64(count)
	return e.Holds(seen), fmt.Sprintf("%s; %d requests %s", saw, count, e.Than)
}

func answerOf(e scenario.Expectation, r Result) (Answer, bool) {
	for _, a := range r.Answers {
		if a.URL == e.URL && a.Field == e.Field {
			return a, true
		}
	}
	return Answer{}, false
}

// counted is the number of requests that the expectation compares with.
func counted(e scenario.Expectation, r Result) int {
	sent, succeeded := r.Total.Sent, r.Total.OK
	for _, t := range r.Targets {
		if e.Target != "" && t.Name == e.Target {
			sent, succeeded = t.Sent, t.OK
		}
	}
	if e.Than == "sent" {
		return sent
	}
	return succeeded
}

// reloads counts those of all proxies between the first and the last look at each; nil when none was seen. A proxy that is started anew counts from
// zero again: what it had counted before stays counted.
func reloads(t observe.Timeline) *int {
	var sum *int
	for _, p := range t.Proxies {
		var last *observe.Workers
		for _, w := range p.Workers {
			if w == nil {
				continue
			}
			if sum == nil {
				sum = new(int)
			}
			switch {
			case last == nil:
			case w.Reloads >= last.Reloads:
				*sum += w.Reloads - last.Reloads
			default:
				*sum += w.Reloads
			}
			last = w
		}
	}
	return sum
}

func judgeReloads(e scenario.Expectation, r Result) (bool, string) {
	if r.Reloads == nil {
		return false, "the reloads of the proxy could not be read"
	}
	if *r.Reloads == 1 {
		return e.Holds(1), "1 reload"
	}
	return e.Holds(float64(*r.Reloads)), fmt.Sprintf("%d reloads", *r.Reloads)
}

func judgeStatus(e scenario.Expectation, t Tally) (bool, string) {
	n := t.Status[e.Code]
	if e.Unit == scenario.Share {
		share := float64(n) / float64(t.Asked)
		return e.Holds(share), fmt.Sprintf("%d of %d requests were answered %d, %s", n, t.Asked, e.Code, percent(share))
	}
	return e.Holds(float64(n)), fmt.Sprintf("%d of %d requests were answered %d", n, t.Asked, e.Code)
}

// window is the seconds of the named phase, or of the whole run for "".
func window(phase string, r Result) (from, to int) {
	for _, p := range r.Phases {
		if p.Name == phase {
			return min(int(p.From), len(r.Seconds)), min(int(math.Ceil(p.To)), len(r.Seconds))
		}
	}
	return 0, len(r.Seconds)
}
