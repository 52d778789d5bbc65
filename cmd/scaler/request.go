package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"sluice/internal/swarm"
	"sluice/policy"
)

// request is what somebody wants of a service over the API. The loop answers it between two ticks, so that it rests on
// what the loop knows and nothing is decided twice at a time.
type request struct {
	service string
	ask     *policy.Ask    // a number of replicas, or
	pause   *policy.Paused // a pause; the zero Paused ends one
	answer  chan reply     // of room for one
}

// reply is the answer to a request, and its HTTP status.
type reply struct {
	Service string         `json:"service"`
	From    int            `json:"from"`
	To      int            `json:"to"`
	Verdict policy.Verdict `json:"verdict,omitempty"`
	Reason  string         `json:"reason"`

	code int
}

// requestTries is how often a request is answered anew when somebody else changes the service meanwhile.
const requestTries = 3

// serve answers a request.
func (l *loop) serve(ctx context.Context, r request) reply {
	var err error
	for range requestTries {
		var answer reply
		if answer, err = l.try(ctx, r); err == nil {
			l.recorder.metrics.requests.WithLabelValues(fmt.Sprint(answer.code)).Inc()
			return answer
		}
		if !errors.Is(err, swarm.ErrChanged) {
			break
		}
	}
	l.recorder.metrics.requests.WithLabelValues(fmt.Sprint(http.StatusServiceUnavailable)).Inc()
	return reply{Service: r.service, Reason: err.Error(), code: http.StatusServiceUnavailable}
}

// try looks at the services as they are now, and answers. An error says that it could not.
func (l *loop) try(ctx context.Context, r request) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, swarmTimeout)
	defer cancel()
	if err := l.list(ctx); err != nil {
		return reply{}, err
	}
	s := l.named(r.service)
	switch {
	case s == nil:
		return reply{Service: r.service, Reason: fmt.Sprintf("no service %q has scaling labels", r.service), code: http.StatusNotFound}, nil
	case len(s.problems) > 0:
		return s.conflict("its labels cannot be used: " + sentence(s.problems)), nil
	case r.ask != nil:
		return l.answerAsk(ctx, s, *r.ask)
	}
	return l.pause(ctx, s, *r.pause)
}

func (l *loop) named(service string) *subject {
	for _, s := range l.subjects {
		if s.service.Name == service {
			return s
		}
	}
	return nil
}

func (s *subject) conflict(reason string) reply {
	return reply{Service: s.service.Name, From: s.service.Replicas, To: s.service.Replicas, Verdict: policy.Hold, Reason: reason, code: http.StatusConflict}
}

// answerAsk decides about a number of replicas that somebody asks for, and carries it out.
func (l *loop) answerAsk(ctx context.Context, s *subject, ask policy.Ask) (reply, error) {
	now := time.Now()
	d, state := s.policy.Answer(now, s.input(now, l.feed), s.state, ask)
	s.state = state
	i := &intent{subject: s, decision: d}
	if d.From != d.To {
		if l.carryOut(ctx, i); i.err != nil {
			return reply{}, i.err
		}
		l.stale = true
		l.recorder.decided(i)
	}
	answer := reply{Service: d.Service, From: d.From, To: d.To, Verdict: d.Verdict, Reason: d.Reason, code: http.StatusOK}
	switch d.Verdict {
	case policy.Hold, policy.Off, policy.Refused:
		answer.code = http.StatusConflict
	}
	return answer, nil
}

// pause writes a pause into the state of a service. The next tick keeps it.
func (l *loop) pause(ctx context.Context, s *subject, p policy.Paused) (reply, error) {
	switch {
	case s.service.Mode != swarm.Replicated || !s.policy.Enabled:
		return s.conflict("it is not scaled, there is nothing to pause"), nil
	case p.Frozen && (p.Replicas < s.policy.Min || p.Replicas > s.policy.Max):
		return s.conflict(fmt.Sprintf("a pause at %d must lie between min, %d, and max, %d", p.Replicas, s.policy.Min, s.policy.Max)), nil
	}
	after := s.state.Pausing(p)
	write := s.scaling(policy.Decision{From: s.service.Replicas, To: s.service.Replicas}, after)
	if err := l.swarm.Scale(ctx, s.service.ID, write); err != nil {
		return reply{}, err
	}
	s.wrote(write, after)
	reason := "the pause over the API has ended"
	if !p.IsZero() {
		reason = fmt.Sprintf("paused over the API (%s) until somebody ends it", p.Pause)
		if !p.Until.IsZero() {
			reason = fmt.Sprintf("paused over the API (%s) until %s", p.Pause, p.Until.UTC().Format(time.RFC3339))
		}
	}
	l.log.Info().Str("service", s.service.Name).Stringer("pause", p.Pause).Time("until", p.Until).Msg("pause over the API")
	return reply{Service: s.service.Name, From: write.From, To: write.To, Reason: reason, code: http.StatusOK}, nil
}
