package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"pgregory.net/rapid"

	"sluice/internal/swarm"
	"sluice/policy"
)

// undated is a test that rapid does not ask for its deadline, which is not allowed on synctest's clock.
type undated struct{ *testing.T }

// crew are several scalers on the same swarm and InfluxDB.
type crew struct {
	swarm   *fakeSwarm
	influx  *fakeInflux
	scalers []*loop
	loads   []float64 // sessions of each second
}

func newCrew(n int, services ...swarm.Service) *crew {
	c := &crew{swarm: &fakeSwarm{services: services}, influx: &fakeInflux{}}
	for range n {
		c.scalers = append(c.scalers, nil)
	}
	for i := range c.scalers {
		c.restart(i)
	}
	return c
}

// restart replaces a scaler by one that knows nothing.
func (c *crew) restart(n int) {
	log := zerolog.New(io.Discard)
	records := &recorder{log: log, metrics: newMetrics(prometheus.NewRegistry()), board: newBoard()}
	c.scalers[n] = newLoop(c.swarm, newFeed(c.influx, "telegraf/autogen", time.Second, log), records, log, time.Second)
}

// second lets the load be measured, and every scaler tick at a moment of its own.
func (c *crew) second(t testing.TB, sessions float64, hinted bool) {
	c.loads = append(c.loads, sessions)
	time.Sleep(time.Second - time.Duration(len(c.scalers)-1)*100*time.Millisecond)
	c.influx.write("demo_app", "proxy-1", time.Now(), sessions)
	for n, l := range c.scalers {
		if n > 0 {
			time.Sleep(100 * time.Millisecond)
		}
		l.stale = l.stale || hinted
		l.tick(t.Context())
	}
}

// highest is the largest load of the seconds before a time.
func (c *crew) highest(start, at time.Time, back time.Duration) float64 {
	last := int(at.Sub(start)/time.Second) - 1
	first := max(0, last-int(back/time.Second)+2) // the second of the change, and that before, may not be seen yet
	return slices.Max(c.loads[first:max(first+1, last)])
}

// A scaler that is killed at any moment, even between a write and its answer, and two scalers side by side, never step
// down or up again too early: what cooldowns and stabilization need is in the label.
func TestKilledAndDoubledScalersLoseNoCooldownAndNoStabilization(t *testing.T) {
	for _, scalers := range []int{1, 2} {
		t.Run(fmt.Sprint(scalers), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rapid.Check(undated{t}, func(rt *rapid.T) { live(t, rt, scalers) })
			})
		})
	}
}

func live(t *testing.T, rt *rapid.T, scalers int) {
	const stabilize, cooldownDown, cooldownUp = 20 * time.Second, 10 * time.Second, 5 * time.Second
	c := newCrew(scalers, demo(3, "max=20", "target=10", "window=1s", "panicWindow=0s", "tolerance=0", "warmup=0s", "rateUp=100/1s",
		"stabilizeDown=20s", "cooldownDown=10s", "cooldownUp=5s"))
	start, sessions := time.Now(), 25.0
	for range 70 {
		if rapid.IntRange(0, 7).Draw(rt, "load changes") == 0 {
			sessions = rapid.Float64Range(0, 150).Draw(rt, "sessions")
		}
		event := rapid.IntRange(0, 15).Draw(rt, "event")
		c.swarm.lose = event < 3 || c.swarm.lose
		c.second(t, sessions, rapid.Bool().Draw(rt, "hint"))
		if event < 5 {
			c.restart(rapid.IntRange(0, scalers-1).Draw(rt, "killed"))
		}
	}
	for n, change := range c.swarm.changes {
		since, size := time.Duration(math.MaxInt64), 0
		if n > 0 {
			before := c.swarm.changes[n-1]
			since, size = change.At.Sub(before.At), max(before.To-before.From, before.From-before.To)
		}
		if scalers == 1 && since < time.Second {
			rt.Fatalf("%v: two changes in one tick", c.swarm.scaled)
		}
		switch needed := int(math.Ceil(c.highest(start, change.At, stabilize) / 10)); {
		case change.To < change.From && since < cooldownDown:
			rt.Fatalf("%v: down %s after the last change", c.swarm.scaled, since)
		case change.To < change.From && change.To < needed:
			rt.Fatalf("%v: down to %d at %s, %d were wanted within stabilizeDown", c.swarm.scaled, change.To, change.At.Sub(start), needed)
		case change.To > change.From && since < cooldownUp && change.To-change.From <= size:
			rt.Fatalf("%v: up again %s after the last change", c.swarm.scaled, since)
		}
	}
}

// A step of a threshold is relative: two scalers that both see the load must take it once.
func TestTwoScalersNeverDoubleAStep(t *testing.T) {
	for _, killed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			rapid.Check(undated{t}, func(rt *rapid.T) {
				c := newCrew(2, demo(2, "max=40", "target=", "strategy=threshold", "upAbove=80", "for=5s", "upBy=3", "window=1s", "cooldownUp=0s", "rateUp=100/1s"))
				delete(c.swarm.services[0].Labels, policy.Prefix+"target")
				for range 30 {
					c.second(t, 10_000, rapid.Bool().Draw(rt, "hint"))
					if killed && rapid.IntRange(0, 4).Draw(rt, "event") == 0 {
						c.restart(rapid.IntRange(0, 1).Draw(rt, "killed"))
					}
				}
				for n, change := range c.swarm.changes {
					if n > 0 && change.At.Sub(c.swarm.changes[n-1].At) < 5*time.Second || change.To-change.From != min(3, 40-change.From) {
						rt.Fatalf("%v: %v", c.swarm.scaled, c.swarm.changes)
					}
				}
				if !killed && len(c.swarm.changes) < 4 {
					rt.Fatalf("only %v", c.swarm.scaled)
				}
			})
		})
	}
}

// What one scaler lowers the other must not give back as if somebody else had taken it; and what somebody else takes is
// given back once.
func TestTwoScalersRestoreWhatADeploymentTookAndNotEachOthersSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(2, demo(6, "stabilizeDown=5s", "cooldownDown=0s", "warmup=0s"))
		for range 20 {
			c.second(t, 550, true)
		}
		for range 20 {
			c.second(t, 250, true)
		}
		steps := []string{"demo_app 6->5", "demo_app 5->4", "demo_app 4->3"}
		if diff := cmp.Diff(steps, c.swarm.scaled); diff != "" {
			t.Fatalf("changes differ (-want +got):\n%s", diff)
		}
		c.swarm.deploy(1)
		c.second(t, 250, true)
		if got := c.swarm.services[0].Replicas; got != 3 {
			t.Errorf("%d replicas a tick after the deployment, want 3", got)
		}
		for range 10 {
			c.second(t, 250, true)
		}
		if diff := cmp.Diff(append(steps, "demo_app 1->3"), c.swarm.scaled); diff != "" {
			t.Errorf("changes differ (-want +got):\n%s", diff)
		}
	})
}

// deploy does what `docker stack deploy` does: the labels and replicas of the file, the former ones as the former spec.
func (f *fakeSwarm) deploy(replicas int) {
	s := &f.services[0]
	s.Former = s.Labels
	s.Labels = asked(s.Labels)
	s.Replicas = replicas
	s.Version++
	s.Updated = time.Now()
}

// The stack is deployed while no scaler runs: what it was is found in the specification before.
func TestDeploymentWithoutAScalerIsUndoneByTheNextOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(1, demo(3))
		for range 10 {
			c.second(t, 480, true)
		}
		c.swarm.deploy(1)
		c.restart(0)
		c.second(t, 480, true)
		if diff := cmp.Diff([]string{"demo_app 3->5", "demo_app 1->5"}, c.swarm.scaled); diff != "" {
			t.Errorf("changes differ (-want +got):\n%s", diff)
		}
	})
}

// `docker service rollback` after a step of the scaler takes that step back, and its label with it.
func TestRollbackOfAStepIsSomebodyElsesDoing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(1, demo(3))
		for range 10 {
			c.second(t, 480, true)
		}
		s := &c.swarm.services[0]
		s.Labels, s.Former, s.Replicas = s.Former, nil, 3
		c.second(t, 480, true)
		if diff := cmp.Diff([]string{"demo_app 3->5", "demo_app 3->5"}, c.swarm.scaled); diff != "" {
			t.Errorf("changes differ (-want +got):\n%s", diff)
		}
	})
}

func TestStateThatCannotBeReadIsSaidAndReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(demo(1, "min=2", "state=rubbish"))
		r.seconds(t, 3)
		if diff := cmp.Diff([]string{"demo_app 1->2"}, r.swarm.scaled); diff != "" {
			t.Errorf("changes differ (-want +got):\n%s", diff)
		}
		if r.logged("the state in the service's label is not used") != 1 {
			t.Errorf("log:\n%s", r.out)
		}
		if _, err := policy.DecodeState(r.swarm.services[0].Labels[policy.StateLabel]); err != nil {
			t.Error(err)
		}
	})
}

func TestOwnWriteIsNoNewPolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(demo(1, "min=2"))
		r.seconds(t, 1)
		before := r.loop.subjects["id1"]
		r.loop.stale = true
		r.seconds(t, 1)
		if r.loop.subjects["id1"] != before || !strings.HasPrefix(before.service.Labels[policy.StateLabel], "1;") {
			t.Errorf("labels are read again: %v", before.service.Labels)
		}
	})
}

func TestStepWhoseAnswerWasLostIsToldOnceItIsSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(demo(3, "notify=http://hooks.example/scaled"))
		r.recorder.notify = newNotifier(zerolog.Nop(), r.recorder.metrics)
		r.load["demo_app"] = 290
		r.seconds(t, 30) // to 4
		r.load["demo_app"] = 480
		r.swarm.lose = true
		r.seconds(t, 20)
		if diff := cmp.Diff([]string{"demo_app 3->4", "demo_app 4->5"}, r.swarm.scaled); diff != "" {
			t.Errorf("changes differ (-want +got):\n%s", diff)
		}
		if failed, set := r.logged("replicas could not be set, trying again"), r.logged("replicas set"); failed != 1 || set != 2 {
			t.Errorf("%d failures and %d changes in the log:\n%s", failed, set, r.out)
		}
		if n := len(r.recorder.notify.queue); n != 2 {
			t.Errorf("webhooks are told of %d changes", n)
		}
		s, _ := r.recorder.board.get("demo_app")
		told := 0
		for _, d := range s.Decisions {
			if d.From == 4 && d.To == 5 {
				told++
			}
		}
		if told != 1 || s.Current != 5 {
			t.Errorf("told %d times on the API: %+v", told, s)
		}
	})
}
