package swarm

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/swarm"
)

// stackLabel is set by `docker stack deploy`.
const stackLabel = "com.docker.stack.namespace"

// Mode is how the swarm runs a service.
type Mode string

// The modes. Job stands for replicated and for global jobs.
const (
	Replicated Mode = "replicated"
	Global     Mode = "global"
	Job        Mode = "job"
)

// Service is one service of the swarm.
type Service struct {
	ID       string
	Name     string
	Stack    string            // of `docker stack deploy`, "" if none
	Labels   map[string]string // of the service, not of its containers; nil if none; not to be changed
	Version  uint64            // rises with every change, those of the swarm (progress of an update) included
	Mode     Mode
	Replicas int      // desired; 0 for Global and Job
	Networks []string // IDs, in the spec's order
	Update   string   // state of the last rolling update ("updating", "paused", "completed", "rollback_…"), "" if there was none
	Image    string   // as in the spec
	Updated  time.Time
	Former   map[string]string // labels before the last change of the spec; nil if there was none
}

// Filter narrows a list of services. The zero value takes all.
type Filter struct {
	Label string // services that carry this label: KEY, whatever its value, or KEY=VALUE
}

// Services lists the services in the engine's order. The engine applies the filter.
func (c *Client) Services(ctx context.Context, f Filter) ([]Service, error) {
	args := filters.NewArgs()
	if f.Label != "" {
		args.Add("label", f.Label)
	}
	services, err := c.services.ask(ctx, c, args)
	if err != nil {
		return nil, fmt.Errorf("list services: %w", err)
	}
	return services, nil
}

func decodeService(object []byte) (Service, error) {
	var s swarm.Service
	err := json.Unmarshal(object, &s)
	return serviceOf(s), err
}

func serviceOf(s swarm.Service) Service {
	service := Service{
		ID:       s.ID,
		Name:     s.Spec.Name,
		Stack:    s.Spec.Labels[stackLabel],
		Labels:   s.Spec.Labels,
		Version:  s.Version.Index,
		Mode:     modeOf(s.Spec.Mode),
		Replicas: replicasOf(s.Spec.Mode),
		Networks: networksOf(s.Spec),
		Updated:  s.UpdatedAt,
	}
	if s.PreviousSpec != nil {
		service.Former = s.PreviousSpec.Labels
	}
	if s.UpdateStatus != nil {
		service.Update = string(s.UpdateStatus.State)
	}
	if s.Spec.TaskTemplate.ContainerSpec != nil {
		service.Image = s.Spec.TaskTemplate.ContainerSpec.Image
	}
	return service
}

func modeOf(m swarm.ServiceMode) Mode {
	switch {
	case m.Replicated != nil:
		return Replicated
	case m.Global != nil:
		return Global
	default: // a mode that this version does not know must not be scaled either
		return Job
	}
}

func replicasOf(m swarm.ServiceMode) int {
	if m.Replicated == nil || m.Replicated.Replicas == nil {
		return 0
	}
	return int(*m.Replicated.Replicas)
}

// networksOf returns the networks of the task template and those of the service,
// where API versions before 1.25 put them.
func networksOf(spec swarm.ServiceSpec) []string {
	var ids []string
	//lint:ignore SA1019 old services have it still
	for _, n := range slices.Concat(spec.TaskTemplate.Networks, spec.Networks) {
		if !slices.Contains(ids, n.Target) {
			ids = append(ids, n.Target)
		}
	}
	return ids
}
