package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"sluice/internal/swarm"
	"sluice/policy"
)

// rig is a loop between fakes, driven tick by tick.
type rig struct {
	*loop
	swarm  *fakeSwarm
	influx *fakeInflux
	spool  *fakeSpool
	out    *bytes.Buffer
	load   map[string]float64 // sessions by service, written each second by proxy-1
}

func newRig(services ...swarm.Service) *rig {
	r := &rig{swarm: &fakeSwarm{services: services}, influx: &fakeInflux{}, spool: &fakeSpool{}, out: &bytes.Buffer{}, load: map[string]float64{}}
	r.restart()
	return r
}

// restart is a new scaler on the same swarm and InfluxDB.
func (r *rig) restart() {
	log := zerolog.New(r.out)
	records := &recorder{log: log, spool: r.spool, metrics: newMetrics(prometheus.NewRegistry()), board: newBoard()}
	r.loop = newLoop(r.swarm, newFeed(r.influx, "telegraf/autogen", time.Second, log), records, log, time.Second)
}

func (r *rig) seconds(t *testing.T, n int) {
	for range n {
		time.Sleep(time.Second) // the clock is synctest's
		for service, sessions := range r.load {
			r.influx.write(service, "proxy-1", time.Now(), sessions)
		}
		r.tick(t.Context())
	}
}

// logged counts the lines with that message.
func (r *rig) logged(message string) int {
	return strings.Count(r.out.String(), `"message":"`+message+`"`)
}

func demo(replicas int, labels ...string) swarm.Service {
	s := swarm.Service{ID: "id1", Name: "demo_app", Stack: "demo", Mode: swarm.Replicated, Replicas: replicas, Version: 1,
		Labels: map[string]string{"com.df.scale.max": "10", "com.df.scale.target": "100"}, Updated: time.Now().Add(-time.Hour)}
	for _, word := range labels {
		key, value, _ := strings.Cut(word, "=")
		s.Labels[policy.Prefix+key] = value
	}
	return s
}

func TestLoadScalesUpAndIsRecordedEverywhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(demo(3))
		r.load["demo_app"] = 290
		r.seconds(t, 30)
		r.load["demo_app"] = 480
		r.seconds(t, 15)
		if diff := cmp.Diff([]string{"demo_app 3->4", "demo_app 4->5"}, r.swarm.scaled); diff != "" {
			t.Errorf("changes differ (-want +got):\n%s", diff)
		}
		s, _ := r.recorder.board.get("demo_app")
		if s.Current != 5 || s.Running != 5 || len(s.Decisions) < 3 || s.Decisions[0].At.Before(s.Decisions[1].At) {
			t.Errorf("on the API: %+v", s)
		}
		if r.logged("replicas set") != 2 || !strings.Contains(r.out.String(), "target 100: want 4") {
			t.Errorf("log:\n%s", r.out)
		}
		written := strings.Join(r.spool.lines, "\n")
		for _, want := range []string{"sluice_scale,service=demo_app,stack=demo ", "current=3i", "desired=4i", `verdict="up"`, "sessions_target=100", "sessions="} {
			if !strings.Contains(written, want) {
				t.Errorf("%q is not in sluice_scale:\n%s", want, written)
			}
		}
	})
}

func TestSteadyServiceIsWrittenEveryTenSecondsAndLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(demo(3))
		r.load["demo_app"] = 290
		r.seconds(t, 60)
		if n := len(r.spool.lines); n < 6 || n > 8 {
			t.Errorf("%d points in a minute", n)
		}
		if n := strings.Count(r.out.String(), "\n"); n != 1 {
			t.Errorf("%d log lines:\n%s", n, r.out)
		}
	})
}

func TestOutageOfInfluxHoldsAndIsLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(demo(3, "stabilizeDown=10s", "cooldownDown=0s"))
		r.load["demo_app"] = 290
		r.seconds(t, 40)
		r.influx.failure = errors.New("connection refused")
		r.load["demo_app"] = 50
		r.seconds(t, 60)
		s, _ := r.recorder.board.get("demo_app")
		if s.Verdict != policy.Hold || !strings.Contains(s.Reason, "InfluxDB has not answered for 59s") {
			t.Errorf("%s: %s", s.Verdict, s.Reason)
		}
		r.influx.failure = nil
		r.seconds(t, 5)
		if len(r.swarm.scaled) > 0 {
			t.Errorf("scaled by what was not observed long enough: %v", r.swarm.scaled)
		}
		r.seconds(t, 10)
		if diff := cmp.Diff([]string{"demo_app 3->1"}, r.swarm.scaled); diff != "" {
			t.Errorf("changes differ (-want +got):\n%s", diff)
		}
		if a, b := r.logged("InfluxDB does not answer, services keep their replicas"), r.logged("InfluxDB answers again"); a != 1 || b != 1 {
			t.Errorf("outage logged %d times, its end %d times", a, b)
		}
	})
}

// A hold that begins while another one was just logged is logged when it has lasted; one that ends before is not.
func TestHoldThatLastsIsLoggedThoughAnotherWasJustBefore(t *testing.T) {
	var out bytes.Buffer
	records := &recorder{log: zerolog.New(&out), metrics: newMetrics(prometheus.NewRegistry()), board: newBoard()}
	subject, start := newSubject(demo(3)), time.Unix(1_767_225_600, 0)
	var logged []string
	for second := range 40 {
		d := policy.Decision{Service: "demo_app", At: start.Add(time.Duration(second) * time.Second), From: 3, To: 3, Verdict: policy.Hold, Held: "bounds"}
		switch {
		case second == 3 || second == 30: // for a second, which nobody has to read
			d.Verdict, d.Held = policy.Steady, ""
		case second >= 6:
			d.Held = "pause"
		}
		d.Reason = d.Held
		out.Reset()
		records.decided(&intent{subject: subject, decision: d})
		if out.Len() > 0 {
			logged = append(logged, fmt.Sprint(second, " ", d.Reason))
		}
	}
	if diff := cmp.Diff([]string{"0 bounds", "10 pause", "31 pause"}, logged); diff != "" {
		t.Errorf("log lines differ (-want +got):\n%s", diff)
	}
}

func TestHungInfluxStillKeepsTheBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(demo(1, "min=2"))
		r.influx.hang = true
		r.seconds(t, 1)
		if diff := cmp.Diff([]string{"demo_app 1->2"}, r.swarm.scaled); diff != "" {
			t.Errorf("changes differ (-want +got):\n%s", diff)
		}
	})
}

func TestFailedUpdateIsTriedAgainAndLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(demo(1, "min=2"))
		r.swarm.refuse = errors.New("rpc error: no leader")
		r.seconds(t, 5)
		if n := r.logged("replicas could not be set, trying again"); n != 1 {
			t.Errorf("logged %d times", n)
		}
		r.swarm.refuse = nil
		r.seconds(t, 1)
		if diff := cmp.Diff([]string{"demo_app 1->2"}, r.swarm.scaled); diff != "" {
			t.Errorf("changes differ (-want +got):\n%s", diff)
		}
	})
}

func TestBrokenBoundIsMendedAfterAHint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(demo(3))
		hints, ctx := make(chan struct{}, 1), t.Context()
		ctx, stop := context.WithCancel(ctx)
		go r.run(ctx, hints)
		time.Sleep(1500 * time.Millisecond)
		r.swarm.services[0].Replicas = 20
		hints <- struct{}{}
		time.Sleep(time.Second)
		stop()
		synctest.Wait()
		if diff := cmp.Diff([]string{"demo_app 20->10"}, r.swarm.scaled); diff != "" {
			t.Errorf("changes differ (-want +got):\n%s", diff)
		}
	})
}

func TestSwarmThatDoesNotAnswerDecidesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(demo(1, "min=2"))
		r.swarm.failure = errors.New("no route to host")
		r.seconds(t, 5)
		if len(r.swarm.scaled) > 0 || r.logged("the swarm does not answer, nothing is decided") != 1 {
			t.Errorf("scaled %v, log:\n%s", r.swarm.scaled, r.out)
		}
		r.swarm.failure = nil
		r.seconds(t, 1)
		if len(r.swarm.scaled) != 1 || r.logged("the swarm answers again") != 1 {
			t.Errorf("scaled %v, log:\n%s", r.swarm.scaled, r.out)
		}
	})
}

func TestInvalidAndGlobalServicesAreLeftAndSaySoOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken, global := demo(1, "min=20"), demo(0)
		broken.ID, broken.Name = "id2", "broken"
		global.ID, global.Name, global.Mode = "id3", "everywhere", swarm.Global
		r := newRig(broken, global, swarm.Service{ID: "id4", Name: "plain", Mode: swarm.Replicated, Replicas: 1})
		r.seconds(t, 25)
		if len(r.swarm.scaled) > 0 {
			t.Errorf("scaled %v", r.swarm.scaled)
		}
		if n := strings.Count(r.out.String(), `"level":"warn"`); n != 2 {
			t.Errorf("%d warnings:\n%s", n, r.out)
		}
		got := map[string]string{}
		for _, s := range r.recorder.board.all() {
			got[s.Service] = string(s.Verdict) + ": " + s.Reason
		}
		want := map[string]string{
			"broken":     `invalid: com.df.scale.min: must not be above max, 10, got "20"`,
			"everywhere": "refused: only a replicated service can be scaled, this is a global service or a job",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("verdicts differ (-want +got):\n%s", diff)
		}
	})
}

func TestRestartReadsThePastBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(demo(3, "stabilizeDown=30s"))
		r.load["demo_app"] = 290
		r.seconds(t, 60)
		r.load["demo_app"] = 50
		r.seconds(t, 25)
		r.restart()
		r.seconds(t, 5)
		if len(r.swarm.scaled) > 0 {
			t.Fatalf("scaled too early: %v", r.swarm.scaled)
		}
		r.seconds(t, 15) // 45 s after the load fell: the window and stabilizeDown are over
		if len(r.swarm.scaled) == 0 {
			t.Errorf("the restart made it forget, log:\n%s", r.out)
		}
	})
}

func TestQueriesAskOnlyForWhatIsNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(demo(3))
		r.load["demo_app"] = 290
		r.seconds(t, 9)
		if first := r.influx.reaches[0]; first != history {
			t.Errorf("the first query reaches back %s", first)
		}
		wide := 0
		for _, reach := range r.influx.reaches[1:] {
			if reach == widest {
				wide++
			} else if reach > narrowest {
				t.Errorf("a query reaches back %s", reach)
			}
		}
		if wide > 1 {
			t.Errorf("%d wide queries in nine seconds", wide)
		}
		r.influx.hang = true
		r.seconds(t, 30)
		if last := r.influx.reaches[len(r.influx.reaches)-1]; last != widest {
			t.Errorf("after many queries that took too long one still reaches back %s", last)
		}
	})
}

func TestProxyWithAWrongClockIsUnderstood(t *testing.T) {
	for _, wrong := range []time.Duration{-8 * time.Second, -2 * time.Second, 3 * time.Second, 40 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(demo(1))
			for range 30 {
				time.Sleep(time.Second)
				r.influx.write("demo_app", "proxy-1", time.Now().Add(wrong), 290)
				r.tick(t.Context())
			}
			if s, _ := r.recorder.board.get("demo_app"); s.Desired != 3 || len(s.Metrics) == 0 || s.Metrics[0].Missing != "" {
				t.Errorf("clock wrong by %s: %+v", wrong, s)
			}
		})
	}
}

func TestDeadProxyIsNotTakenForAWrongClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(demo(3, "stabilizeDown=0s"))
		r.influx.write("demo_app", "proxy-2", time.Now().Add(-8*time.Second), 200) // its last words
		r.load["demo_app"] = 50
		r.seconds(t, 60)
		s, _ := r.recorder.board.get("demo_app")
		if len(r.swarm.scaled) > 0 || !strings.Contains(s.Reason, "proxy proxy-2 has been silent") {
			t.Errorf("scaled %v: %s", r.swarm.scaled, s.Reason)
		}
	})
}

func TestStatusHasTheShapeOfTheContract(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(demo(3))
		r.load["demo_app"] = 290
		r.seconds(t, 2)
		s, _ := r.recorder.board.get("demo_app")
		data, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"service", "current", "desired", "running", "min", "max", "metrics", "verdict", "reason", "at", "decisions"} {
			if _, found := got[key]; !found {
				t.Errorf("%q is missing in %s", key, data)
			}
		}
	})
}

func TestPointsAreKeptForTheLongestWindow(t *testing.T) {
	r := newRig(demo(3, "window=5m", "windowOffset=2m"))
	r.loop.subjects["x"] = newSubject(demo(3, "window=5m", "windowOffset=2m"))
	r.loop.asked()
	if got, want := r.loop.feed.samples.keep, 7*time.Minute+policy.Lookback; got != want {
		t.Errorf("points are kept for %s, want %s", got, want)
	}
}

func TestMetricThatNobodyMeasuresHoldsAndSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(demo(3, "metric=cpu", "stabilizeDown=0s"))
		r.seconds(t, 20)
		s, _ := r.recorder.board.get("demo_app")
		if want := "no cpu measured within the last 2m: hold at 3"; s.Reason != want || len(r.swarm.scaled) > 0 {
			t.Errorf("%q, want %q; scaled %v", s.Reason, want, r.swarm.scaled)
		}
		for _, line := range r.spool.lines {
			if strings.Contains(line, "cpu=") {
				t.Errorf("written though it was not measured: %s", line)
			}
		}
	})
}

// `docker stack deploy` sets the replicas of its file, in the middle of the load.
func TestReplicasThatADeploymentTookAreGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(demo(3))
		r.load["demo_app"] = 25
		r.seconds(t, 20)
		r.swarm.services[0].Replicas, r.swarm.services[0].Version = 1, 9
		r.swarm.services[0].Update = "updating"
		r.loop.stale = true
		r.seconds(t, 1)
		if got := r.swarm.services[0].Replicas; got != 3 {
			s, _ := r.recorder.board.get("demo_app")
			t.Errorf("%d replicas, want 3: %s", got, s.Reason)
		}
	})
}
