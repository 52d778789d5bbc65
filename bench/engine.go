package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// engine is a HAProxy of one thread that serves a configuration.
type engine struct {
	address string
	cmd     *exec.Cmd
	output  bytes.Buffer
}

// serve starts HAProxy on the files, which must bind address, and waits until it takes connections.
func serve(ctx context.Context, dir string, files map[string][]byte, address string) (*engine, error) {
	dir, err := os.MkdirTemp(dir, "haproxy")
	if err != nil {
		return nil, err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return nil, err
		}
	}
	e := &engine{address: address, cmd: exec.Command("haproxy", "-db", "-f", filepath.Join(dir, "haproxy.cfg"))}
	e.cmd.Stdout, e.cmd.Stderr = &e.output, &e.output
	e.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := e.cmd.Start(); err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			return e, conn.Close()
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			e.stop()
			return nil, fmt.Errorf("haproxy does not start: %s", e.output.String())
		}
	}
}

func (e *engine) stop() {
	_ = e.cmd.Process.Kill()
	_ = e.cmd.Wait()
}

// cpu is what the process has used of a core so far.
func (e *engine) cpu() (time.Duration, error) { return used(e.cmd.Process) }

// used is what a process has used of a core so far.
func used(p *os.Process) (time.Duration, error) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(content), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("read CPU time: got %q", content)
	}
	user, errUser := strconv.Atoi(fields[11])
	system, errSystem := strconv.Atoi(fields[12])
	if errUser != nil || errSystem != nil {
		return 0, fmt.Errorf("read CPU time: got %q", content)
	}
	return time.Duration(user+system) * time.Second / 100, nil // the kernel counts in hundredths for everybody
}

// freeAddress answers an address of loopback that nobody had a moment ago.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}
