// Package observe looks once a second at what the load does to a swarm: replicas, connections, decisions.
//
//	Source.Look ─Reading─> Watcher ─by second─> Timeline
//
// Looking is never in the way of the load: a source that fails leaves a gap in its series, and the gap is said in the report.
package observe

import (
	"context"
	"time"
)

// Source is one place to look at.
type Source interface {
	Name() string
	Look(ctx context.Context) (Reading, error)
}

// Reading is what one look gave. What a source does not know stays nil.
type Reading struct {
	Replicas  *Replicas
	Loads     []Load
	Decisions []Decision
}

// Replicas of a service: wanted by its spec, and running by its tasks.
type Replicas struct {
	Desired int `json:"desired"`
	Running int `json:"running"`
}

// Load is the load on a service's backends at one moment.
type Load struct {
	At          time.Time
	Connections float64  // concurrent, mean over the sample
	Queue       *float64 // requests waiting in the proxy; nil when not known
}

// Decision is one thing the scaler decided, in its own sentence.
type Decision struct {
	At      time.Time
	From    int
	To      int
	Verdict string
	Reason  string
}

// Changes says whether the decision changed the number of replicas.
func (d Decision) Changes() bool { return d.From != d.To }

// Moment is what was seen in one second of the run. Nil is a gap.
type Moment struct {
	Replicas    *Replicas
	Connections *float64
	Queue       *float64
}

// Gap is a stretch of seconds in which a source could not be read.
type Gap struct {
	Source string `json:"source"`
	From   int    `json:"from"` // seconds of the run, both inclusive
	To     int    `json:"to"`
	Reason string `json:"reason"`
}
