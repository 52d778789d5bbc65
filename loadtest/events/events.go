// Package events does to a service, at stated moments of the load, what a scenario wants to know the effect of.
//
//	Event ─at its time─> engine, HTTP or a program ─outcome─> Mark
//
// Events are carried out beside each other: one that takes long holds up no other.
package events

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"time"

	"sluice/internal/swarm"
	"sluice/loadtest/result"
	"sluice/loadtest/scenario"
)

// Engine is what of the Docker Engine events need.
type Engine interface {
	Change(ctx context.Context, service string, change swarm.Change) error
	Container(ctx context.Context, service string, nth int) (string, error)
	Kill(ctx context.Context, id, signal string) error
	Stop(ctx context.Context, id string) error
	Start(ctx context.Context, id string) error
	Pause(ctx context.Context, id string) error
	Resume(ctx context.Context, id string) error
}

// patience is how long an event may take, and grace how long it may go on after an interrupt.
const (
	patience = 2 * time.Minute
	grace    = 2 * time.Second
)

// answerLimit is how much of an answer or of a program's output is read, in bytes, and tail how much of it is told.
const (
	answerLimit = 64 << 10
	tail        = 200
)

// Stage is where events take place.
type Stage struct {
	Engine Engine // nil when no event needs it
	client *http.Client
}

// NewStage gives a stage whose requests follow no redirect: a redirect may lead to another host.
func NewStage(engine Engine) *Stage {
	return &Stage{engine, &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Run carries out the events, each at its time, and calls record with the outcome of each, from many goroutines. When ctx ends, those
// that have not begun do not happen; those that have are given a moment.
func (s *Stage) Run(ctx context.Context, list []scenario.Event, start time.Time, record func(result.Mark)) {
	var all sync.WaitGroup
	for _, e := range list {
		all.Go(func() {
			timer := time.NewTimer(time.Until(start.Add(e.At)))
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-ctx.Done():
				return
			}
			begin := time.Now()
			outcome, err := s.do(ctx, e)
			m := result.Mark{
				At: begin.Sub(start).Seconds(), Took: time.Since(begin).Seconds(), Name: e.Name, Kind: e.Kind,
				Outcome: outcome, Optional: e.Optional, Line: e.Line, Repeats: e.Repeats,
			}
			if err != nil {
				m.Outcome, m.Err = "failed", err.Error()
			}
			record(m)
		})
	}
	all.Wait()
}

// do carries out one event. When ctx ends meanwhile it may go on for a moment: half an update is worse than a whole one.
func (s *Stage) do(parent context.Context, e scenario.Event) (outcome string, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(parent), patience)
	defer cancel()
	defer context.AfterFunc(parent, func() { time.AfterFunc(grace, cancel) })()
	switch {
	case e.Change != nil:
		return "done", s.Engine.Change(ctx, e.Change.Service, change(*e.Change))
	case e.Container != nil:
		return s.container(ctx, e.Kind, *e.Container)
	case e.Call != nil:
		return s.call(ctx, *e.Call)
	case len(e.Command) > 0:
		return command(ctx, e.Command)
	default:
		return "", fmt.Errorf("do event: nobody knows how to %s", e.Kind)
	}
}

func change(c scenario.Change) swarm.Change {
	return swarm.Change{Replicas: c.Replicas, Image: c.Image, Env: pairs(c.Env), Labels: pairs(c.Labels), Force: c.Force}
}

func pairs(list []scenario.Header) map[string]string {
	out := map[string]string{}
	for _, p := range list {
		out[p.Name] = p.Value
	}
	return out
}

func (s *Stage) container(ctx context.Context, kind string, c scenario.Container) (string, error) {
	id := c.Name
	if c.Service != "" {
		var err error
		if id, err = s.Engine.Container(ctx, c.Service, c.Nth); err != nil {
			return "", err
		}
	}
	actions := map[string]func(context.Context, string) error{
		"stop": s.Engine.Stop, "start": s.Engine.Start, "pause": s.Engine.Pause, "resume": s.Engine.Resume,
		"kill": func(ctx context.Context, id string) error { return s.Engine.Kill(ctx, id, c.Signal) },
	}
	act, known := actions[kind]
	if !known {
		return "", fmt.Errorf("do event: nobody knows how to %s a container", kind)
	}
	return fmt.Sprintf("done to container %.12s", id), act(ctx, id)
}

func (s *Stage) call(ctx context.Context, c scenario.Call) (string, error) {
	req, err := http.NewRequestWithContext(ctx, c.Method, c.URL, strings.NewReader(c.Body))
	if err != nil {
		return "", err
	}
	for _, h := range c.Headers {
		if strings.EqualFold(h.Name, "Host") {
			req.Host = h.Value
			continue
		}
		req.Header.Set(h.Name, h.Value)
	}
	res, err := s.client.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(res.Body, answerLimit))
	if c.Status == 0 && res.StatusCode/100 != 2 || c.Status > 0 && res.StatusCode != c.Status {
		return "", fmt.Errorf("answer %s: %s", res.Status, brief(body))
	}
	return "answer " + res.Status, nil
}

// command runs a program without a shell. What it writes is told when it fails.
func command(ctx context.Context, argv []string) (string, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	var output limited
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.WaitDelay = time.Second // a child of its may hold the output open
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = errors.Join(ctx.Err(), err)
		}
		return "", fmt.Errorf("run %s: %w: %s", argv[0], err, brief(output.data))
	}
	return "done", nil
}

// limited keeps the end of what is written to it.
type limited struct{ data []byte }

func (l *limited) Write(p []byte) (int, error) {
	l.data = append(l.data, p...)
	if over := len(l.data) - answerLimit; over > 0 {
		l.data = l.data[over:]
	}
	return len(p), nil
}

// brief is the end of a text in one line.
func brief(text []byte) string {
	text = bytes.TrimSpace(text)
	if over := len(text) - tail; over > 0 {
		text = append([]byte("…"), text[over:]...)
	}
	return strings.ToValidUTF8(strings.Join(strings.Fields(string(text)), " "), "?")
}
