package swarm

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/swarm"
)

// Container gives the ID of the container of the nth task (from 1, by slot) of a service,
// among those that run on this engine.
func (c *Client) Container(ctx context.Context, service string, nth int) (string, error) {
	running, err := c.docker.ContainerList(ctx, container.ListOptions{
		All: true, // paused ones too
		Filters: filters.NewArgs(
			filters.Arg("label", "com.docker.swarm.service.name="+service),
			filters.Arg("status", "running"), filters.Arg("status", "paused"),
		),
	})
	if err != nil {
		return "", fmt.Errorf("list containers of %s: %w", service, err)
	}
	tasks, err := c.docker.TaskList(ctx, swarm.TaskListOptions{Filters: filters.NewArgs(filters.Arg("service", service))})
	if err != nil {
		return "", fmt.Errorf("list tasks of %s: %w", service, notFound(err))
	}
	slots := map[string]int{} // by task
	for _, t := range tasks {
		slots[t.ID] = t.Slot
	}
	slices.SortFunc(running, func(a, b container.Summary) int {
		const task = "com.docker.swarm.task.id"
		return cmp.Or(cmp.Compare(slots[a.Labels[task]], slots[b.Labels[task]]), cmp.Compare(a.Created, b.Created))
	})
	if nth < 1 || nth > len(running) {
		return "", fmt.Errorf("find task %s of %s: %d run on this engine", strconv.Itoa(nth), service, len(running))
	}
	return running[nth-1].ID, nil
}

// Kill sends a signal, such as KILL, to a container.
func (c *Client) Kill(ctx context.Context, id, signal string) error {
	return named("kill", id, c.docker.ContainerKill(ctx, id, signal))
}

// Stop asks a container to end and kills it when its time for that is over.
func (c *Client) Stop(ctx context.Context, id string) error {
	return named("stop", id, c.docker.ContainerStop(ctx, id, container.StopOptions{}))
}

// Start starts a container that has ended.
func (c *Client) Start(ctx context.Context, id string) error {
	return named("start", id, c.docker.ContainerStart(ctx, id, container.StartOptions{}))
}

// Pause freezes all processes of a container; Resume lets them go on.
func (c *Client) Pause(ctx context.Context, id string) error {
	return named("pause", id, c.docker.ContainerPause(ctx, id))
}

// Resume lets the processes of a paused container go on.
func (c *Client) Resume(ctx context.Context, id string) error {
	return named("resume", id, c.docker.ContainerUnpause(ctx, id))
}

func named(what, id string, err error) error {
	if err != nil {
		return fmt.Errorf("%s container %s: %w", what, id, err)
	}
	return nil
}
