package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"time"

	"sluice/internal/swarm"
)

// swarmSite is a proxy and a service on the swarm of this machine, from the images of scripts/images.
type swarmSite struct {
	swarm *swarm.Client
	app   string // ID of the service
	url   string
}

// What the measurement makes has this name.
const benchName = "sluice-bench"

func openSwarm(ctx context.Context) (s *swarmSite, err error) {
	client, err := swarm.Open("")
	if err != nil {
		return nil, err
	}
	s = &swarmSite{swarm: client}
	s.remove() // what an interrupted run has left
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if _, err = docker(ctx, "network", "create", "--driver", "overlay", benchName); err != nil {
		return nil, err
	}
	common := []string{"service", "create", "--quiet", "--detach", "--no-resolve-image", "--endpoint-mode", "dnsrr", "--network", benchName}
	if _, err = docker(ctx, append(common, "--name", benchName+"-proxy", "--publish", "mode=host,target=80", "--env", "NETWORK="+benchName,
		"--mount", "type=bind,source=/var/run/docker.sock,target=/var/run/docker.sock,readonly", "sluice/proxy")...); err != nil {
		return nil, err
	}
	if s.app, err = docker(ctx, append(common, "--name", benchName+"-app", "--hostname", "{{.Task.ID}}", "--stop-grace-period", "15s",
		"--env", "CAPACITY=100", "--env", "WORK=1ms", "--env", "DRAIN=3s", "--label", "com.df.notify=true", "--label", "com.df.port=8080",
		"--label", "com.df.servicePath=/bench", "sluice/demo-app")...); err != nil {
		return nil, err
	}
	return s, s.await(ctx, "the service answers", func() bool {
		s.url = ""
		port, err := docker(ctx, "ps", "--quiet", "--filter", "label=com.docker.swarm.service.name="+benchName+"-proxy")
		if err != nil || port == "" {
			return false
		}
		published, err := docker(ctx, "port", port, "80/tcp")
		if err != nil || published == "" {
			return false
		}
		_, number, _ := strings.Cut(strings.Fields(published)[0], ":")
		s.url = "http://127.0.0.1:" + number + "/bench"
		response, err := http.Get(s.url)
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
}

// scale changes the replicas and looks at the tasks until done says so.
func (s *swarmSite) scale(ctx context.Context, replicas int, done func([]swarm.Task) bool) error {
	if _, err := docker(ctx, "service", "scale", "--detach", fmt.Sprintf("%s=%d", s.app, replicas)); err != nil {
		return err
	}
	var failed error
	err := s.await(ctx, fmt.Sprintf("%d replicas", replicas), func() bool {
		tasks, err := s.swarm.Tasks(ctx, []string{s.app})
		failed = err
		return err == nil && done(tasks)
	})
	return errors.Join(err, failed)
}

func (s *swarmSite) await(ctx context.Context, what string, holds func() bool) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for deadline := time.Now().Add(swarmLimit); !holds(); {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case now := <-tick.C:
			if now.After(deadline) {
				return fmt.Errorf("not within %s: %s", swarmLimit, what)
			}
		}
	}
	return nil
}

// containers counts those of the service; -1 is not known.
func (s *swarmSite) containers(ctx context.Context) int {
	ids, err := docker(ctx, "ps", "--quiet", "--filter", "label=com.docker.swarm.service.id="+s.app)
	if err != nil {
		return -1
	}
	return len(strings.Fields(ids))
}

func (s *swarmSite) close() {
	s.remove()
	_ = s.swarm.Close()
}

// remove takes away what has the name; the network goes when the last container has left it.
func (s *swarmSite) remove() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, _ = docker(ctx, "service", "rm", benchName+"-proxy", benchName+"-app") // may not be there
	_ = s.await(ctx, "the network is gone", func() bool {
		names, err := docker(ctx, "network", "ls", "--quiet", "--filter", "name=^"+benchName+"$")
		if err != nil || names == "" {
			return true
		}
		_, _ = docker(ctx, "network", "rm", benchName) // in use as yet
		return false
	})
}

func docker(ctx context.Context, args ...string) (string, error) {
	output, err := exec.CommandContext(ctx, "docker", args...).Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return "", fmt.Errorf("docker %s %s: %s", args[0], args[1], strings.TrimSpace(string(exit.Stderr)))
	}
	return strings.TrimSpace(string(output)), err
}
