package main

import (
	"cmp"
	"maps"
	"strings"
	"time"

	"sluice/internal/label"
	"sluice/internal/swarm"
	"sluice/policy"
)

// subject is a service with scaling labels, and everything that is remembered of it.
type subject struct {
	service  swarm.Service
	policy   policy.Policy
	problems []label.Problem // not empty: the policy is invalid
	odd      error           // why the state in its label cannot be read; nil when it can, or there is none
	tasks    []policy.Task
	running  int

	state    policy.State
	resumed  bool // the state was rebuilt from the past, as far as there is one
	decided  policy.Decision
	announce announcement
	failing  bool           // the last try to set the replicas failed
	open     attempt        // of which no answer came
	shown    policy.Verdict // in the metrics
}

// attempt is a write whose answer was lost: it may have been carried out, or may be yet.
type attempt struct {
	decision policy.Decision
	state    string // that it leaves at the service, which is nobody else's; "": there is none
}

// newSubject reads the labels; nil when there is none for the scaler.
func newSubject(s swarm.Service) *subject {
	p, any, problems := policy.Parse(s.Name, s.Labels, time.LoadLocation)
	if !any {
		return nil
	}
	next := &subject{service: s, policy: p, problems: problems}
	next.state = next.left()
	return next
}

// left is the state that is written at the service: by this scaler before a restart, or by another one. `docker stack
// deploy` drops the label; what it said is then found in the specification before.
func (s *subject) left() policy.State {
	written := cmp.Or(s.service.Labels[policy.StateLabel], s.service.Former[policy.StateLabel])
	if s.odd = nil; written == "" {
		return policy.State{}
	}
	left, err := policy.DecodeState(written)
	s.odd = err
	left.Held, left.Failing = nil, nil // nobody watched since
	return left
}

// renewed is the subject after another look at its service. Other labels are another policy: the past is then read
// again from the points, but the changes stay, and with them cooldowns and rates.
func (s *subject) renewed(service swarm.Service) *subject {
	if s.service.Mode == service.Mode && maps.Equal(asked(s.service.Labels), asked(service.Labels)) {
		s.service = service
		s.state = s.state.Joined(s.left())
		return s
	}
	next := newSubject(service)
	if next != nil {
		next.state, next.open = remembered(s.state.Joined(next.state)), s.open
	}
	return next
}

// asked are the labels without the one that the scaler writes.
func asked(labels map[string]string) map[string]string {
	rest := maps.Clone(labels)
	delete(rest, policy.StateLabel)
	return rest
}

// remembered is the part of a state that is about replicas, not about what was measured: no other policy and no points
// of the past can tell it.
func remembered(st policy.State) policy.State {
	return policy.State{
		Serial: st.Serial, Paused: st.Paused, Changes: st.Changes, Known: st.Known, Decided: st.Decided, Present: st.Present, Aim: st.Aim, Moved: st.Moved,
	}
}

// wrote is the service after a write of ours.
func (s *subject) wrote(w swarm.Scaling, state policy.State) {
	s.service.Replicas = w.To
	s.service.Labels = asked(s.service.Labels)
	s.service.Labels[w.Label] = w.Now
	s.state, s.failing, s.open = state, false, attempt{}
}

// found tells whether the service is as a write left it whose answer was lost, and that write's decision.
func (s *subject) found() (d policy.Decision, carriedOut bool) {
	if s.open.state == "" || s.service.Labels[policy.StateLabel] != s.open.state {
		return d, false
	}
	d = s.open.decision
	s.open, s.failing = attempt{}, false
	return d, true
}

// scaling is the write of a decision and of the state after it. It is refused when replicas, state or update are not
// those that the decision rests on.
func (s *subject) scaling(d policy.Decision, after policy.State) swarm.Scaling {
	return swarm.Scaling{
		From: d.From, To: d.To, Label: policy.StateLabel, Was: s.service.Labels[policy.StateLabel], Now: after.Encode(), Update: s.service.Update,
	}
}

// due tells whether it is time to decide. Half a tick of jitter is forgiven.
func (s *subject) due(now time.Time, tick time.Duration) bool {
	return now.Sub(s.decided.At) >= s.policy.Interval-tick/2
}

// decide evaluates the policy. An invalid one decides nothing, and says why.
func (s *subject) decide(now time.Time, feed *feed) policy.Decision {
	if len(s.problems) > 0 {
		return policy.Decision{
			Service: s.service.Name, At: now, From: s.service.Replicas, To: s.service.Replicas, Want: s.service.Replicas,
			Verdict: invalid, Reason: sentence(s.problems),
		}
	}
	in := s.input(now, feed)
	if !s.resumed && !feed.answered.IsZero() {
		s.state, s.resumed = s.policy.Recalled(now, in, s.state, s.service.Updated), true
	}
	d, state := s.policy.Evaluate(now, in, s.state)
	s.state, s.decided = state, d
	return d
}

// input is what is known of the service now.
func (s *subject) input(now time.Time, feed *feed) policy.Input {
	in := policy.Input{
		Replicas: s.service.Replicas, Replicated: s.service.Mode == swarm.Replicated,
		Updating: s.service.Update == "updating" || s.service.Update == "rollback_started",
		Tasks:    s.tasks,
	}
	feed.fill(now, &in, s.service.Name, s.policy)
	return in
}

// invalid is the verdict about a policy that could not be read.
const invalid policy.Verdict = "invalid"

// sentence makes one of the problems of a service.
func sentence(problems []label.Problem) string {
	var parts []string
	for _, p := range problems {
		parts = append(parts, strings.TrimPrefix(p.String(), p.Service+": "))
	}
	return strings.Join(parts, "; ")
}
