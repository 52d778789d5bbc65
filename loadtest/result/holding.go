package result

import (
	"github.com/HdrHistogram/hdrhistogram-go"
)

// Holders is what became of the connections that were held open to one target.
type Holders struct {
	Target   string   `json:"target"`
	Opened   int      `json:"opened"`
	Again    int      `json:"again"`   // of Opened: in place of one that was lost or refused
	Refused  int      `json:"refused"` // could not be opened
	Lost     int      `json:"lost"`    // ended though the client did not want it
	Closed   int      `json:"closed"`  // by the client, as planned
	Most     int      `json:"most"`    // open at the same time
	Open     Latency  `json:"open"`    // time to open one
	Echo     Latency  `json:"echo"`    // time to a sign of life
	Failures []Sample `json:"failures"`
}

// holding gathers held connections while the run goes on.
type holding struct{ targets []*heldTarget }

type heldTarget struct {
	Holders
	now        int
	open, echo *hdrhistogram.Histogram
}

func (l *holding) record(h Held, s *second) {
	t := l.target(h.Target)
	switch h.What {
	case Opened:
		t.Opened++
		if h.Again {
			t.Again++
		}
		t.now++
		s.held++
		record(t.open, h.Took)
	case Echoed:
		record(t.echo, h.Took)
	case Closed:
		t.Closed++
		t.now--
		s.held--
	case Lost:
		t.Lost++
		t.now--
		s.held--
		s.lost++
	case Refused:
		t.Refused++
		s.lost++
	}
	t.Most = max(t.Most, t.now)
	if h.Err != nil && len(t.Failures) < samplesPerKind {
		t.Failures = append(t.Failures, Sample{At: h.At.Seconds(), Text: string(h.What) + ": " + h.Err.Error()})
	}
}

func (l *holding) target(name string) *heldTarget {
	for _, t := range l.targets {
		if t.Target == name {
			return t
		}
	}
	t := &heldTarget{Holders: Holders{Target: name, Failures: []Sample{}}, open: histogram(3), echo: histogram(3)}
	l.targets = append(l.targets, t)
	return t
}

func (l *holding) read() []Holders {
	var out []Holders
	for _, t := range l.targets {
		h := t.Holders
		h.Failures = append([]Sample{}, t.Failures...)
		h.Open, h.Echo = distribution(t.open), distribution(t.echo)
		out = append(out, h)
	}
	return out
}

// open is how many connections are held now, and how many were lost or refused until now.
func (l *holding) open() (open, lost int) {
	for _, t := range l.targets {
		open, lost = open+t.now, lost+t.Lost+t.Refused
	}
	return open, lost
}
