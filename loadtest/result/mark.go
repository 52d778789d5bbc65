package result

import (
	"cmp"
	"fmt"
	"time"
)

// Mark is one event of the scenario, or anything else that happened at a moment and explains what follows it.
type Mark struct {
	At      float64 `json:"at"`   // second in which it began
	Took    float64 `json:"took"` // seconds; 0 when it took none or has not ended
	Name    string  `json:"name"` // for people: "kill a task of app"
	Kind    string  `json:"kind"` // update, scale, kill, reload …
	Outcome string  `json:"outcome,omitempty"`
	Err     string  `json:"error,omitempty"` // why it did not succeed; "" when it did

	Optional bool `json:"optional,omitempty"` // the run does not fail when it does not succeed
	Line     int  `json:"line,omitempty"`     // in the scenario

	Repeats string `json:"repeats,omitempty"` // the event that this is one time of; "" when it happens once
}

// failedMarks gives a verdict for every event that had to succeed and did not; one for all times that an event has.
func failedMarks(marks []Mark) []Verdict {
	var out []Verdict
	failed, of := map[Mark]int{}, map[Mark]int{}
	for _, m := range marks {
		event := Mark{Name: cmp.Or(m.Repeats, m.Name), Line: m.Line}
		of[event]++
		if m.Err != "" && !m.Optional {
			failed[event]++
		}
	}
	for _, m := range marks {
		event := Mark{Name: cmp.Or(m.Repeats, m.Name), Line: m.Line}
		n := failed[event]
		if m.Err == "" || m.Optional || n == 0 {
			continue
		}
		saw := m.Err
		if m.Repeats != "" {
			saw = fmt.Sprintf("%d of %d times; the first: %s", n, of[event], saw)
		}
		out = append(out, Verdict{Expect: "event: " + event.Name, Line: m.Line, Saw: saw})
		delete(failed, event)
	}
	return out
}

// AddMark notes an event. An event that takes a while is added once, when it has ended.
func (r *Recorder) AddMark(m Mark) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.marks = append(r.marks, m)
}

// Hold is what happened to a held connection.
type Hold string

// A connection is Opened or Refused; then it answers a sign of life any number of times (Echoed) until it is Lost or Closed.
const (
	Opened  Hold = "opened"
	Refused Hold = "refused" // could not be opened
	Echoed  Hold = "echoed"
	Lost    Hold = "lost"   // ended, and the client did not want it to
	Closed  Hold = "closed" // by the client, as planned
)

// Held is one thing that happened to one held connection.
type Held struct {
	At     time.Duration // from the start of the run
	Target string        // its URL
	What   Hold
	Took   time.Duration // of opening or of the echo
	Again  bool          // of Opened: in place of one that was lost or refused
	Err    error         // of Refused and Lost
}

// RecordHeld takes what happened to a held connection. It may be called from many goroutines.
func (r *Recorder) RecordHeld(h Held) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.holding.record(h, r.second(h.At))
}
