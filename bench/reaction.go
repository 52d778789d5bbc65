package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"sluice/internal/swarm"
)

// The stacks of the reaction, and the loads: requests at a time, of 100 ms each, for a target of 10 per replica.
const (
	benchStack = "sluice-bench"
	benchApp   = benchStack + "-app"
	calm       = 8
	jump       = 5 * calm
)

// reaction measures from a jump of the load by five to the update of the service, with the real proxy, InfluxDB and swarm,
// deployed from the images of this machine.
func reaction(ctx context.Context, b bench) ([]row, error) {
	d, err := newDeployment()
	if err != nil {
		return nil, err
	}
	if err := d.run(ctx, "scripts/down"); err != nil {
		return nil, err
	}
	defer func() { _ = d.run(context.WithoutCancel(ctx), "scripts/down") }()
	for _, args := range [][]string{
		{"scripts/deploy", benchStack, "deploy/tick/stack.yml"}, {"scripts/deploy", benchApp, "deploy/demo/stack.yml"},
		// The defaults but for going down: the next jump shall come soon.
		{"docker", "service", "update", "--detach", "--label-rm", "com.df.scale.window", "--label-rm", "com.df.scale.cooldownUp",
			"--label-add", "com.df.scale.stabilizeDown=2s", "--label-add", "com.df.scale.cooldownDown=1s", "--label-add", "com.df.scale.warmup=0s", benchApp + "_app"},
	} {
		if err := d.run(ctx, args[0], args[1:]...); err != nil {
			return nil, err
		}
	}
	client, err := swarm.Open(os.Getenv("DOCKER_HOST"))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	if err := d.answers(ctx); err != nil {
		return nil, err
	}
	steady, err := b.begin(ctx, "jump.yml", d.users(calm)...)
	if err != nil {
		return nil, err
	}
	defer func() { _, _ = steady.end() }()
	var seconds []float64
	for range 2 * b.rounds {
		if _, err := d.until(ctx, client, 3*time.Minute, func(n int) bool { return n == 1 }, 20*time.Second); err != nil {
			return nil, err
		}
		more, err := b.begin(ctx, "jump.yml", d.users(jump-calm)...)
		if err != nil {
			return nil, err
		}
		at, err := d.until(ctx, client, time.Minute, func(n int) bool { return n > 1 }, 0)
		r, ended := more.end()
		if err := errors.Join(err, ended); err != nil {
			return nil, err
		}
		seconds = append(seconds, at.Sub(r.Started).Seconds())
		b.say("  %.2f s", seconds[len(seconds)-1])
	}
	slices.Sort(seconds)
	r := limited(fmt.Sprintf("reaction, load ×%d to the update of the service, p95 of %d", jump/calm, len(seconds)), "s", seconds[(95*len(seconds)-1)/100], 3)
	r.Detail = fmt.Sprintf("median %.2f s", seconds[len(seconds)/2])
	return []row{r}, nil
}

// deployment is the project's own stack under names and ports of the bench.
type deployment struct {
	env  []string
	http string
}

func newDeployment() (deployment, error) {
	state, err := filepath.Abs(filepath.Join(".sluice", "bench"))
	if err != nil {
		return deployment{}, err
	}
	d := deployment{env: append(os.Environ(), "SLUICE_STATE="+state, "SLUICE_NETWORK="+benchStack)}
	for _, variable := range []string{"SLUICE_HTTP_PORT", "SLUICE_HTTPS_PORT", "SLUICE_API_PORT"} {
		address, err := freeAddress()
		if err != nil {
			return d, err
		}
		d.env = append(d.env, variable+"="+port(address))
		if variable == "SLUICE_HTTP_PORT" {
			d.http = address
		}
	}
	return d, nil
}

func (d deployment) run(ctx context.Context, name string, args ...string) error {
	c := exec.CommandContext(ctx, name, args...)
	c.Env = d.env
	if output, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %.500s", name, err, output)
	}
	return nil
}

// users is what makes so many of them.
func (d deployment) users(n int) []string {
	return append(slices.Clone(d.env), fmt.Sprintf("USERS=%d", n), "DURATION=14m", "SLUICE_SERVICE="+benchApp+"_app")
}

// answers waits until the sample service answers through the proxy.
func (d deployment) answers(ctx context.Context) error {
	client := http.Client{Timeout: 5 * time.Second}
	for deadline := time.Now().Add(5 * time.Minute); ; time.Sleep(200 * time.Millisecond) {
		answer, err := client.Get("http://" + d.http + "/demo/")
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return nil
			}
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			return fmt.Errorf("the sample service does not answer through the proxy")
		}
	}
}

// until waits for a number of replicas that lasts, and answers when it was first seen.
func (d deployment) until(ctx context.Context, client *swarm.Client, limit time.Duration, fits func(int) bool, lasts time.Duration) (time.Time, error) {
	var since time.Time
	for deadline := time.Now().Add(limit + lasts); ; time.Sleep(20 * time.Millisecond) {
		services, err := client.Services(ctx, swarm.Filter{})
		if err != nil {
			return since, err
		}
		at := slices.IndexFunc(services, func(s swarm.Service) bool { return s.Name == benchApp+"_app" })
		switch now := time.Now(); {
		case at < 0 || !fits(services[at].Replicas):
			since = time.Time{}
		case since.IsZero():
			since = now
		}
		if !since.IsZero() && time.Since(since) >= lasts {
			return since, nil
		}
		if time.Now().After(deadline) {
			return since, fmt.Errorf("the replicas of the sample service are not what they should be after %s", limit)
		}
	}
}
