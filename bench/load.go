package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// script lets wrk send the requests in an order that jumps about, so that nothing profits from the last lookup.
func script(dir string, requests []target) (string, error) {
	var b strings.Builder
	b.WriteString("local all = {\n")
	for _, t := range requests {
		fmt.Fprintf(&b, "  wrk.format('GET', %q, {Host = %q, ['X-Backend'] = %q}),\n", t.path, t.host, t.backend)
	}
	b.WriteString("}\nlocal at = 0\nfunction request()\n  at = (at + 7919) % #all\n  return all[at + 1]\nend\n")
	file := filepath.Join(dir, fmt.Sprintf("requests-%d.lua", len(requests)))
	return file, os.WriteFile(file, []byte(b.String()), 0o600)
}

var (
	rate   = regexp.MustCompile(`Requests/sec:\s+([0-9.]+)`)
	failed = regexp.MustCompile(`(?m)^\s*(Non-2xx|Socket errors).*$`)
	total  = regexp.MustCompile(`(\d+) requests in`)
)

// loaded is the outcome of one round.
type loaded struct {
	rate float64 // requests/s
	cpu  float64 // microseconds of HAProxy's CPU per request
}

// load lets wrk ask as fast as HAProxy answers for a few seconds. A request that fails makes the round worthless.
func load(ctx context.Context, e *engine, lua string, seconds int) (l loaded, err error) {
	before, err := e.cpu()
	if err != nil {
		return l, err
	}
	output, err := wrk(ctx, "-t1", "-c32", fmt.Sprintf("-d%ds", seconds), "-s", lua, "http://"+e.address)
	if err != nil {
		return l, err
	}
	after, err := e.cpu()
	if err != nil {
		return l, err
	}
	if bad := failed.Find(output); bad != nil {
		return l, fmt.Errorf("requests failed: %s", bad)
	}
	found, count := rate.FindSubmatch(output), total.FindSubmatch(output)
	if found == nil || count == nil {
		return l, fmt.Errorf("read wrk's answer: %s", output)
	}
	l.rate, _ = strconv.ParseFloat(string(found[1]), 64)
	n, _ := strconv.ParseFloat(string(count[1]), 64)
	l.cpu = float64((after - before).Microseconds()) / n
	return l, nil
}

// wrk runs the client, a package of Debian's that scripts/setup installs.
func wrk(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "nice", append([]string{"-n", "-20", "wrk"}, args...)...)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("run wrk (scripts/setup installs it): %w: %s", err, output.Bytes())
	}
	return output.Bytes(), nil
}
