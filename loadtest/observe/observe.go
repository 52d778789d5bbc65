// Package observe looks once a second at what the load does to a swarm: replicas, connections, workers, decisions.
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

// Reading is what one look gave. What a source does not know is left out.
type Reading struct {
	Replicas  map[string]Replicas // by service, now
	Policies  map[string]Policy   // by service
	Loads     []Load
	Workers   []Workers
	Reloads   []Reload
	Decisions []Decision
}

// Replicas of a service: wanted by its spec, and its tasks by what they do.
type Replicas struct {
	Desired int
	Running int
	Waiting *int // tasks that are to run and do not yet; nil where only the swarm knows
}

// Policy is what is known of a service's rules for scaling.
type Policy struct {
	Min     int      `json:"min"`
	Max     int      `json:"max"`
	Targets []Target `json:"targets,omitempty"`
}

// Target is what one rule aims at, per replica.
type Target struct {
	Metric string  `json:"metric"`
	Value  float64 `json:"value"`
}

// Load is the load on one backend at one moment. What is not known is nil.
type Load struct {
	Service     string
	Backend     string // "" is all of the service together
	Instance    string // the proxy that counted it; "" is all proxies together
	At          time.Time
	Connections *float64 // concurrent, mean over the sample
	Peak        *float64 // the highest reading of them
	Queue       *float64 // requests waiting in the proxy
	Rate        *float64 // requests per second that arrived
	Errors      *float64 // requests per second that the proxy or a server failed
}

// Workers are the workers of one proxy's HAProxy at one moment.
type Workers struct {
	Instance string
	At       time.Time
	All      int // draining ones included
	Draining int
	Reloads  int // since the proxy started
}

// Reload is one reload of one proxy's HAProxy.
type Reload struct {
	Instance string
	At       time.Time // of the first sample after it
	Reason   string
}

// Decision is one thing the scaler decided, in its own sentence.
type Decision struct {
	Service string
	At      time.Time
	From    int
	To      int
	Verdict string
	Reason  string
}

// Changes says whether the decision changed the number of replicas.
func (d Decision) Changes() bool { return d.From != d.To }

// Gap is a stretch of seconds in which a source could not be read.
type Gap struct {
	Source string `json:"source"`
	From   int    `json:"from"` // seconds of the run, both inclusive
	To     int    `json:"to"`
	Reason string `json:"reason"`
}
