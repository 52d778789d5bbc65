package result

import (
	"fmt"
	"math"
	"strconv"

	"sluice/loadtest/scenario"
)

// Judge compares a result with what was expected of it. What was not observed does not hold.
func Judge(expect []scenario.Expectation, r Result) []Verdict {
	var out []Verdict
	for _, e := range expect {
		v := Verdict{Expect: e.Text, Line: e.Line}
		switch e.Subject {
		case "replicas":
			v.Passed, v.Saw = judgeReplicas(e, r)
		case "final replicas":
			v.Passed, v.Saw = judgeFinal(e, r)
		case "answer", "growth":
			v.Passed, v.Saw = judgeAnswer(e, r)
		case "reloads":
			v.Passed, v.Saw = judgeReloads(e, r)
		case "held lost", "held open", "held p99":
			v.Passed, v.Saw = judgeHeld(e, r)
		default:
			v.Passed, v.Saw = judgeRequests(e, r)
		}
		out = append(out, v)
	}
	return out
}

func judgeRequests(e scenario.Expectation, r Result) (bool, string) {
	t := r.Total
	for _, p := range r.Phases {
		if p.Name == e.Phase {
			t = p.Tally
		}
	}
	if t.Asked == 0 {
		return false, "no request was asked for"
	}
	switch {
	case e.Subject == "status":
		return judgeStatus(e, t)
	case e.Latency():
		if t.OK+t.Failed == 0 {
			return false, "no request ended"
		}
		seen := t.Latency.value(e.Subject)
		return e.Holds(seen), fmt.Sprintf("%s was %s", e.Subject, Milliseconds(seen))
	case e.Subject == "sent":
		share := float64(t.Sent-t.Late) / float64(t.Asked)
		return e.Holds(share), fmt.Sprintf("%s of %d requests left within a second of their due time", percent(share), t.Asked)
	case e.Subject == "retries":
		return e.Holds(float64(t.Retries)), fmt.Sprintf("%d retries", t.Retries)
	case e.Unit == scenario.Share:
		share := float64(t.Failed) / float64(t.Asked)
		return e.Holds(share), fmt.Sprintf("%d of %d requests failed, %s", t.Failed, t.Asked, percent(share))
	default:
		return e.Holds(float64(t.Failed)), fmt.Sprintf("%d of %d requests failed", t.Failed, t.Asked)
	}
}

func (l Latency) value(name string) float64 {
	return map[string]float64{
		"mean": l.Mean, "p50": l.P50, "p90": l.P90, "p95": l.P95, "p99": l.P99, "p99.9": l.P999, "max": l.Max,
	}[name]
}

// judgeReplicas compares the highest number of running replicas in the expectation's window.
func judgeReplicas(e scenario.Expectation, r Result) (bool, string) {
	from, to := 0, len(r.Seconds)
	for _, p := range r.Phases {
		if p.Name == e.Phase {
			from, to = int(p.From), int(math.Ceil(p.To))
		}
	}
	if e.By > 0 {
		to = int(math.Ceil(e.By.Seconds()))
	}
	highest, at := -1, 0
	for i := from; i < min(to, len(r.Seconds)); i++ {
		if n := r.Seconds[i].Running; n != nil && *n > highest {
			highest, at = *n, i
		}
	}
	if highest < 0 {
		return false, "no replicas were observed"
	}
	return e.Holds(float64(highest)), fmt.Sprintf("at most %d, first in second %d", highest, at)
}

// judgeFinal wants running and desired replicas at the stated number once in the time after the load. The last second of the load
// counts too, for a service that is already there.
func judgeFinal(e scenario.Expectation, r Result) (bool, string) {
	end := int(r.LoadSeconds)
	last := -1
	for i := max(0, end-1); i < len(r.Seconds); i++ {
		s := r.Seconds[i]
		if s.Running == nil || s.Desired == nil || float64(i) > r.LoadSeconds+e.Within.Seconds() {
			continue
		}
		last = i
		if e.Holds(float64(*s.Running)) && e.Holds(float64(*s.Desired)) {
			return true, fmt.Sprintf("%d running, %d wanted, %d s after the load", *s.Running, *s.Desired, max(0, i-end))
		}
	}
	if last < 0 {
		return false, "no replicas were observed after the load"
	}
	return false, fmt.Sprintf("still %d running, %d wanted, %d s after the load", *r.Seconds[last].Running, *r.Seconds[last].Desired, max(0, last-end))
}

// Settled says whether no expectation needs to look on at seconds after the load has ended.
func Settled(expect []scenario.Expectation, r Result) bool {
	for _, e := range expect {
		judge := judgeFinal
		switch e.Subject {
		case "final replicas":
		case "answer", "growth":
			judge = judgeAnswer
		default:
			continue
		}
		if holds, _ := judge(e, r); !holds && float64(len(r.Seconds)) <= r.LoadSeconds+e.Within.Seconds() {
			return false
		}
	}
	return true
}

// Milliseconds writes a latency with three digits: 0.42 ms, 83 ms, 1.25 s.
func Milliseconds(v float64) string {
	if v >= 1000 {
		return digits(v/1000) + " s"
	}
	return digits(v) + " ms"
}

func digits(v float64) string {
	switch {
	case v >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	default:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
}

// percent never rounds up to all: 99.996 % is no 100 %.
func percent(share float64) string {
	return strconv.FormatFloat(math.Floor(share*10000)/100, 'f', -1, 64) + " %"
}
