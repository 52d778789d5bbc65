package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	dockerswarm "github.com/docker/docker/api/types/swarm"
	"github.com/google/go-cmp/cmp"

	"sluice/internal/swarm"
	"sluice/internal/swarm/swarmtest"
	"sluice/policy"
)

// TestOnTheRealSwarm runs all scenarios at once, whatever the number of cores: they wait for the swarm most of the time.
func TestOnTheRealSwarm(t *testing.T) {
	// Beside TestOnTheRealInfluxDB.
	t.Parallel()
	swarmtest.Image(t) // made once
	var all sync.WaitGroup
	for name, scenario := range map[string]func(*testing.T){
		"scalingLeavesEverythingElseAndRestartsNoTask": scalingLeavesEverythingElseAndRestartsNoTask,
		"stackDeployIsUndone":                          stackDeployIsUndone,
		"updateInProgressAndOtherLabels":               updateInProgressAndOtherLabels,
		"manualScaleAndRollback":                       manualScaleAndRollback,
		"failedUpdateIsRolledBack":                     failedUpdateIsRolledBack,
		"scalesBetweenTheWritesOfOthers":               scalesBetweenTheWritesOfOthers,
		"tasksThatNeverRun":                            tasksThatNeverRun,
		"servicesThatTheFilterLeavesOut":               servicesThatTheFilterLeavesOut,
		"globalServiceAndJobAreRefused":                globalServiceAndJobAreRefused,
		"serviceIsRemovedMidTick":                      serviceIsRemovedMidTick,
		"scalerIsKilledAtAnyMoment":                    scalerIsKilledAtAnyMoment,
		"twoScalersSideBySideTakeEachStepOnce":         twoScalersSideBySideTakeEachStepOnce,
	} {
		all.Go(func() { t.Run(name, scenario) })
	}
	all.Wait()
}

// The whole specification, with every field set that there is, stays as it is but for replicas and state; no task
// restarts, and max is kept.
func scalingLeavesEverythingElseAndRestartsNoTask(t *testing.T) {
	s := swarmtest.Rich(t, swarmtest.Service{Labels: brisk("max=2")})
	first := swarmtest.Running(t, s.ID, 1)[0]
	before := spec(t, s.ID)
	c := watchOver(t, s, 90)
	c.replicas(2)
	after := spec(t, s.ID)
	state, _ := after["Labels"].(map[string]any)[policy.StateLabel].(string)
	if st, err := policy.DecodeState(state); err != nil || st.Decided != 2 || len(st.Changes) == 0 {
		t.Errorf("state %q: %v", state, err)
	}
	delete(after["Labels"].(map[string]any), policy.StateLabel)
	before["Mode"].(map[string]any)["Replicated"].(map[string]any)["Replicas"] = 2.0
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("the specification has changed (-before +after):\n%s", diff)
	}
	running := swarmtest.Running(t, s.ID, 2)
	if running[0].ID != first.ID {
		t.Errorf("task %s was replaced by %s", first.ID, running[0].ID)
	}
	c.says("but max is 2: hold at 2")
	ids := map[string]bool{}
	for _, task := range running {
		ids[task.ID] = true
	}
	c.sessions(5)
	c.replicas(1)
	if last := swarmtest.Running(t, s.ID, 1)[0]; !ids[last.ID] {
		t.Errorf("task %s is a new one", last.ID)
	}
}

// spec is the specification as the engine tells it.
func spec(t *testing.T, id string) map[string]any {
	t.Helper()
	_, raw, err := swarmtest.Docker(t).ServiceInspectWithRaw(t.Context(), id, dockerswarm.ServiceInspectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var service struct{ Spec map[string]any }
	if err := json.Unmarshal(raw, &service); err != nil {
		t.Fatal(err)
	}
	return service.Spec
}

// `docker stack deploy` sets the replicas of its file and drops the label of the state, in the middle of the load.
func stackDeployIsUndone(t *testing.T) {
	image, stack := swarmtest.Image(t), fmt.Sprintf("scaletest%d", os.Getpid())
	file := filepath.Join(t.TempDir(), "stack.yml")
	var labels strings.Builder
	for key, value := range brisk() {
		fmt.Fprintf(&labels, "        %s: %q\n", key, value)
	}
	deploy := func(more string) {
		content := "version: \"3.8\"\nservices:\n  app:\n    image: " + image + "\n    deploy:\n      endpoint_mode: dnsrr\n      replicas: 1\n      placement: {constraints: [node.labels.nowhere==1]}\n      labels:\n" + labels.String() + more
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		docker(t, "stack", "deploy", "--resolve-image", "never", "-c", file, stack)
	}
	t.Cleanup(func() { docker(t, "stack", "rm", stack) })
	deploy("")
	services, err := swarmtest.Need(t).Services(t.Context(), swarm.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	at := -1
	for i, s := range services {
		if s.Name == stack+"_app" {
			at = i
		}
	}
	if at < 0 {
		t.Fatal("the stack has no service")
	}
	c := watchOver(t, services[at], 35)
	c.replicas(4)
	for _, file := range []string{"", "        again: \"1\"\n"} { // the same file, and one with another label
		began := time.Now()
		deploy(file)
		c.replicas(4)
		t.Logf("the deployment and what it takes to restore: %s", time.Since(began).Round(10*time.Millisecond))
		c.decides(2)
		c.replicas(4)
	}
	restored := c.sets(1, 4)
	if restored != 3 { // the start, and two deployments: none took a detour
		t.Errorf("from 1 to 4 %d times", restored)
	}
}

func docker(t *testing.T, args ...string) {
	t.Helper()
	command := exec.Command("docker", args...)
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("docker %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// While an update is in progress nothing moves; what was wanted is done when it is over, and the update is not disturbed.
// Somebody else's labels are taken over at once, and with them the new bounds; the cooldown stays.
func updateInProgressAndOtherLabels(t *testing.T) {
	s := swarmtest.Start(t, swarmtest.Service{Replicas: 2, Labels: brisk("max=3"), Edit: func(spec *dockerswarm.ServiceSpec) {
		spec.UpdateConfig = &dockerswarm.UpdateConfig{Parallelism: 1, Delay: 8 * time.Second, Monitor: time.Second, Order: "start-first"}
	}})
	swarmtest.Running(t, s.ID, 2)
	c := watchOver(t, s, 15)
	c.says("steady")
	swarmtest.Change(t, s.ID, func(spec *dockerswarm.ServiceSpec) { spec.TaskTemplate.ForceUpdate++ })
	swarmtest.Wait(t, "the update to begin", func(context.Context) bool { return swarmtest.Inspect(t, s.ID).Update == "updating" })
	c.sessions(100)
	c.says("an update of the service is in progress: hold at 2")
	c.replicas(3)
	if got := swarmtest.Inspect(t, s.ID).Update; got == "updating" {
		t.Error("scaled in the middle of the update")
	}
	swarmtest.Running(t, s.ID, 3)
	swarmtest.Label(t, s.ID, policy.Prefix+"max", "4")
	c.replicas(4)
	swarmtest.Label(t, s.ID, policy.Prefix+"min", "40")
	c.says("invalid: com.df.scale.min: must not be above max, 4")
}

// Replicas that somebody else sets: fewer are given back, more are kept until they are not needed; a rollback takes back
// the scaler's step, not the release before it, and is undone like any other.
func manualScaleAndRollback(t *testing.T) {
	s := swarmtest.Start(t, swarmtest.Service{None: true, Labels: brisk(), Env: []string{"RELEASE=1"}, Edit: nowhere})
	swarmtest.Change(t, s.ID, func(spec *dockerswarm.ServiceSpec) {
		spec.TaskTemplate.ContainerSpec.Env = append(spec.TaskTemplate.ContainerSpec.Env, "RELEASE=2")
	})
	c := watchOver(t, s, 30)
	c.replicas(3)
	docker(t, "service", "scale", "--detach", s.Name+"=1")
	swarmtest.Wait(t, "the replicas to be given back", func(context.Context) bool { return c.sets(1, 3) == 1 })
	c.replicas(3)
	docker(t, "service", "scale", "--detach", s.Name+"=4")
	c.says("tasks starting: hold at 4") // a step down waits for what somebody else has ordered
	c.replicas(4)
	c.sessions(40)
	docker(t, "service", "scale", "--detach", s.Name+"=2")
	swarmtest.Wait(t, "the replicas to be given back", func(context.Context) bool { return c.sets(2, 4) == 1 })
	swarmtest.Rollback(t, s.ID)
	swarmtest.Wait(t, "the rollback to be undone", func(context.Context) bool { return c.sets(2, 4) == 2 })
	c.replicas(4)
	var release []string
	for _, env := range spec(t, s.ID)["TaskTemplate"].(map[string]any)["ContainerSpec"].(map[string]any)["Env"].([]any) {
		if text := env.(string); strings.HasPrefix(text, "RELEASE=") {
			release = append(release, text)
		}
	}
	if diff := cmp.Diff([]string{"RELEASE=1", "RELEASE=2"}, release); diff != "" {
		t.Errorf("the release after the rollback (-want +got):\n%s", diff)
	}
}

// An update whose tasks fail goes back by itself (failure_action: rollback), because nothing is written until it is over:
// what is written meanwhile would be what the engine goes back to. Then the load that came gets its replicas.
func failedUpdateIsRolledBack(t *testing.T) {
	s := swarmtest.Start(t, swarmtest.Service{Replicas: 2, Labels: brisk(), Edit: func(spec *dockerswarm.ServiceSpec) {
		spec.UpdateConfig = &dockerswarm.UpdateConfig{Parallelism: 1, Monitor: time.Minute, FailureAction: "rollback"}
		spec.RollbackConfig = &dockerswarm.UpdateConfig{Parallelism: 1, Monitor: 8 * time.Second}
	}})
	swarmtest.Running(t, s.ID, 2)
	c := watchOver(t, s, 15)
	c.says("steady")
	swarmtest.Change(t, s.ID, func(spec *dockerswarm.ServiceSpec) { spec.TaskTemplate.ContainerSpec.Args = []string{"check"} }) // fails at once
	swarmtest.Wait(t, "the update to begin", func(context.Context) bool {
		state := swarmtest.Inspect(t, s.ID).Update
		return state == "updating" || state == "rollback_started"
	})
	c.sessions(30)
	c.says("an update of the service is in progress: hold at 2")
	c.replicas(3)
	swarmtest.Wait(t, "the scaler to say so", func(context.Context) bool { return c.sets(2, 3) > 0 })
	if n := c.sets(2, 3); n != 1 {
		t.Errorf("from 2 to 3 %d times", n)
	}
	if args := spec(t, s.ID)["TaskTemplate"].(map[string]any)["ContainerSpec"].(map[string]any)["Args"]; args != nil {
		t.Errorf("the service still has what failed: %v", args)
	}
	swarmtest.Running(t, s.ID, 3)
}

// A scaler with a filter leaves other services to others, and takes one over as soon as it has the label.
func servicesThatTheFilterLeavesOut(t *testing.T) {
	s := swarmtest.Start(t, swarmtest.Service{None: true, Labels: brisk(), Edit: nowhere})
	swarmtest.Label(t, s.ID, "crew", "other")
	c := newScaling(t, s, 30)
	c.loop.filter.Label = "crew=ours"
	looked := func(context.Context) bool {
		c.loop.stale = true
		c.loop.tick(t.Context())
		return c.loop.failure == ""
	}
	swarmtest.Wait(t, "a look at the swarm", looked)
	if _, found := c.loop.recorder.board.get(s.Name); found {
		t.Error("it was looked at")
	}
	swarmtest.Label(t, s.ID, "crew", "ours")
	swarmtest.Wait(t, "another one", looked)
	if got, found := c.loop.recorder.board.get(s.Name); !found {
		t.Errorf("it was not looked at: %+v", got)
	}
}

// nowhere leaves all tasks pending: they cost nothing where they do not matter.
func nowhere(spec *dockerswarm.ServiceSpec) {
	spec.TaskTemplate.Placement = &dockerswarm.Placement{Constraints: []string{"node.labels.nowhere==1"}}
}

// Somebody else writes the service all the time.
func scalesBetweenTheWritesOfOthers(t *testing.T) {
	s := swarmtest.Start(t, swarmtest.Service{Labels: brisk(), Edit: nowhere})
	c := watchOver(t, s, 5)
	c.says("steady")
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := range 20 {
			swarmtest.Label(t, s.ID, "round", fmt.Sprint(n))
		}
	}()
	c.sessions(40)
	c.replicas(4)
	<-done
	c.decides(2)
	if got := swarmtest.Inspect(t, s.ID); got.Replicas != 4 || got.Labels["round"] != "19" {
		t.Errorf("%d replicas, round %s", got.Replicas, got.Labels["round"])
	}
}

// Tasks that never run, for want of an image or of health, neither stop the scaler nor make it write again and again.
func tasksThatNeverRun(t *testing.T) {
	for name, edit := range map[string]func(*dockerswarm.ServiceSpec){
		"no image": func(spec *dockerswarm.ServiceSpec) { spec.TaskTemplate.ContainerSpec.Image = "127.0.0.1:1/missing:1" },
		"no health": func(spec *dockerswarm.ServiceSpec) {
			spec.TaskTemplate.ContainerSpec.Healthcheck = &container.HealthConfig{Test: []string{"CMD", "/app", "nothing"}, Interval: time.Second, Timeout: 500 * time.Millisecond, Retries: 2}
			delay := 5 * time.Second
			spec.TaskTemplate.RestartPolicy.Delay = &delay
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := swarmtest.Start(t, swarmtest.Service{Labels: brisk("max=2"), Edit: edit})
			c := watchOver(t, s, 90)
			c.replicas(2)
			c.says("but max is 2: hold at 2")
			before := swarmtest.Inspect(t, s.ID).Labels[policy.StateLabel]
			c.decides(4)
			if after := swarmtest.Inspect(t, s.ID).Labels[policy.StateLabel]; before != after {
				t.Errorf("written again: %s, then %s", before, after)
			}
			status, _ := c.loop.recorder.board.get(s.Name)
			if name == "no image" && status.Running != 0 {
				t.Errorf("%d run", status.Running)
			}
		})
	}
}

// A global service and a job are refused, with a reason, and left alone.
func globalServiceAndJobAreRefused(t *testing.T) {
	for name, service := range map[string]swarmtest.Service{
		"global": {Global: true, Labels: brisk()},
		"job": {Labels: brisk(), Edit: func(spec *dockerswarm.ServiceSpec) {
			one := uint64(1)
			spec.Mode = dockerswarm.ServiceMode{ReplicatedJob: &dockerswarm.ReplicatedJob{MaxConcurrent: &one, TotalCompletions: &one}}
			spec.TaskTemplate.ContainerSpec.Args = []string{"check"} // ends at once
			spec.TaskTemplate.RestartPolicy = &dockerswarm.RestartPolicy{Condition: "none"}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := swarmtest.Start(t, service)
			c := watchOver(t, s, 90)
			c.says("refused: only a replicated service can be scaled, this is a global service or a job")
			c.decides(2)
			if got := swarmtest.Inspect(t, s.ID).Labels[policy.StateLabel]; got != "" {
				t.Errorf("written: %s", got)
			}
		})
	}
}

// A service that is removed between the look and the write is no trouble for the others.
func serviceIsRemovedMidTick(t *testing.T) {
	gone, stays := swarmtest.Start(t, swarmtest.Service{None: true, Labels: brisk("min=2")}), swarmtest.Start(t, swarmtest.Service{None: true, Labels: brisk("min=2")})
	ctx := t.Context()
	c := newScaling(t, stays, 5, gone.Name)
	c.swarm.before = func() { swarmtest.Remove(t, gone.ID) }
	c.loop.tick(ctx)
	// An engine that is busy may answer a tick too late.
	swarmtest.Wait(t, "the other one to be scaled, and to be alone on the API", func(context.Context) bool {
		c.loop.tick(ctx)
		list := c.loop.recorder.board.all()
		return len(list) == 1 && list[0].Service == stays.Name && swarmtest.Inspect(t, stays.ID).Replicas == 2
	})
}
