package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"syscall"
	"time"
)

// exporterNoticed measures what the requests of a proxy with 1,000 backends notice of its statistics being read: of two proxies, whose controllers
// differ in nothing but that, and of the first one's HAProxy while its controller is held.
func exporterNoticed(ctx context.Context, b bench) ([]row, error) {
	const services, tasks = 1_000, 3
	swarm, err := startSwarm(services, tasks)
	if err != nil {
		return nil, err
	}
	defer swarm.close()
	reading, err := b.noticing(ctx, services, "DOCKER_HOST="+swarm.address)
	if err != nil {
		return nil, err
	}
	defer reading.stop()
	blind, err := b.noticing(ctx, services, "DOCKER_HOST="+swarm.address, "STATS_INTERVAL=1h")
	if err != nil {
		return nil, err
	}
	defer blind.stop()
	sides := []struct {
		name   string
		proxy  *noticing
		awake  *noticing // whose controller works
		values []float64
	}{{"with the exporter", reading, reading, nil}, {"without the exporter", blind, blind, nil}, {"without the controller", reading, nil, nil}}
	for round := range b.rounds {
		for i := range sides {
			side := &sides[(i+round)%len(sides)]
			for _, p := range []*noticing{reading, blind} {
				if err := p.hold(p != side.awake); err != nil {
					return nil, err
				}
			}
			p99, err := b.notice(ctx, side.proxy)
			if err != nil {
				return nil, err
			}
			side.values = append(side.values, p99)
			b.say("  round %d %s: p99 %.2f ms", round+1, side.name, p99)
		}
	}
	name := fmt.Sprintf("stats cost in HAProxy, p99 with %d servers ", services*tasks)
	with, without, held := sides[0].values, sides[1].values, sides[2].values
	return []row{paired(name+"with and without the exporter", "ms", with, without, 1.2, false),
		paired(name+"with and without the whole controller", "ms", with, held, 0, false)}, nil
}

// noticing is a proxy whose controller can be held.
type noticing struct {
	*proxyRun
	controller int
}

func (b bench) noticing(ctx context.Context, routes int, settings ...string) (*noticing, error) {
	p, err := b.proxy(ctx, routes, settings...)
	if err != nil {
		return nil, err
	}
	controller, err := p.controller()
	if err != nil {
		p.stop()
		return nil, err
	}
	return &noticing{p, controller}, nil
}

func (n *noticing) hold(hold bool) error {
	signal := syscall.SIGCONT
	if hold {
		signal = syscall.SIGSTOP
	}
	if err := syscall.Kill(n.controller, signal); err != nil {
		return fmt.Errorf("hold controller: %w", err)
	}
	return nil
}

func (n *noticing) stop() {
	_ = n.hold(false)
	n.proxyRun.stop()
}

// notice is the p99, in milliseconds, of a steady rate of requests.
func (b bench) notice(ctx context.Context, p *noticing) (float64, error) {
	if err := pause(ctx, 2*time.Second); err != nil { // until what waited is done
		return 0, err
	}
	r, err := b.loadtest(ctx, "rate.yml", "TARGET=http://"+p.entry+"/service1/", "RATE=1000", "DURATION=12s")
	if err != nil {
		return 0, err
	}
	return r.Total.Service.P99, spoiled(r)
}

// exporterCost measures what the controller uses while nothing changes: it reads the statistics of 1,000 backends with 10,000 servers every second and
// writes them to an InfluxDB that takes everything.
func exporterCost(ctx context.Context, b bench) ([]row, error) {
	const services, tasks = 1_000, 10
	swarm, err := startSwarm(services, tasks)
	if err != nil {
		return nil, err
	}
	defer swarm.close()
	var taken atomic.Int64
	influx := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		taken.Add(r.ContentLength)
		w.WriteHeader(http.StatusNoContent)
	}))
	defer influx.Close()
	with, err := b.idle(ctx, services, "DOCKER_HOST="+swarm.address, "INFLUX_URL="+influx.URL)
	if err != nil {
		return nil, err
	}
	if taken.Load() == 0 {
		return nil, errors.New("write points: none came")
	}
	without, err := b.idle(ctx, services, "DOCKER_HOST="+swarm.address, "STATS_INTERVAL=1h")
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("exporter cost, %d backends and %d servers, ", services, services*tasks)
	cpu, memory := limited(name+"CPU of the controller", "% of a core", with.cpu, 5), limited(name+"memory of the controller", "MB", with.now, 100)
	cpu.Detail = fmt.Sprintf("%.1f without the exporter", without.cpu)
	memory.Detail = fmt.Sprintf("after a minute; %.0f at most, %.0f without the exporter", with.most, without.now)
	return []row{cpu, memory}, nil
}

// used is what a controller that has nothing to change takes.
type used struct {
	cpu       float64 // percent of a core
	now, most float64 // MB
}

// idle looks at a proxy for a minute after it has begun to serve.
func (b bench) idle(ctx context.Context, routes int, settings ...string) (u used, err error) {
	const settle, look = 20 * time.Second, 40 * time.Second
	p, err := b.proxy(ctx, routes, settings...)
	if err != nil {
		return u, err
	}
	defer p.stop()
	if err := pause(ctx, settle); err != nil {
		return u, err
	}
	pid, err := p.controller()
	if err != nil {
		return u, err
	}
	before, err := processCPU(pid)
	if err != nil {
		return u, err
	}
	begin := time.Now()
	if err := pause(ctx, look); err != nil {
		return u, err
	}
	after, err := processCPU(pid)
	if err != nil {
		return u, err
	}
	u.cpu = 100 * (after - before).Seconds() / time.Since(begin).Seconds()
	u.now, u.most, err = memory(pid)
	b.say("  controller: %.1f %% of a core, %.0f MB, %.0f MB at most", u.cpu, u.now, u.most)
	return u, err
}

// pause lets time pass, unless the context ends.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
