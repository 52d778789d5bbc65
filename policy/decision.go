package policy

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Input is what is known of a service at the time of an evaluation.
type Input struct {
	Replicas   int  // desired
	Replicated bool // false for global services and jobs, which are refused
	Updating   bool // an update or rollback of the service is in progress
	Tasks      []Task
	Series     []Series // of this service, in a stable order
	Trouble    string   // why nothing newer is measured ("InfluxDB does not answer"); "" when all is well
	// Failures say of a rule's Source why it in particular cannot be measured. What is measured all the same is used.
	Failures map[string]string
	// Partial says of a Source what of it is not measured ("proxy 10.0.0.7:8080 does not answer"): what is measured may
	// be too little, so nothing goes down on it.
	Partial map[string]string
}

// Task is one task that is to run.
type Task struct {
	Running bool      // false: on its way there
	Since   time.Time // of that state
}

// warm counts the running tasks that are at least that old.
func (in Input) warm(now time.Time, age time.Duration) int {
	n := 0
	for _, t := range in.Tasks {
		if t.Running && now.Sub(t.Since) >= age {
			n++
		}
	}
	return n
}

// Verdict is the decision in a word.
type Verdict string

// The verdicts. Steady: nothing else was wanted. Hold: something else was wanted, or nothing is known.
const (
	Up      Verdict = "up"
	Down    Verdict = "down"
	Steady  Verdict = "steady"
	Hold    Verdict = "hold"
	Off     Verdict = "off"     // enabled=false
	Refused Verdict = "refused" // cannot be scaled at all
)

// Decision is the result of one evaluation. Nothing is to be done when From equals To.
type Decision struct {
	Service  string
	At       time.Time
	From, To int
	Want     int // what the rules ask for, before any limit
	Verdict  Verdict
	Reason   string // one sentence with numbers
	Held     string // the last step but tolerance that changed what was wanted; "" for none
	Rules    []Observation
	Steps    []Step // every step of the pipeline in its order
}

// Step is what one step of the pipeline made of the number before it.
type Step struct {
	Name     string
	From, To int
	Why      string // "" when it changed nothing
}

// News tells whether the decision says something that the one before did not. Numbers that only wander are no news.
func (d Decision) News(before Decision) bool {
	return d.From != before.From || d.To != before.To || d.Verdict != before.Verdict || d.Held != before.Held
}

// reason finishes the sentence: `want 12, but rateUp 4/15s allows 7: scale to 7`.
func (d Decision) reason(lead string) string {
	var limits []string
	for _, s := range d.Steps {
		if s.Why != "" {
			limits = append(limits, s.Why)
		}
	}
	if len(limits) == 0 && d.Verdict != Hold {
		return lead
	}
	if len(limits) > 0 {
		lead += ", but " + strings.Join(limits, " and ")
	}
	if d.To == d.From {
		return fmt.Sprintf("%s: hold at %d", lead, d.To)
	}
	return fmt.Sprintf("%s: scale to %d", lead, d.To)
}

// number prints a value with as many digits as a reader wants.
func number(v float64) string {
	unit := 100.0 // hundredths below 10, tenths below 100
	switch a := math.Abs(v); {
	case a >= 100:
		unit = 1
	case a >= 10:
		unit = 10
	}
	return strconv.FormatFloat(math.Round(v*unit)/unit, 'f', -1, 64)
}

// span prints a duration in whole seconds above a second: 3m, 1m30s, 7s.
func span(d time.Duration) string {
	unit := time.Second
	if d < time.Second {
		unit = 100 * time.Millisecond
	}
	s := d.Round(unit).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
