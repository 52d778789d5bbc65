// Package swarmtest lets tests use the real Docker Swarm.
//
//	c := swarmtest.Need(t)                                    // *swarm.Client, or the test is skipped
//	network := swarmtest.Network(t)                           // an overlay network
//	s := swarmtest.Start(t, swarmtest.Service{Networks: []string{network.ID}, Replicas: 2})
//	swarmtest.Running(t, s.ID, 2)                             // waits for its tasks
//
// What a test creates has a name of its own and is removed at the test's end, after a
// panic too. What a killed test left behind is removed by the next one.
package swarmtest

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	dockerswarm "github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/client"

	"sluice/internal/swarm"
)

// patience is how long the engine gets for one thing before a test fails.
const patience = 3 * time.Minute

// Labels on everything that a test creates: who may still need it.
const (
	ownerPID  = "sluice.swarmtest.pid"
	ownerHost = "sluice.swarmtest.host"
)

var (
	engine = sync.OnceValues(openEngine)
	serial atomic.Int64 // for unique names
)

type clients struct {
	docker *client.Client
	swarm  *swarm.Client
}

func openEngine() (clients, error) {
	host := os.Getenv("DOCKER_HOST")
	if host == "" {
		host = client.DefaultDockerHost
	}
	docker, err := client.NewClientWithOpts(client.WithHost(host), client.WithAPIVersionNegotiation())
	if err != nil {
		return clients{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := docker.SwarmInspect(ctx); err != nil { // answered by managers only
		return clients{}, err
	}
	sweep(ctx, docker)
	c, err := swarm.Open(host)
	return clients{docker, c}, err
}

// Need returns the client of the swarm manager at DOCKER_HOST or the default socket; all
// tests of a package share it. If none answers, the test is skipped, or fails where CI is set.
func Need(t testing.TB) *swarm.Client {
	t.Helper()
	return need(t).swarm
}

func need(t testing.TB) clients {
	t.Helper()
	c, err := engine()
	if err == nil {
		return c
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("no swarm manager: %v", err)
	}
	t.Skipf("no swarm manager: %v", err)
	return c
}

// Docker returns the plain client, for what a test wants to see or do behind Sluice's back.
func Docker(t testing.TB) *client.Client {
	t.Helper()
	return need(t).docker
}

// Network creates an attachable overlay network.
func Network(t testing.TB) swarm.Network {
	t.Helper()
	docker := Docker(t)
	name := unique("net")
	ctx, cancel := limit()
	defer cancel()
	created, err := docker.NetworkCreate(ctx, name, network.CreateOptions{Driver: "overlay", Attachable: true, Labels: owner()})
	if err != nil {
		t.Fatalf("create network: %v", err)
	}
	t.Cleanup(func() {
		Wait(t, "network "+name+" to be removed", func(ctx context.Context) bool {
			if inUse(ctx, docker, created.ID) {
				return false
			}
			err := docker.NetworkRemove(ctx, created.ID)
			return err == nil || notFound(err)
		})
	})
	return swarm.Network{ID: created.ID, Name: name}
}

// stopped are the states without a container.
var stopped = []dockerswarm.TaskState{
	dockerswarm.TaskStateComplete, dockerswarm.TaskStateShutdown, dockerswarm.TaskStateFailed,
	dockerswarm.TaskStateRejected, dockerswarm.TaskStateRemove, dockerswarm.TaskStateOrphaned,
}

// inUse says whether tasks still stop in the network: the engine would remove it under
// their feet, and complain in its log.
func inUse(ctx context.Context, docker *client.Client, id string) bool {
	tasks, err := docker.TaskList(ctx, dockerswarm.TaskListOptions{})
	return err != nil || slices.ContainsFunc(tasks, func(task dockerswarm.Task) bool {
		return !slices.Contains(stopped, task.Status.State) && slices.ContainsFunc(task.NetworksAttachments, func(a dockerswarm.NetworkAttachment) bool {
			return a.Network.ID == id
		})
	})
}

// Wait asks done until it is true. After three minutes the test fails, and says what it waited for.
func Wait(t testing.TB, what string, done func(context.Context) bool) {
	t.Helper()
	ctx, cancel := limit()
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !done(ctx) {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s", what)
		case <-tick.C:
		}
	}
}

func limit() (context.Context, context.CancelFunc) {
	// Not the test's context: that one is over when the cleanup runs.
	return context.WithTimeout(context.Background(), patience)
}

func unique(kind string) string {
	return fmt.Sprintf("sluicetest-%s-%d-%d-%d", kind, os.Getpid(), time.Now().Unix()%100_000, serial.Add(1))
}

func owner() map[string]string {
	host, _ := os.Hostname()
	return map[string]string{ownerPID: strconv.Itoa(os.Getpid()), ownerHost: host}
}

// sweep removes what processes of this machine that are gone have left. Errors are the
// next sweep's: something may still be in use.
func sweep(ctx context.Context, docker *client.Client) {
	ours := filters.NewArgs(filters.Arg("label", ownerPID))
	services, _ := docker.ServiceList(ctx, dockerswarm.ServiceListOptions{Filters: ours})
	for _, s := range services {
		if orphaned(s.Spec.Labels) {
			_ = docker.ServiceRemove(ctx, s.ID)
		}
	}
	networks, _ := docker.NetworkList(ctx, network.ListOptions{Filters: ours})
	for _, n := range networks {
		if orphaned(n.Labels) {
			_ = docker.NetworkRemove(ctx, n.ID)
		}
	}
	configs, _ := docker.ConfigList(ctx, dockerswarm.ConfigListOptions{Filters: ours})
	for _, c := range configs {
		if orphaned(c.Spec.Labels) {
			_ = docker.ConfigRemove(ctx, c.ID)
		}
	}
	secrets, _ := docker.SecretList(ctx, dockerswarm.SecretListOptions{Filters: ours})
	for _, s := range secrets {
		if orphaned(s.Spec.Labels) {
			_ = docker.SecretRemove(ctx, s.ID)
		}
	}
}

func orphaned(labels map[string]string) bool {
	host, _ := os.Hostname()
	pid, err := strconv.Atoi(labels[ownerPID])
	return err == nil && labels[ownerHost] == host && syscall.Kill(pid, 0) == syscall.ESRCH
}
