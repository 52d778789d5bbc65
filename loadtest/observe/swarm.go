package observe

import (
	"context"
	"fmt"

	"sluice/internal/swarm"
)

// cluster is what of the swarm's API is needed.
type cluster interface {
	Services(ctx context.Context, f swarm.Filter) ([]swarm.Service, error)
	Tasks(ctx context.Context, serviceIDs []string) ([]swarm.Task, error)
}

// Swarm counts the replicas of one service at the swarm itself.
type Swarm struct {
	Cluster cluster
	Service string
}

// Name says what failed, in a report.
func (s Swarm) Name() string { return "swarm" }

// Look gives the replicas that the service asks for and those whose tasks run.
func (s Swarm) Look(ctx context.Context) (Reading, error) {
	services, err := s.Cluster.Services(ctx, swarm.Filter{})
	if err != nil {
		return Reading{}, fmt.Errorf("list services: %w", err)
	}
	for _, service := range services {
		if service.Name != s.Service {
			continue
		}
		tasks, err := s.Cluster.Tasks(ctx, []string{service.ID})
		if err != nil {
			return Reading{}, fmt.Errorf("list tasks of %s: %w", s.Service, err)
		}
		replicas := Replicas{Desired: service.Replicas}
		for _, task := range tasks {
			if task.State == "running" {
				replicas.Running++
			}
		}
		return Reading{Replicas: &replicas}, nil
	}
	return Reading{}, fmt.Errorf("find service %s: the swarm has none of that name", s.Service)
}
