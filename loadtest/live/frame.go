// Package live shows a run while it goes on: a block that redraws itself on a terminal, a plain line a second elsewhere.
//
//	once a second: Frame ─> View.Show ─> block or line;   decisions, reloads, events: Word ─> View.Say, a line that stays
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
	Users       int           // of a closed loop, which asks for no rate; 0 is none
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
	asked := fmt.Sprintf("asked %5.0f/s", f.Asked)
	if f.Users > 0 {
		asked = fmt.Sprintf("%7d users", f.Users)
	}
	fmt.Fprintf(&out, "%4.0fs  %-12s %s  ok %5d/s  failed %d", f.Elapsed.Seconds(), phase, asked, f.Latest.OK, f.Latest.Total.Failed)
	if f.Latest.Known {
		fmt.Fprintf(&out, "  p50 %s  p99 %s", result.Milliseconds(f.Latest.P50), result.Milliseconds(f.Latest.P99))
	}
	if f.Latest.Holding {
		fmt.Fprintf(&out, "  held %d, %d lost", f.Latest.Held, f.Latest.Lost)
	}
	if f.Connections != nil {
		fmt.Fprintf(&out, "  connections %.1f", *f.Connections)
	}
	if f.Queue != nil && *f.Queue > 0 {
		fmt.Fprintf(&out, "  queue %.0f", *f.Queue)
	}
	if f.Replicas != nil {
		fmt.Fprintf(&out, "  replicas %d of %d", f.Replicas.Running, f.Replicas.Desired)
	}
	if f.Workers != nil && f.Workers.Draining > 0 {
		fmt.Fprintf(&out, "  workers draining %d", f.Workers.Draining)
	}
	return out.String()
}

// Word is something that happened and stays on the screen.
type Word struct {
	At   time.Duration
	From string // who says it: scaler, proxy, event
	Text string
	Tone Tone
}

// Tone says how a word is meant.
type Tone int

const (
	Quiet Tone = iota // told in logs only: on a terminal the block shows it for as long as it lasts
	News
	Bad
)

// Line is the word in one line.
func (w Word) Line() string { return fmt.Sprintf("%4.0fs  %-12s %s", w.At.Seconds(), w.From, w.Text) }

// Decision is what the scaler says. One that changes nothing is quiet.
func Decision(at time.Duration, d observe.Decision) Word {
	if d.Changes() {
		return Word{at, "scaler", fmt.Sprintf("%d → %d: %s", d.From, d.To, d.Reason), News}
	}
	return Word{at, "scaler", fmt.Sprintf("stays at %d: %s", d.To, d.Reason), Quiet}
}

// Reload is what the proxy says.
func Reload(at time.Duration, r observe.Reload) Word {
	return Word{at, "proxy", "reload: " + r.Reason, News}
}

// Silence is that a source could not be read, from its first second on.
func Silence(g observe.Gap) Word {
	return Word{time.Duration(g.From) * time.Second, "observe", g.Source + " is silent: " + g.Reason, Bad}
}

// Event is what became of an event of the scenario.
func Event(m result.Mark) Word {
	w := Word{time.Duration(m.At * float64(time.Second)), "event", m.Name, News}
	switch {
	case m.Err != "":
		w.Text, w.Tone = m.Name+" failed: "+m.Err, Bad
	case m.Outcome != "":
		w.Text += ": " + m.Outcome
	}
	return w
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
