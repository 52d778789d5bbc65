package swarm_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	dockerswarm "github.com/docker/docker/api/types/swarm"
	"github.com/google/go-cmp/cmp"

	"sluice/internal/swarm"
	"sluice/internal/swarm/swarmtest"
)

func TestScaleKeepsEveryFieldAndRestartsNoTask(t *testing.T) {
	t.Parallel()
	c := swarmtest.Need(t)
	s := swarmtest.Rich(t, swarmtest.Service{})
	first := swarmtest.Running(t, s.ID, 1)[0]
	before, inFirst := rawSpec(t, s.ID), containerOf(t, first.ID)
	for _, field := range []string{"Sysctls", "Ulimits", "CapabilityAdd", "Configs", "Secrets", "Healthcheck", "Init"} {
		if before["TaskTemplate"].(map[string]any)["ContainerSpec"].(map[string]any)[field] == nil {
			t.Fatalf("the engine took no %s: nothing is shown", field)
		}
	}

	labelled := swarm.Scaling{From: 1, To: 3, Label: "com.df.scale.state", Now: "1;<2>"}
	if err := c.Scale(t.Context(), s.ID, labelled); err != nil {
		t.Fatal(err)
	}
	before["Labels"].(map[string]any)["com.df.scale.state"] = "1;<2>"
	if diff := cmp.Diff(withReplicas(before, 3), rawSpec(t, s.ID)); diff != "" {
		t.Errorf("spec after 1 -> 3 (-want +got):\n%s", diff)
	}
	three := swarmtest.Running(t, s.ID, 3)
	if three[0].ID != first.ID || containerOf(t, first.ID) != inFirst {
		t.Errorf("task %s was replaced by %s", first.ID, three[0].ID)
	}

	scale(t, c, s.ID, 3, 1)
	if diff := cmp.Diff(before, rawSpec(t, s.ID)); diff != "" {
		t.Errorf("spec after 3 -> 1 (-want +got):\n%s", diff)
	}
	// The swarm chooses which task stays.
	last := swarmtest.Running(t, s.ID, 1)[0]
	survives := false
	for _, task := range three {
		survives = survives || task.ID == last.ID
	}
	if !survives {
		t.Errorf("the task that is left, %s, is a new one", last.ID)
	}
}

func TestScaleInARaceIsDoneOnce(t *testing.T) {
	c := swarmtest.Need(t)
	s := swarmtest.Start(t, swarmtest.Service{})
	swarmtest.Running(t, s.ID, 1)
	const rivals = 4
	errs := make([]error, rivals)
	var group sync.WaitGroup
	for i := range rivals {
		group.Go(func() { errs[i] = c.Scale(t.Context(), s.ID, swarm.Scaling{From: 1, To: 2 + i%2}) })
	}
	group.Wait()
	won := 0
	for i, err := range errs {
		switch {
		case err == nil:
			won++
			if got := swarmtest.Inspect(t, s.ID).Replicas; got != 2+i%2 {
				t.Errorf("the winner wanted %d replicas, there are %d", 2+i%2, got)
			}
		case !errors.Is(err, swarm.ErrChanged):
			t.Errorf("a loser got %v", err)
		}
	}
	if won != 1 {
		t.Errorf("%d of %d won: %v", won, rivals, errs)
	}
}

func TestScaleComesThroughWhileOthersSetLabels(t *testing.T) {
	c := swarmtest.Need(t)
	s := swarmtest.Start(t, swarmtest.Service{None: true})
	const rounds = 5
	var group sync.WaitGroup
	group.Go(func() {
		for i := range rounds {
			swarmtest.Label(t, s.ID, "round", strconv.Itoa(i))
		}
	})
	group.Go(func() {
		for i := range rounds {
			// Three attempts are not always enough against somebody who never rests.
			swarmtest.Wait(t, "scaling", func(ctx context.Context) bool {
				return c.Scale(ctx, s.ID, swarm.Scaling{From: i % 2, To: (i + 1) % 2}) == nil
			})
		}
	})
	group.Wait()
	if got := swarmtest.Inspect(t, s.ID); got.Replicas != rounds%2 || got.Labels["round"] != strconv.Itoa(rounds-1) {
		t.Errorf("%d replicas, label %q", got.Replicas, got.Labels["round"])
	}
}

func TestScaleAndRollback(t *testing.T) {
	t.Parallel()
	c := swarmtest.Need(t)
	s := swarmtest.Start(t, swarmtest.Service{Env: []string{"RELEASE=1"}})
	first := swarmtest.Running(t, s.ID, 1)[0]
	swarmtest.Change(t, s.ID, func(spec *dockerswarm.ServiceSpec) {
		spec.TaskTemplate.ContainerSpec.Env = append(spec.TaskTemplate.ContainerSpec.Env, "RELEASE=2")
	})
	swarmtest.Wait(t, "the release to run", func(context.Context) bool {
		return swarmtest.Running(t, s.ID, 1)[0].ID != first.ID
	})
	swarmtest.Wait(t, "the update to complete", func(context.Context) bool { return swarmtest.Inspect(t, s.ID).Update == "completed" })
	scale(t, c, s.ID, 1, 2)
	released := rawSpec(t, s.ID)
	swarmtest.Rollback(t, s.ID)
	// What a rollback takes back is the last update, and that was the scaling: the release stays.
	if diff := cmp.Diff(withReplicas(released, 1), rawSpec(t, s.ID)); diff != "" {
		t.Errorf("spec after rollback (-want +got):\n%s", diff)
	}
	// And scaling goes on from there, once the state of the update stands still: a Scale that rests on an older one fails.
	swarmtest.Wait(t, "the rollback to complete", func(context.Context) bool {
		return swarmtest.Inspect(t, s.ID).Update == "rollback_completed"
	})
	scale(t, c, s.ID, 1, 3)
	swarmtest.Running(t, s.ID, 3)
}

func TestLabelsRestartNoTask(t *testing.T) {
	t.Parallel()
	s := swarmtest.Start(t, swarmtest.Service{})
	before := swarmtest.Running(t, s.ID, 1)[0]
	in := containerOf(t, before.ID)
	swarmtest.Label(t, s.ID, "com.df.servicePath", "/new")
	after := swarmtest.Running(t, s.ID, 1)[0]
	if diff := cmp.Diff(before.ID+in, after.ID+containerOf(t, after.ID)); diff != "" {
		t.Errorf("another task or container (-before +after):\n%s", diff)
	}
	if got := swarmtest.Inspect(t, s.ID); got.Version <= s.Version || got.Labels["com.df.servicePath"] != "/new" {
		t.Errorf("%+v", got)
	}
}

func TestScaleOfWhatCannotBeScaled(t *testing.T) {
	c := swarmtest.Need(t)
	global := swarmtest.Start(t, swarmtest.Service{Global: true})
	if err := c.Scale(t.Context(), global.ID, swarm.Scaling{From: 1, To: 2}); !errors.Is(err, swarm.ErrNotReplicated) {
		t.Errorf("global: %v", err)
	}
	s := swarmtest.Start(t, swarmtest.Service{Replicas: 1})
	if err := c.Scale(t.Context(), s.ID, swarm.Scaling{From: 2, To: 3}); !errors.Is(err, swarm.ErrChanged) {
		t.Errorf("replicas that never were: %v", err)
	}
	swarmtest.Remove(t, s.ID)
	if err := c.Scale(t.Context(), s.ID, swarm.Scaling{From: 1, To: 2}); !errors.Is(err, swarm.ErrNotFound) {
		t.Errorf("removed: %v", err)
	}
}

func scale(t *testing.T, c *swarm.Client, id string, from, to int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := c.Scale(ctx, id, swarm.Scaling{From: from, To: to, Update: swarmtest.Inspect(t, id).Update}); err != nil {
		t.Fatal(err)
	}
}

// rawSpec is the spec of a service as the engine tells it, not as the types have it.
func rawSpec(t *testing.T, id string) map[string]any {
	t.Helper()
	_, raw, err := swarmtest.Docker(t).ServiceInspectWithRaw(t.Context(), id, dockerswarm.ServiceInspectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var service struct{ Spec map[string]any }
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if err := decoder.Decode(&service); err != nil {
		t.Fatal(err)
	}
	return service.Spec
}

func withReplicas(spec map[string]any, n int) map[string]any {
	changed := make(map[string]any, len(spec))
	for key, value := range spec {
		changed[key] = value
	}
	changed["Mode"] = map[string]any{"Replicated": map[string]any{"Replicas": json.Number(strconv.Itoa(n))}}
	return changed
}
