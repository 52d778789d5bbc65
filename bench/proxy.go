package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// proxyRun is the real proxy with its HAProxy, on ports of loopback.
type proxyRun struct {
	entry, api string // addresses
	dir        string
	cmd        *exec.Cmd
	output     bytes.Buffer
	ended      chan error
}

// startPatience is how long a proxy has until it serves.
const startPatience = time.Minute

// build makes a program of this repository, once for all measurements.
func (b bench) build(ctx context.Context, path string) (binary string, err error) {
	binary = filepath.Join(b.dir, filepath.Base(path))
	if _, err := os.Stat(binary); err == nil {
		return binary, nil
	}
	if output, err := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", binary, path).CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w: %s", path, err, output)
	}
	return binary, nil
}

// proxy starts one with these settings beside the usual ones, and waits until it has that many routes.
func (b bench) proxy(ctx context.Context, routes int, settings ...string) (*proxyRun, error) {
	binary, err := b.build(ctx, "sluice/cmd/proxy")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(b.dir, "proxy")
	if err != nil {
		return nil, err
	}
	if err := errors.Join(os.Chmod(b.dir, 0o755), os.Chmod(dir, 0o755)); err != nil { // HAProxy's user has to find a socket there
		return nil, err
	}
	p := &proxyRun{dir: dir, ended: make(chan error, 1)}
	for _, address := range []*string{&p.entry, &p.api} {
		if *address, err = freeAddress(); err != nil {
			return nil, err
		}
	}
	p.cmd = exec.Command(binary, "run", "--dir", dir)
	port := p.api[strings.LastIndexByte(p.api, ':')+1:]
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "IP=127.0.0.1", "PORT=" + port, "DEFAULT_PORTS=" + p.entry, "DRAIN_TIMEOUT=1s", "HARD_STOP_AFTER=10"}, settings...)
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { p.ended <- p.cmd.Wait() }()
	if err := p.await(ctx, routes); err != nil {
		p.stop()
		return nil, fmt.Errorf("start proxy: %w: %.2000s", err, p.output.String())
	}
	return p, nil
}

// await waits until the proxy has all its routes in force.
func (p *proxyRun) await(ctx context.Context, routes int) error {
	for deadline := time.Now().Add(startPatience); ; time.Sleep(50 * time.Millisecond) {
		var view struct{ Routes []json.RawMessage }
		err := p.get("/readyz", nil)
		if err == nil {
			if err = p.get("/v1/routes", &view); err == nil && len(view.Routes) >= routes {
				return nil
			}
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case time.Now().After(deadline):
			return fmt.Errorf("it has %d routes of %d (%w)", len(view.Routes), routes, err)
		}
	}
}

// get asks the API, and reads its JSON unless into is nil.
func (p *proxyRun) get(path string, into any) error {
	answer, err := http.Get("http://" + p.api + path)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	switch {
	case err != nil:
		return err
	case answer.StatusCode != http.StatusOK:
		return fmt.Errorf("GET %s: %s: %.300s", path, answer.Status, body)
	case into == nil:
		return nil
	}
	return json.Unmarshal(body, into)
}

func (p *proxyRun) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(20 * time.Second):
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // HAProxy and the controller too
		<-p.ended
	}
}

// controller is the process beside HAProxy that does all but forwarding.
func (p *proxyRun) controller() (pid int, err error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	for _, file := range stats {
		content, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(content), ") ")
		fields := strings.Fields(rest)
		if len(fields) < 2 || fields[1] != strconv.Itoa(p.cmd.Process.Pid) {
			continue
		}
		folder := filepath.Dir(file)
		line, _ := os.ReadFile(filepath.Join(folder, "cmdline"))
		if words := strings.Split(string(line), "\x00"); len(words) > 1 && words[1] == "control" {
			return strconv.Atoi(filepath.Base(folder))
		}
	}
	return 0, errors.New("find controller: the proxy has none")
}

// memory is what a process has and had at most, in MB.
func memory(pid int) (now, most float64, err error) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(content)) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		kilobytes, _ := strconv.ParseFloat(words[1], 64)
		switch words[0] {
		case "VmRSS:":
			now = kilobytes / 1024
		case "VmHWM:":
			most = kilobytes / 1024
		}
	}
	if now == 0 {
		return 0, 0, fmt.Errorf("read memory of process %d: none", pid)
	}
	return now, most, nil
}
