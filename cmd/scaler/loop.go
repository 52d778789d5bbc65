package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"sluice/internal/swarm"
	"sluice/policy"
)

// swarmAPI is what the loop needs of a manager.
type swarmAPI interface {
	Services(ctx context.Context, f swarm.Filter) ([]swarm.Service, error)
	Tasks(ctx context.Context, serviceIDs []string) ([]swarm.Task, error)
	Scale(ctx context.Context, id string, s swarm.Scaling) error
}

const (
	listEvery    = 10 * time.Second // services, when no hint came
	swarmTimeout = 5 * time.Second
	scaleAtOnce  = 8 // ServiceUpdates in flight
)

// loop looks, decides and acts, once a tick. One goroutine runs it.
type loop struct {
	swarm    swarmAPI
	feed     *feed
	recorder *recorder
	log      zerolog.Logger
	interval time.Duration
	filter   swarm.Filter // by default none: labels, aliases and misspelt labels have no key in common

	requests chan request // of the API

	subjects map[string]*subject // by service ID
	listed   time.Time           // when the services were last listed
	stale    bool                // list them at the next tick
	failure  string              // why the last tick decided nothing
}

func newLoop(s swarmAPI, f *feed, r *recorder, log zerolog.Logger, interval time.Duration) *loop {
	return &loop{swarm: s, feed: f, recorder: r, log: log, interval: interval, requests: make(chan request), subjects: map[string]*subject{}}
}

// run ticks until ctx ends. A hint says that the services may have changed.
func (l *loop) run(ctx context.Context, hints <-chan struct{}) {
	ticker := time.NewTicker(l.interval)
	defer ticker.Stop()
	for {
		l.tick(ctx)
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				return
			case _, open := <-hints:
				if l.stale = true; !open {
					hints = nil
				}
			case r := <-l.requests:
				r.answer <- l.serve(ctx, r)
			case <-ticker.C:
				waiting = false
			}
		}
	}
}

// tick is one round. What could not be read completely changes nothing.
func (l *loop) tick(ctx context.Context) {
	start := time.Now()
	err := l.look(ctx)
	if ctx.Err() != nil {
		return
	}
	if l.report(err); err == nil {
		l.act(ctx, l.decide(time.Now()))
	}
	if at := l.feed.samples.oldest(time.Now()); !at.IsZero() {
		l.recorder.metrics.lag.Set(time.Since(at).Seconds())
	}
	l.recorder.ticked(start, l.failure, l.feed.remark(time.Now()))
}

// report logs when the swarm stops answering and when it answers again.
func (l *loop) report(err error) {
	switch {
	case err != nil && l.failure == "":
		l.log.Warn().Err(err).Msg("the swarm does not answer, nothing is decided")
	case err == nil && l.failure != "":
		l.log.Info().Msg("the swarm answers again")
	}
	if l.failure = ""; err != nil {
		l.failure = err.Error()
	}
}

// look brings services, tasks and samples up to date.
func (l *loop) look(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, swarmTimeout)
	defer cancel()
	if l.stale || time.Since(l.listed) >= listEvery {
		if err := l.list(limited); err != nil {
			return err
		}
	}
	if len(l.subjects) == 0 {
		return nil
	}
	ids, wishes := l.asked()
	var tasks []swarm.Task
	var g errgroup.Group
	g.Go(func() (err error) { tasks, err = l.swarm.Tasks(limited, ids); return err })
	g.Go(func() error { l.feed.pull(ctx, wishes); return nil })
	if err := g.Wait(); err != nil {
		return err
	}
	l.assign(tasks)
	return nil
}

// asked is whom and what the queries are about: an invalid policy, or a service that cannot be scaled, needs no samples.
func (l *loop) asked() (ids []string, wishes []wish) {
	l.feed.samples.keep = history
	for _, id := range slices.Sorted(maps.Keys(l.subjects)) {
		s := l.subjects[id]
		ids = append(ids, id)
		if len(s.problems) > 0 || s.service.Mode != swarm.Replicated {
			continue
		}
		wishes = append(wishes, s.wish())
		l.feed.samples.keep = max(l.feed.samples.keep, s.policy.Reach())
	}
	return ids, wishes
}

func (l *loop) list(ctx context.Context) error {
	services, err := l.swarm.Services(ctx, l.filter)
	if err != nil {
		return err
	}
	subjects := map[string]*subject{}
	for _, service := range services {
		before := l.subjects[service.ID]
		next := before
		if before == nil {
			next = newSubject(service)
		} else {
			next = before.renewed(service)
		}
		if next == nil {
			continue
		}
		subjects[service.ID] = next
		if next != before {
			l.welcome(next)
		}
		if d, carriedOut := next.found(); carriedOut {
			l.recorder.decided(&intent{subject: next, decision: d})
		}
	}
	l.subjects, l.listed, l.stale = subjects, time.Now(), false
	l.recorder.keep(subjects)
	return nil
}

// welcome says once per set of labels what is wrong with them.
func (l *loop) welcome(s *subject) {
	switch {
	case len(s.problems) > 0:
		l.log.Warn().Str("service", s.service.Name).Str("reason", sentence(s.problems)).Msg("service is not scaled, its labels cannot be used")
	case s.service.Mode != swarm.Replicated:
		l.log.Warn().Str("service", s.service.Name).Str("mode", string(s.service.Mode)).Msg("service is not scaled, it is not a replicated one")
	default:
		if s.odd != nil {
			l.log.Warn().Str("service", s.service.Name).Err(s.odd).Msg("the state in the service's label is not used")
		}
		l.log.Info().Str("service", s.service.Name).Int("replicas", s.service.Replicas).Int("min", s.policy.Min).Int("max", s.policy.Max).
			Msg("service is scaled by its labels")
	}
}

// assign gives every subject its tasks.
func (l *loop) assign(tasks []swarm.Task) {
	for _, s := range l.subjects {
		s.tasks, s.running = nil, 0
	}
	for _, t := range tasks {
		if s := l.subjects[t.ServiceID]; s != nil {
			running := t.State == "running"
			s.tasks = append(s.tasks, policy.Task{Running: running, Since: t.Since})
			if running {
				s.running++
			}
		}
	}
}

// intent is a decision and whom it is about.
type intent struct {
	*subject
	decision policy.Decision
	err      error // of carrying it out
}

// decide evaluates every subject that is due, in order of name.
func (l *loop) decide(now time.Time) []*intent {
	var intents []*intent
	byName := func(a, b *subject) int { return strings.Compare(a.service.Name, b.service.Name) }
	for _, s := range slices.SortedFunc(maps.Values(l.subjects), byName) {
		if s.due(now, l.interval) {
			intents = append(intents, &intent{subject: s, decision: s.decide(now, l.feed)})
		}
	}
	return intents
}

// act sets the replicas and records every decision. What fails is decided anew at the next tick.
func (l *loop) act(ctx context.Context, intents []*intent) {
	var g errgroup.Group
	g.SetLimit(scaleAtOnce)
	for _, i := range intents {
		if d := i.decision; d.From != d.To || i.lost() {
			g.Go(func() error { l.carryOut(ctx, i); return nil })
		}
	}
	_ = g.Wait()
	for _, i := range intents {
		l.settle(i)
		l.recorder.decided(i)
	}
}

// lost tells whether a pause that somebody asked for is not written any more: a deployment has dropped the label.
func (s *subject) lost() bool {
	return !s.state.Paused.IsZero() && s.service.Labels[policy.StateLabel] == "" && s.service.Mode == swarm.Replicated
}

// carryOut writes a decision and the state after it, in one update of the service.
func (l *loop) carryOut(ctx context.Context, i *intent) {
	ctx, cancel := context.WithTimeout(ctx, swarmTimeout)
	defer cancel()
	after := i.state.Applied(time.Now(), i.decision)
	write := i.scaling(i.decision, after)
	switch i.err = l.swarm.Scale(ctx, i.service.ID, write); {
	case i.err == nil:
		i.wrote(write, after)
	case i.decision.From != i.decision.To && !errors.Is(i.err, swarm.ErrChanged):
		i.open = attempt{i.decision, write.Now}
	}
}

// settle takes note of what became of a decision.
func (l *loop) settle(i *intent) {
	if i.err == nil {
		l.stale = l.stale || i.decision.From != i.decision.To
		return
	}
	l.stale = true
	if errors.Is(i.err, swarm.ErrChanged) {
		i.err = fmt.Errorf("somebody else was quicker: %w", i.err)
	}
	if !i.failing {
		l.log.Warn().Str("service", i.service.Name).Int("from", i.decision.From).Int("to", i.decision.To).Err(i.err).
			Msg("replicas could not be set, trying again")
	}
	i.failing = true
}
