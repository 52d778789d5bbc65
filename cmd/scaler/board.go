package main

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"sluice/internal/label"
	"sluice/policy"
)

// keptDecisions is how many decisions of a service the API shows.
const keptDecisions = 50

// status is what the API says about a service.
type status struct {
	Service   string          `json:"service"`
	Stack     string          `json:"stack,omitempty"`
	Current   int             `json:"current"` // desired replicas before the decision
	Desired   int             `json:"desired"` // and after it
	Wanted    int             `json:"wanted"`  // what the rules ask for, before any limit
	Running   int             `json:"running"` // tasks
	Min       int             `json:"min"`
	Max       int             `json:"max"`
	Metrics   []measured      `json:"metrics"`
	Verdict   policy.Verdict  `json:"verdict"`
	Reason    string          `json:"reason"`
	At        time.Time       `json:"at"`
	Problems  []label.Problem `json:"problems,omitempty"`
	Decisions []past          `json:"decisions"` // newest first
}

// measured is what one rule saw.
type measured struct {
	Metric         string  `json:"metric"` // "" for a rule that measures none
	Strategy       string  `json:"strategy"`
	Asleep         bool    `json:"asleep,omitempty"` // outside its schedule
	Rule           int     `json:"rule,omitempty"`
	Value          float64 `json:"value"`
	Target         float64 `json:"target"`
	Recommendation int     `json:"recommendation"`
	Missing        string  `json:"missing,omitempty"` // why there is no value
}

// past is a decision that was news.
type past struct {
	At      time.Time      `json:"at"`
	From    int            `json:"from"`
	To      int            `json:"to"`
	Verdict policy.Verdict `json:"verdict"`
	Reason  string         `json:"reason"`
}

// health is how the loop does.
type health struct {
	Ticked time.Time // end of the last tick
	Swarm  string    // why it does not answer; "" when it does
	Influx string
}

// board is what the loop writes and the API reads.
type board struct {
	mu       sync.Mutex
	services map[string]status
	health   health
}

func newBoard() *board { return &board{services: map[string]status{}} }

func (b *board) put(s *subject, d policy.Decision, news bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	next := status{
		Service: d.Service, Stack: s.service.Stack, Current: d.From, Desired: d.To, Wanted: d.Want, Running: s.running,
		Min: s.policy.Min, Max: s.policy.Max, Metrics: []measured{}, Verdict: d.Verdict, Reason: d.Reason, At: d.At,
		Problems: s.problems, Decisions: b.services[d.Service].Decisions,
	}
	for _, o := range d.Rules {
		next.Metrics = append(next.Metrics, measured{
			Metric: o.Metric, Strategy: o.Strategy, Asleep: o.Asleep, Rule: o.Rule, Value: o.Value, Target: o.Target, Recommendation: o.Want, Missing: o.Missing,
		})
	}
	if news {
		entry := past{At: d.At, From: d.From, To: d.To, Verdict: d.Verdict, Reason: d.Reason}
		older := next.Decisions[:min(len(next.Decisions), keptDecisions-1)]
		next.Decisions = append([]past{entry}, older...) // a new array: the old one may be on its way to a client
	}
	b.services[d.Service] = next
}

// keep drops the services that are not named, and names them.
func (b *board) keep(names map[string]bool) (gone []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for name := range b.services {
		if !names[name] {
			delete(b.services, name)
			gone = append(gone, name)
		}
	}
	return gone
}

func (b *board) ticked(at time.Time, swarmFailure, influxTrouble string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.health = health{Ticked: at, Swarm: swarmFailure, Influx: influxTrouble}
}

func (b *board) get(name string) (status, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, found := b.services[name]
	return s, found
}

// all lists the services in order of name.
func (b *board) all() []status {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]status, 0, len(b.services))
	for _, s := range b.services {
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b status) int { return cmp.Compare(a.Service, b.Service) })
	return list
}

func (b *board) doing() health {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.health
}
