package main

import (
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
	tasks    []policy.Task
	running  int

	state    policy.State
	resumed  bool // the state was rebuilt from the past, as far as there is one
	decided  policy.Decision
	announce announcement
	failing  bool // the last try to set the replicas failed
}

// newSubject reads the labels; nil when there is none for the scaler.
func newSubject(s swarm.Service) *subject {
	p, any, problems := policy.Parse(s.Name, s.Labels, time.LoadLocation)
	if !any {
		return nil
	}
	return &subject{service: s, policy: p, problems: problems}
}

// renewed is the subject after another look at its service. Other labels are another policy: the past is then read
// again from the points, but the changes stay, and with them cooldowns and rates.
func (s *subject) renewed(service swarm.Service) *subject {
	if maps.Equal(s.service.Labels, service.Labels) && s.service.Mode == service.Mode {
		s.service = service
		return s
	}
	next := newSubject(service)
	if next != nil {
		next.state = remembered(s.state)
	}
	return next
}

// remembered is the part of a state that is about replicas, not about what was measured: no other policy and no points
// of the past can tell it.
func remembered(st policy.State) policy.State {
	return policy.State{Changes: st.Changes, Known: st.Known, Decided: st.Decided, Present: st.Present, Aim: st.Aim, Moved: st.Moved}
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
	in := policy.Input{
		Replicas: s.service.Replicas, Replicated: s.service.Mode == swarm.Replicated,
		Updating: s.service.Update == "updating" || s.service.Update == "rollback_started",
		Tasks:    s.tasks,
	}
	feed.fill(now, &in, s.service.Name, s.policy)
	if !s.resumed && !feed.answered.IsZero() {
		resumed := s.policy.Resume(now, in, s.service.Updated)
		if s.state.Changes == nil {
			s.state.Changes = resumed.Changes
		}
		kept := remembered(s.state)
		kept.Wanted, kept.Lowest, kept.Observed, kept.Complete, kept.PanicUntil = resumed.Wanted, resumed.Lowest, resumed.Observed, resumed.Complete, resumed.PanicUntil
		s.state, s.resumed = kept, true
	}
	d, state := s.policy.Evaluate(now, in, s.state)
	s.state, s.decided = state, d
	return d
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
