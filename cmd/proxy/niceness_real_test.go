package main

import (
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"sluice/internal/haproxy/haproxytest"
)

// A controller that reads many servers must not take the processor from the HAProxy beside it.
func TestControllerStepsBackForHAProxy(t *testing.T) {
	haproxytest.Binary(t)
	dir, err := os.MkdirTemp("", "nice") // HAProxy's user must enter it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program(t, dir), "run", "--swarm=false", "--dir", dir)
	_, port, _ := net.SplitHostPort(haproxytest.Address(t))
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "IP=127.0.0.1", "PORT=" + port, "DEFAULT_PORTS=" + haproxytest.Address(t), "DRAIN_TIMEOUT=1s"}
	cmd.Stdout, cmd.Stderr = io.Discard, io.Discard
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Signal(syscall.SIGTERM); _ = cmd.Wait() })
	own := threads(t, cmd.Process.Pid)[0]
	eventually(t, "every thread of the controller steps back, and HAProxy and the supervisor do not", func() bool {
		back, haproxies := 0, 0
		for _, pid := range children(cmd.Process.Pid) {
			line, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
			want := own
			if strings.HasSuffix(strings.Split(string(line), "\x00")[0], "haproxy") {
				haproxies++
			} else {
				want += niceness
			}
			for _, got := range threads(t, pid) {
				if got != want {
					return false
				}
				back += got - own
			}
		}
		return back > niceness && haproxies > 0
	})
}

// program is this test under the name by which it is the proxy.
func program(t *testing.T, dir string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "proxy")
	if err := os.WriteFile(path, content, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// children are the processes that a process has started and that are there.
func children(parent int) (pids []int) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, stat := range stats {
		content, _ := os.ReadFile(stat)
		_, rest, _ := strings.Cut(string(content), ") ")
		if words := strings.Fields(rest); len(words) > 1 && words[1] == strconv.Itoa(parent) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(stat)))
			pids = append(pids, pid)
		}
	}
	return pids
}

// threads is the niceness of each thread of a process.
func threads(t *testing.T, pid int) (nice []int) {
	t.Helper()
	stats, _ := filepath.Glob(filepath.Join("/proc", strconv.Itoa(pid), "task", "*", "stat"))
	for _, stat := range stats {
		content, _ := os.ReadFile(stat)
		_, rest, found := strings.Cut(string(content), ") ")
		if !found {
			continue // it has ended
		}
		n, err := strconv.Atoi(strings.Fields(rest)[16])
		if err != nil {
			t.Fatal(err)
		}
		nice = append(nice, n)
	}
	return nice
}
