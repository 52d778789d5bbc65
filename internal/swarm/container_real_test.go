package swarm_test

import (
	"context"
	"strings"
	"testing"

	"sluice/internal/swarm/swarmtest"
)

func TestTheContainerOfATaskCanBeFrozenAndKilled(t *testing.T) {
	t.Parallel()
	c, docker := swarmtest.Need(t), swarmtest.Docker(t)
	s := swarmtest.Start(t, swarmtest.Service{Replicas: 2})
	swarmtest.Running(t, s.ID, 2)
	id, err := c.Container(t.Context(), s.Name, 2)
	if err != nil {
		t.Fatal(err)
	}
	state := func() string {
		inspected, err := docker.ContainerInspect(t.Context(), id)
		if err != nil {
			return err.Error()
		}
		return inspected.State.Status
	}
	if err := c.Pause(t.Context(), id); err != nil || state() != "paused" {
		t.Errorf("after Pause: %s, error %v", state(), err)
	}
	if again, err := c.Container(t.Context(), s.Name, 2); again != id {
		t.Errorf("the paused container is not the second any more: %s, error %v", again, err)
	}
	if err := c.Resume(t.Context(), id); err != nil || state() != "running" {
		t.Errorf("after Resume: %s, error %v", state(), err)
	}
	if err := c.Kill(t.Context(), id, "KILL"); err != nil {
		t.Error(err)
	}
	swarmtest.Wait(t, "another container in its place", func(ctx context.Context) bool {
		next, err := c.Container(ctx, s.Name, 2)
		return err == nil && next != id
	})
	if _, err := c.Container(t.Context(), s.Name, 3); err == nil || !strings.Contains(err.Error(), "2 run on this engine") {
		t.Errorf("error %v, want that 2 run", err)
	}
}
