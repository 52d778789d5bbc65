package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"sluice/internal/swarm"
	"sluice/internal/swarm/swarmtest"
	"sluice/policy"
)

// scalers are processes that scale one service, and a file that tells them the load.
type scalers struct {
	t       *testing.T
	service swarm.Service
	load    string
}

func newScalers(t *testing.T, s swarm.Service) scalers {
	p := scalers{t, s, filepath.Join(t.TempDir(), "load")}
	p.sessions(5)
	return p
}

func (p scalers) sessions(n float64) {
	p.t.Helper()
	file, err := os.OpenFile(p.load, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	defer file.Close()
	if _, err := fmt.Fprintln(file, time.Now().UnixNano(), n); err != nil {
		p.t.Fatal(err)
	}
}

// start runs a process until the test ends or somebody kills it.
func (p scalers) start() *exec.Cmd {
	p.t.Helper()
	command := exec.Command(os.Args[0], "-test.run=^TestScalerProcess$")
	command.Env = append(os.Environ(), childOf+"="+p.service.Name, childLoad+"="+p.load)
	if err := command.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { kill(command) })
	return command
}

func kill(command *exec.Cmd) {
	_ = command.Process.Kill()
	_ = command.Wait()
}

// history waits until so many replicas are desired and answers every change up to then, as the label tells them.
func (p scalers) history(replicas int) []policy.Change {
	p.t.Helper()
	var st policy.State
	swarmtest.Wait(p.t, fmt.Sprintf("%d replicas", replicas), func(context.Context) bool {
		s := swarmtest.Inspect(p.t, p.service.ID)
		st, _ = policy.DecodeState(s.Labels[policy.StateLabel])
		return s.Replicas == replicas
	})
	return st.Changes
}

// The scaler is killed again and again, at any moment. Nothing is stepped down before the load has been low for
// stabilizeDown, nor before the cooldown is over; and it gets there all the same.
func scalerIsKilledAtAnyMoment(t *testing.T) {
	s := swarmtest.Start(t, swarmtest.Service{Labels: brisk("max=3", "stabilizeDown=8s", "cooldownDown=4s", "rateUp=1/2s", "rateDown=100/1m")})
	swarmtest.Running(t, s.ID, 1)
	p := newScalers(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	var killer sync.WaitGroup
	killer.Go(func() {
		// Each lives a little longer than the ones before: where a process takes seconds to start, some get to decide all the same.
		for life := 2500; ctx.Err() == nil; life += 200 {
			command := p.start()
			select {
			case <-ctx.Done():
			case <-time.After(time.Duration(300+rand.IntN(life)) * time.Millisecond):
			}
			kill(command)
		}
	})
	defer killer.Wait()
	defer cancel()
	p.sessions(50)
	p.history(3)
	before := map[string]bool{}
	for _, task := range swarmtest.Running(t, s.ID, 3) {
		before[task.ID] = true
	}
	fell := time.Now()
	p.sessions(15)
	changes := p.history(2)
	for n, c := range changes {
		if c.To >= c.From {
			continue
		}
		if early := c.At.Sub(fell); early < 4*time.Second { // the last look at the load before may have been a while ago
			t.Errorf("down %s after the load fell: %v", early, changes)
		}
		if n > 0 && c.At.Sub(changes[n-1].At) < 4*time.Second {
			t.Errorf("down too early after the last change: %v", changes)
		}
	}
	for _, task := range swarmtest.Running(t, s.ID, 2) {
		if !before[task.ID] {
			t.Errorf("task %s was started when the load fell", task.ID)
		}
	}
}

// Two scalers side by side, one of which is killed now and then: every step of the threshold is taken once.
func twoScalersSideBySideTakeEachStepOnce(t *testing.T) {
	s := swarmtest.Start(t, swarmtest.Service{None: true, Labels: map[string]string{
		policy.Prefix + "max": "7", policy.Prefix + "strategy": "threshold", policy.Prefix + "upAbove": "10", policy.Prefix + "for": "2s", policy.Prefix + "upBy": "2",
		policy.Prefix + "window": "1s", policy.Prefix + "cooldownUp": "2s", policy.Prefix + "rateUp": "100/5m", policy.Prefix + "targetType": "value",
	}, Edit: nowhere})
	p := newScalers(t, s)
	p.start()
	second := p.start()
	p.history(1) // min
	p.sessions(100)
	// The next steps may follow before anybody looks.
	swarmtest.Wait(t, "the first step", func(context.Context) bool { return swarmtest.Inspect(t, s.ID).Replicas >= 3 })
	kill(second)
	p.start()
	changes := p.history(7)
	want := 1
	for n, c := range changes {
		if c.To <= 1 { // min
			continue
		}
		if c.From != want || c.To != want+2 || c.At.Sub(changes[n-1].At) < 2*time.Second {
			t.Errorf("a step is not taken once: %v", changes)
		}
		want = c.To
	}
	if want != 7 {
		t.Errorf("changes %v", changes)
	}
}
