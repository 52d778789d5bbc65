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

// exporterNoticed measures what the requests of a proxy with 1,000 backends notice of its statistics being read: the same HAProxy, once with its
// controller at work and once with the controller held.
func exporterNoticed(ctx context.Context, b bench) ([]row, error) {
	const services, tasks, rate = 1_000, 3, 1_000
	swarm, err := startSwarm(services, tasks)
	if err != nil {
		return nil, err
	}
	defer swarm.close()
	p, err := b.proxy(ctx, services, "DOCKER_HOST="+swarm.address)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	controller, err := p.controller()
	if err != nil {
		return nil, err
	}
	signals := map[bool]syscall.Signal{true: syscall.SIGCONT, false: syscall.SIGSTOP}
	defer syscall.Kill(controller, syscall.SIGCONT)
	took := map[bool][]float64{}
	for round := range b.rounds {
		for _, on := range []bool{round%2 == 0, round%2 == 1} {
			if err := syscall.Kill(controller, signals[on]); err != nil {
				return nil, fmt.Errorf("hold controller: %w", err)
			}
			if err := pause(ctx, 2*time.Second); err != nil { // until what waited is done
				return nil, err
			}
			r, err := b.loadtest(ctx, "rate.yml", "TARGET=http://"+p.entry+"/service1/", fmt.Sprintf("RATE=%d", rate), "DURATION=12s")
			if err != nil {
				return nil, err
			}
			if err := spoiled(r); err != nil {
				return nil, err
			}
			took[on] = append(took[on], r.Total.Service.P99)
			b.say("  round %d exporter %-5t p50 %.2f p99 %.2f p99.9 %.2f ms", round+1, on, r.Total.Service.P50, r.Total.Service.P99, r.Total.Service.P999)
		}
	}
	return []row{against(fmt.Sprintf("stats cost in HAProxy, p99 with %d servers and without the controller", services*tasks), "ms", median(took[true]), median(took[false]), 1.2, false)}, nil
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
