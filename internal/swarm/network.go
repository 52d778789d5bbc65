package swarm

import (
	"context"
	"fmt"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
)

// Network is a network that spans the swarm.
type Network struct {
	ID   string
	Name string
}

// Networks lists the networks of swarm scope, the ingress network among them.
func (c *Client) Networks(ctx context.Context) ([]Network, error) {
	list, err := c.docker.NetworkList(ctx, network.ListOptions{Filters: filters.NewArgs(filters.Arg("scope", "swarm"))})
	if err != nil {
		return nil, fmt.Errorf("list networks: %w", err)
	}
	networks := make([]Network, 0, len(list))
	for _, n := range list {
		networks = append(networks, Network{ID: n.ID, Name: n.Name})
	}
	return networks, nil
}
