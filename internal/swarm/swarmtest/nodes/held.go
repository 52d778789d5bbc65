//go:build linux

package nodes

import (
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"syscall"
)

// held is a process in namespaces of its own that lives as long as the test holds its standard input.
type held struct {
	*exec.Cmd
	in io.WriteCloser // closed by kill, and by the kernel when the test ends
}

// hold starts a program in new namespaces (CLONE_NEW…).
func hold(namespaces uintptr, name string, args ...string) (*held, error) {
	c := exec.Command(name, args...)
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces, Setsid: true}
	// Nothing of the test's environment: not DOCKER_HOST, not a proxy for packages.
	c.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"}
	in, err := c.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return &held{c, in}, nil
}

func (h *held) pid() string { return strconv.Itoa(h.Process.Pid) }

// kill ends it at once, and with the first process of a PID namespace all others: their end is waited for.
func (h *held) kill() {
	_ = h.Process.Kill() // it may have ended by itself
	_ = h.Wait()         // "signal: killed" is no news
}
