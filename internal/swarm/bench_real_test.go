package swarm_test

import (
	"context"
	"testing"

	dockerswarm "github.com/docker/docker/api/types/swarm"

	"sluice/internal/swarm"
	"sluice/internal/swarm/swarmtest"
)

// BenchmarkTasks and BenchmarkServices measure one list of 100 tasks and of 20 services.
// The tasks find no node, so they cost the machine nothing.

func BenchmarkTasks(b *testing.B) {
	c, network := swarmtest.Need(b), swarmtest.Network(b)
	s := swarmtest.Start(b, swarmtest.Service{Replicas: 100, Networks: []string{network.ID}, Edit: nowhere})
	swarmtest.Wait(b, "100 tasks", func(ctx context.Context) bool {
		tasks, err := c.Tasks(ctx, []string{s.ID})
		return err == nil && len(tasks) == 100 && len(tasks[99].Addresses) == 1
	})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Tasks(b.Context(), []string{s.ID}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkServices(b *testing.B) {
	c := swarmtest.Need(b)
	for range 20 {
		swarmtest.Start(b, swarmtest.Service{None: true, Labels: map[string]string{"com.df.benchmark": "true"}})
	}
	b.ReportAllocs()
	for b.Loop() {
		services, err := c.Services(b.Context(), swarm.Filter{Label: "com.df.benchmark"})
		if err != nil || len(services) != 20 {
			b.Fatal(len(services), err)
		}
	}
}

func nowhere(spec *dockerswarm.ServiceSpec) {
	spec.TaskTemplate.Placement = &dockerswarm.Placement{Constraints: []string{"node.labels.nowhere==true"}}
}
