// Package swarm is everything of the Docker API that Sluice uses, and its only importer.
//
//	Services, Tasks, Networks   what the swarm holds, as plain values; a whole list or an error
//	Watch                       "look again", without a payload
//	Scale                       the one write of the scaler: replicas, a label of its own, and nothing else
//
// It needs the API of a swarm manager, by its socket or through a socket proxy.
// Facts about the engine's behaviour in this package were measured with Docker Engine
// 20.10.24 (API 1.41) unless a comment says otherwise.
package swarm

import (
	"context"
	"errors"
	"fmt"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/client"
)

var (
	// ErrNotFound says that the service does not exist (any more).
	ErrNotFound = errors.New("service not found")
	// ErrNotReplicated says that the service is global or a job: it has no number of replicas to set.
	ErrNotReplicated = errors.New("service is not replicated")
	// ErrChanged says that somebody else changed the replicas or the label: the decision rests on what is no more.
	ErrChanged = errors.New("replicas have changed")
)

// Client talks to one engine. It is safe for concurrent use.
type Client struct {
	// Warned, unless nil, is told what the engine remarked about an update that it
	// accepted. Set it before the first Scale.
	Warned func(serviceID, warning string)

	host     string
	docker   *client.Client
	services *lists[Service]
	tasks    *lists[listedTask]
}

// Open makes a client of the engine at host ("unix:///path" or "tcp://address:port";
// "" is unix:///var/run/docker.sock). It does not connect: the first call does, and
// agrees with the engine on the API version.
func Open(host string) (*Client, error) {
	if host == "" {
		host = client.DefaultDockerHost
	}
	docker, err := connect(host)
	if err != nil {
		return nil, err
	}
	return &Client{host: host, docker: docker, services: newLists("services", decodeService), tasks: newLists("tasks", decodeTask)}, nil
}

func connect(host string) (*client.Client, error) {
	docker, err := client.NewClientWithOpts(client.WithHost(host), client.WithAPIVersionNegotiation())
	if err != nil {
		return nil, fmt.Errorf("open docker client %s: %w", host, err)
	}
	return docker, nil
}

// Close drops idle connections.
func (c *Client) Close() error { return c.docker.Close() }

// Ping says whether the engine answers. It does not say that the engine manages a
// swarm: only a listing does.
func (c *Client) Ping(ctx context.Context) error {
	if _, err := c.docker.Ping(ctx); err != nil {
		return fmt.Errorf("ping docker: %w", err)
	}
	return nil
}

// notFound translates the engine's 404 to ErrNotFound and leaves other errors alone.
func notFound(err error) error {
	if cerrdefs.IsNotFound(err) {
		return ErrNotFound
	}
	return err
}
