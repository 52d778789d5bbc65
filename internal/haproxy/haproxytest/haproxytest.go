// Package haproxytest starts the real HAProxy for tests: in master-worker mode on a Store, with its files and socket in
// a folder of the test, and stopped with it.
package haproxytest

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sluice/internal/haproxy"
)

// HAProxy is a running master and what commands it.
type HAProxy struct {
	Store  *haproxy.Store
	Master *haproxy.Master
	PID    int // of the master

	t      testing.TB
	output *output
}

// Start puts the files in place, starts HAProxy on them and waits until it has a worker.
func Start(t testing.TB, files map[string][]byte) *HAProxy {
	t.Helper()
	binary := Binary(t)
	// A socket's path has at most 107 bytes, which t.TempDir exceeds in a subtest with a long name.
	dir, err := os.MkdirTemp("", "haproxy")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	h := &HAProxy{t: t, output: &output{}}
	if h.Store, err = haproxy.OpenStore(dir, binary); err != nil {
		t.Fatal(err)
	}
	h.put(files)
	socket := filepath.Join(dir, "master.sock")
	args := haproxy.Args(binary, h.Store, socket)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = h.output, h.output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	h.PID, h.Master = cmd.Process.Pid, haproxy.Dial(socket)
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // the master ends its workers
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("HAProxy wrote:\n%s", h.output)
		}
	})
	h.Until("HAProxy has a worker", func() bool {
		p, err := h.Master.Processes(t.Context())
		_, ok := p.Current()
		return err == nil && ok
	})
	return h
}

// Put puts other files in place and reloads.
func (h *HAProxy) Put(files map[string][]byte) {
	h.t.Helper()
	h.put(files)
	if _, err := h.Master.Reload(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
}

func (h *HAProxy) put(files map[string][]byte) {
	h.t.Helper()
	g, err := h.Store.Write(files)
	if err != nil {
		h.t.Fatal(err)
	}
	if err := g.Check(h.t.Context()); err != nil {
		h.t.Fatalf("%v\n%s", err, files["haproxy.cfg"])
	}
	if _, err := g.Activate(); err != nil {
		h.t.Fatal(err)
	}
}

// Worker is the worker that takes new connections.
func (h *HAProxy) Worker() haproxy.Worker {
	h.t.Helper()
	p, err := h.Master.Processes(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	w, ok := p.Current()
	if !ok {
		h.t.Fatal("HAProxy has no worker that takes connections")
	}
	return w
}

// Ask sends a command to that worker.
func (h *HAProxy) Ask(command string) string {
	h.t.Helper()
	answer, err := h.Master.Ask(h.t.Context(), h.Worker().PID, command)
	if err != nil {
		h.t.Fatal(err)
	}
	return string(answer)
}

// Until waits for a condition, a minute at most.
func (h *HAProxy) Until(what string, condition func() bool) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), time.Minute)
	defer cancel()
	for !condition() {
		select {
		case <-ctx.Done():
			h.t.Fatalf("it never came true that %s; HAProxy wrote:\n%s", what, h.output)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// Binary finds haproxy. It skips the test when there is none, and fails it where CI is set.
func Binary(t testing.TB) string {
	t.Helper()
	// root's PATH may lack the folder that Debian puts haproxy in
	for _, name := range []string{"haproxy", "/usr/sbin/haproxy", "/usr/local/sbin/haproxy"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatal("haproxy is not installed")
	}
	t.Skip("haproxy is not installed")
	return ""
}

// Address reserves a port of 127.0.0.1 until the test ends: a socket that is bound but does not listen keeps everybody
// away who does not share ports, and HAProxy shares them (SO_REUSEPORT).
func Address(t testing.TB) string {
	t.Helper()
	const reusePort = 0xf // SO_REUSEPORT on Linux, which package syscall lacks
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, reusePort, 1); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	in := name.(*syscall.SockaddrInet4)
	return (&net.TCPAddr{IP: in.Addr[:], Port: in.Port}).String()
}

// output collects what HAProxy writes while it runs.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

// String leaves out the line that each proxy of a worker that ends is worth to HAProxy.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var kept strings.Builder
	for line := range strings.Lines(o.text.String()) {
		if !strings.Contains(line, "stopped (cumulated conns") {
			kept.WriteString(line)
		}
	}
	return kept.String()
}
