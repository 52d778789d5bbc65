package observe

import (
	"context"
	"fmt"
	"slices"

	"sluice/internal/swarm"
)

// cluster is what of the swarm's API is needed.
type cluster interface {
	Services(ctx context.Context, f swarm.Filter) ([]swarm.Service, error)
	Tasks(ctx context.Context, serviceIDs []string) ([]swarm.Task, error)
}

// Swarm counts the replicas of services at the swarm itself.
type Swarm struct {
	Cluster  cluster
	Services []string
}

// Name says what failed, in a report.
func (s Swarm) Name() string { return "swarm" }

// Look gives the replicas that each service asks for, and its tasks. A service that is not there yet, or not any more, is an error only
// when none of them is: an event of the scenario may remove one.
func (s Swarm) Look(ctx context.Context) (Reading, error) {
	services, err := s.Cluster.Services(ctx, swarm.Filter{})
	if err != nil {
		return Reading{}, err // which says what was asked
	}
	names, found := map[string]string{}, map[string]Replicas{} // name by ID; replicas by name
	var ids []string
	for _, service := range services {
		if slices.Contains(s.Services, service.Name) {
			ids, names[service.ID] = append(ids, service.ID), service.Name
			found[service.Name] = Replicas{Desired: service.Replicas, Waiting: new(int)}
		}
	}
	if len(ids) == 0 {
		return Reading{}, fmt.Errorf("find service %s: the swarm has none of that name", list(s.Services))
	}
	tasks, err := s.Cluster.Tasks(ctx, ids)
	if err != nil {
		return Reading{}, err
	}
	for _, task := range tasks {
		name, ok := names[task.ServiceID]
		if !ok {
			continue
		}
		r := found[name]
		if task.State == "running" {
			r.Running++
		} else {
			*r.Waiting++
		}
		found[name] = r
	}
	return Reading{Replicas: found}, nil
}
