package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"sluice/routing"
)

// many is how many services, of five tasks each, rendering and comparing must cope with.
const many = 10_000

// rendering measures from services to files, how it grows, and how long HAProxy needs to judge the outcome.
func rendering(ctx context.Context, b bench) ([]row, error) {
	times := map[int]float64{}
	var files map[string][]byte
	for _, n := range []int{many / 10, many} {
		s := newSite(n, 5)
		var seconds []float64
		for range b.rounds {
			start := time.Now()
			config, _, err := s.render("127.0.0.1:80")
			if err != nil {
				return nil, err
			}
			files = config.Files()
			seconds = append(seconds, time.Since(start).Seconds())
		}
		times[n] = median(seconds)
	}
	dir, err := os.MkdirTemp(b.dir, "render")
	if err != nil {
		return nil, err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return nil, err
		}
	}
	var checks []float64
	for range b.rounds {
		start := time.Now()
		if output, err := exec.CommandContext(ctx, "haproxy", "-c", "-f", filepath.Join(dir, "haproxy.cfg")).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("haproxy -c: %w: %.500s", err, output)
		}
		checks = append(checks, time.Since(start).Seconds())
	}
	growth := against(fmt.Sprintf("render, time per service at %d against %d services", many, many/10), "µs",
		times[many]/many*1e6, times[many/10]/(many/10)*1e6, 1.5, false)
	return []row{limited(fmt.Sprintf("render %d services, 5 tasks each", many), "s", times[many], 1), growth,
		limited(fmt.Sprintf("haproxy -c of %d services", many), "s", median(checks), 1)}, nil
}

// diffing measures what one task of 50,000 costs that has got another address.
func diffing(_ context.Context, b bench) ([]row, error) {
	s := newSite(many, 5)
	config, _, err := s.render("127.0.0.1:80")
	if err != nil {
		return nil, err
	}
	running := runs(config)
	s.services[many/2].Tasks[2].Addresses["proxy"] = netip.MustParseAddr("10.255.255.1")
	want, _, err := s.render("127.0.0.1:80")
	if err != nil {
		return nil, err
	}
	var times []float64
	var plan routing.Plan
	for range b.rounds {
		start := time.Now()
		plan = routing.Diff(running, want)
		times = append(times, float64(time.Since(start).Microseconds())/1000)
	}
	if plan.Reload != "" {
		return nil, fmt.Errorf("one task of another address needs a reload: %s", plan.Reload)
	}
	return []row{limited(fmt.Sprintf("diff, one task of %d changed", many*5), "ms", median(times), 50),
		limited("diff, commands for it", "commands", float64(len(plan.Commands)), 1)}, nil
}

// runs is a HAProxy that was just started on the configuration.
func runs(c routing.Config) routing.Running {
	r := routing.Running{Shape: c.Shape, Backends: map[string]bool{}, Servers: map[string]map[string]routing.RunningServer{}, Maps: map[string]map[string]string{}}
	for backend, servers := range c.Servers {
		r.Backends[backend], r.Servers[backend] = true, map[string]routing.RunningServer{}
		for _, s := range servers {
			r.Servers[backend][s.Name] = routing.RunningServer{Addr: s.Addr}
		}
	}
	for file, entries := range c.Maps {
		r.Maps[file] = map[string]string{}
		for _, e := range entries {
			r.Maps[file][e.Key] = e.Value
		}
	}
	return r
}
