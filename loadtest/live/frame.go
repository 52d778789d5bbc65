// Package live shows a run while it goes on: a block that redraws itself on a terminal, a plain line a second elsewhere.
//
//	once a second: Frame ─> View.Show ─> block or line;   a decision of the scaler: View.Say, a line that stays
//
// What is drawn is a function of the frames, so it is tested as text.
package live

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"sluice/loadtest/observe"
	"sluice/loadtest/result"
)

// Frame is one second of a run.
type Frame struct {
	Elapsed     time.Duration
	Load        time.Duration // length of the load; after it the run only looks on
	Left        time.Duration // at most
	Phase       string        // "" after the load
	Asked       float64       // requests per second
	Latest      result.Latest
	Connections *float64
	Queue       *float64
	Workers     *observe.Workers
	Replicas    *observe.Replicas
	Word        string // the scaler's latest sentence
}

// Line is the frame in one line, for logs.
func (f Frame) Line() string {
	phase := f.Phase
	if phase == "" {
		phase = "after"
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%4.0fs  %-12s asked %5.0f/s  ok %5d/s  failed %d", f.Elapsed.Seconds(), phase, f.Asked, f.Latest.OK, f.Latest.Total.Failed)
	if f.Latest.Known {
		fmt.Fprintf(&out, "  p50 %s  p99 %s", result.Milliseconds(f.Latest.P50), result.Milliseconds(f.Latest.P99))
	}
	if f.Connections != nil {
		fmt.Fprintf(&out, "  connections %.1f", *f.Connections)
	}
	if f.Replicas != nil {
		fmt.Fprintf(&out, "  replicas %d of %d", f.Replicas.Running, f.Replicas.Desired)
	}
	return out.String()
}

// Sentence is a decision in one line.
func Sentence(at time.Duration, d observe.Decision) string {
	what := fmt.Sprintf("stays at %d", d.To)
	if d.Changes() {
		what = fmt.Sprintf("%d → %d", d.From, d.To)
	}
	return fmt.Sprintf("%4.0fs  scaler       %s: %s", at.Seconds(), what, d.Reason)
}

// clock writes a duration as minutes and seconds: 1:05.
func clock(d time.Duration) string {
	seconds := int(d.Round(time.Second) / time.Second)
	return fmt.Sprintf("%d:%02d", seconds/60, seconds%60)
}

// thousands writes 12345 as 12,345.
func thousands(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
