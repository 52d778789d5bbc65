package report

import (
	"fmt"
	"strconv"
	"strings"

	"sluice/loadtest/result"
)

// Summary is the end of a run on a terminal: one sentence, what the reader must know, and each expectation.
func Summary(r result.Result) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s: %s\n", r.Scenario, Sentence(r))
	for _, n := range r.Notes {
		fmt.Fprintf(&out, "  note    %s\n", n)
	}
	for _, f := range r.Failures {
		fmt.Fprintf(&out, "  failed  %d × %s", f.Count, f.Kind)
		if len(f.Samples) > 0 {
			fmt.Fprintf(&out, ", first at %.1f s: %s", f.Samples[0].At, f.Samples[0].Text)
		}
		out.WriteString("\n")
	}
	for _, v := range r.Verdicts {
		mark := "ok    "
		if !v.Passed {
			mark = "FAILED"
		}
		fmt.Fprintf(&out, "  %s  %-34s %s\n", mark, v.Expect, v.Saw)
	}
	return out.String()
}

// Sentence tells a run in one sentence.
func Sentence(r result.Result) string {
	t := r.Total
	parts := []string{fmt.Sprintf("%s requests, %s", thousands(t.Sent), failed(t))}
	if t.OK+t.Failed > 0 {
		parts = append(parts, fmt.Sprintf("p50 %s and p99 %s from when they were due",
			result.Milliseconds(t.Latency.P50), result.Milliseconds(t.Latency.P99)))
	}
	if path := replicaPath(r); path != "" {
		parts = append(parts, "replicas "+path)
	}
	return strings.Join(parts, "; ")
}

func failed(t result.Tally) string {
	if t.Failed == 0 {
		return "none failed"
	}
	return thousands(t.Failed) + " failed"
}

// replicaPath is the first, the highest and the last number of running replicas: 1 → 6 → 1. It is empty when none was seen.
func replicaPath(r result.Result) string {
	var path []int
	highest := 0
	for _, s := range r.Seconds {
		if s.Running != nil {
			path, highest = append(path, *s.Running), max(highest, *s.Running)
		}
	}
	if len(path) == 0 {
		return ""
	}
	first, last := path[0], path[len(path)-1]
	words := []string{strconv.Itoa(first)}
	if highest != first && highest != last {
		words = append(words, strconv.Itoa(highest))
	}
	if last != first || len(words) > 1 {
		words = append(words, strconv.Itoa(last))
	}
	return strings.Join(words, " → ")
}

func thousands(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
