// Package haproxy moves bytes between Sluice and a HAProxy in master-worker mode. It knows no routes.
//
//	Store   files of a configuration: written aside, checked by `haproxy -c`, put in place in one step
//	Master  the master's command socket: workers, commands to one of them, reload
//	Args    the command line that starts the master on a Store
package haproxy

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Master talks to the command socket of a HAProxy master (`-S`). Each call uses a connection of its own: HAProxy ends
// an answer by closing it, and answers to several commands on one connection cannot be told apart reliably.
type Master struct {
	socket string
}

// Dial names the socket; nothing is opened before the first call.
func Dial(socket string) *Master { return &Master{socket: socket} }

// Worker is a process of HAProxy that serves connections.
type Worker struct {
	PID      int
	Reloads  int           // how many reloads ago it was started
	Uptime   time.Duration // in whole seconds
	Draining bool          // it accepts nothing new and finishes what it has
}

// Processes is the answer to `show proc`.
type Processes struct {
	Reloads int // of the master, since it was started
	Failed  int // reloads that were refused since the last good one
	Workers []Worker
}

// Current is the worker that takes new connections; ok is false while there is none.
func (p Processes) Current() (worker Worker, ok bool) {
	for _, w := range p.Workers {
		if !w.Draining {
			return w, true
		}
	}
	return Worker{}, false
}

// Processes lists the workers.
func (m *Master) Processes(ctx context.Context) (Processes, error) {
	answer, err := m.ask(ctx, "show proc")
	if err != nil {
		return Processes{}, fmt.Errorf("list workers: %w", err)
	}
	p, err := parseProcesses(string(answer))
	if err != nil {
		return Processes{}, fmt.Errorf("list workers: %w", err)
	}
	return p, nil
}

// Workers lists the worker processes, draining ones too.
func (m *Master) Workers(ctx context.Context) ([]Worker, error) {
	p, err := m.Processes(ctx)
	return p.Workers, err
}

// Ask sends one command to the worker with this process id and answers without the blank line at the end. HAProxy
// reports a refused command in the answer, not as an error. ErrNoWorker means that the worker has ended.
func (m *Master) Ask(ctx context.Context, pid int, command string) ([]byte, error) {
	answer, err := m.ask(ctx, fmt.Sprintf("@!%d %s", pid, command))
	if err != nil {
		return nil, fmt.Errorf("ask worker %d: %w", pid, err)
	}
	if bytes.HasPrefix(answer, []byte("Can't find the target PID")) {
		return nil, fmt.Errorf("ask worker %d: %w", pid, ErrNoWorker)
	}
	return answer, nil
}

// Errors of Ask and Reload.
var (
	ErrNoWorker     = errors.New("no such worker")
	ErrReloadFailed = errors.New("HAProxy refused the configuration and keeps its worker")
)

// Reload makes the master read its configuration again and answers the new worker once it serves. The command itself
// answers nothing: `show proc` tells, by a new worker or by a count of failures that grew.
func (m *Master) Reload(ctx context.Context) (Worker, error) {
	before, err := m.Processes(ctx)
	if err != nil {
		return Worker{}, fmt.Errorf("reload: %w", err)
	}
	old, _ := before.Current()
	if _, err := m.ask(ctx, "reload"); err != nil {
		return Worker{}, fmt.Errorf("reload: %w", err)
	}
	for {
		p, err := m.Processes(ctx)
		if err != nil {
			return Worker{}, fmt.Errorf("reload: %w", err)
		}
		if p.Failed > before.Failed {
			return Worker{}, fmt.Errorf("reload: %w", ErrReloadFailed)
		}
		if w, ok := p.Current(); ok && w.PID != old.PID && p.Reloads > before.Reloads {
			return w, nil
		}
		select {
		case <-ctx.Done():
			return Worker{}, fmt.Errorf("reload: no new worker: %w", ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// reexec is how long the socket of a master may refuse or reset connections: while the master executes itself again
// during a reload. Measured: less than 100 ms with 5,000 backends.
const reexec = 500 * time.Millisecond

// ask waits out a master that executes itself again. A command whose answer got lost is sent again; HAProxy then
// answers that there is nothing to do, or refuses, and the caller reads back what is true.
func (m *Master) ask(ctx context.Context, command string) ([]byte, error) {
	for deadline := time.Now().Add(reexec); ; {
		answer, err := m.askOnce(ctx, command)
		away := errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
		if !away || time.Now().After(deadline) {
			return answer, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(2 * time.Millisecond):
		}
	}
}

func (m *Master) askOnce(ctx context.Context, command string) ([]byte, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", m.socket)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if _, err := io.WriteString(conn, command+"\n"); err != nil {
		return nil, fmt.Errorf("send %q: %w", command, err)
	}
	if err := conn.(*net.UnixConn).CloseWrite(); err != nil {
		return nil, fmt.Errorf("send %q: %w", command, err)
	}
	answer, err := io.ReadAll(conn)
	if err = cmp.Or(ctx.Err(), err); err != nil {
		return nil, fmt.Errorf("read the answer to %q: %w", command, err)
	}
	return bytes.TrimSuffix(answer, []byte("\n")), nil
}

// parseProcesses reads
//
//	#<PID>  <type>  <reloads>      <uptime>     <version>
//	16965   master  1 [failed: 0]  0d00h03m13s  2.6.12
//	# workers
//	19820   worker  0              0d00h00m00s  2.6.12
//	# old workers
//	16967   worker  1              0d00h03m13s  2.6.12
func parseProcesses(answer string) (Processes, error) {
	var p Processes
	var master, old bool
	for line := range strings.Lines(answer) {
		fields := strings.Fields(strings.NewReplacer("[failed:", "", "]", "").Replace(line))
		switch {
		case len(fields) == 0:
		case fields[0] == "#":
			old = strings.Contains(line, "old workers")
		case len(fields) >= 4 && fields[1] == "master":
			master = true
			p.Reloads, _ = strconv.Atoi(fields[2])
			p.Failed, _ = strconv.Atoi(fields[3])
		case len(fields) >= 4 && fields[1] == "worker":
			pid, err := strconv.Atoi(fields[0])
			if err != nil {
				return Processes{}, fmt.Errorf("worker with the process id %q", fields[0])
			}
			reloads, _ := strconv.Atoi(fields[2])
			p.Workers = append(p.Workers, Worker{PID: pid, Reloads: reloads, Uptime: parseUptime(fields[3]), Draining: old})
		}
	}
	if !master {
		return Processes{}, fmt.Errorf("no master in the answer %q", answer)
	}
	return p, nil
}

// parseUptime reads 0d00h03m13s; 0 when it is none.
func parseUptime(s string) time.Duration {
	days, rest, _ := strings.Cut(s, "d")
	d, _ := time.ParseDuration(rest)
	n, _ := strconv.Atoi(days)
	return time.Duration(n)*24*time.Hour + d
}
