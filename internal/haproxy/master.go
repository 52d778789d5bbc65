// Package haproxy moves bytes between Sluice and a HAProxy in master-worker mode. It knows no routes.
//
//	Store   files of a configuration: written aside, checked by `haproxy -c`, put in place in one step
//	Master  the master's command socket: workers, commands to one of them, reload
//	Args    the command line that starts the master on a Store
package haproxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Master talks to the command socket of a HAProxy master (`-S`). Each call uses a connection of its own: HAProxy ends
// an answer by closing it, and answers to several commands on one connection cannot be told apart reliably.
type Master struct {
	socket string
	slots  chan struct{}
}

// connections bounds the calls at a time. The master serves ten, of which some may be lost until the next reload (see
// pauseCut).
const connections = 4

// Dial names the socket; nothing is opened before the first call.
func Dial(socket string) *Master {
	return &Master{socket: socket, slots: make(chan struct{}, connections)}
}

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

// Old lists the workers that finish what they have.
func (p Processes) Old() (workers []Worker) {
	for _, w := range p.Workers {
		if w.Draining {
			workers = append(workers, w)
		}
	}
	return workers
}

// Processes lists the workers.
func (m *Master) Processes(ctx context.Context) (Processes, error) {
	answer, err := m.ask(ctx, "show proc", nil)
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
	return m.AskInto(ctx, pid, command, nil)
}

// AskInto is Ask for long answers that are asked often: the answer takes the place of what is in room, as long as it fits.
func (m *Master) AskInto(ctx context.Context, pid int, command string, room []byte) ([]byte, error) {
	answer, err := m.ask(ctx, fmt.Sprintf("@!%d %s", pid, command), room)
	if err != nil {
		return nil, fmt.Errorf("ask worker %d: %w", pid, err)
	}
	if bytes.HasPrefix(answer, []byte("Can't find the target PID")) {
		return nil, fmt.Errorf("ask worker %d: %w", pid, ErrNoWorker)
	}
	return answer, nil
}

// AskWith is Ask for a command that ends in "<<", with the lines that HAProxy reads behind it. None of them may be blank,
// and command and payload together have 16,381 bytes at most: what is longer is never answered. Errors name the command
// alone, for the payload may be a private key.
func (m *Master) AskWith(ctx context.Context, pid int, command string, payload []byte) ([]byte, error) {
	return m.Ask(ctx, pid, command+"\n"+string(bytes.TrimRight(payload, "\n"))+"\n")
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
	if _, err := m.exchange(ctx, "reload", nil); err != nil && !errors.Is(err, errCut) {
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

// reexecution bounds how long a master may be out of reach: during a reload it executes itself again, which refuses and
// cuts connections until it has read its configuration (0.5 s with 5,000 backends on an idle machine).
const reexecution = 5 * time.Second

// Pauses before a command is sent again. A refused connection costs nothing. One that was cut may have reached a worker
// in its last moments, and HAProxy 2.6 keeps one in about ten of these among the ten that the master serves at a time
// until the next reload: a worker that ends must not be asked often.
const (
	pauseRefused = 2 * time.Millisecond
	pauseCut     = 100 * time.Millisecond
)

// ask sends a command until it is answered. One that was cut may have been executed, so a command that is sent again may
// be answered as one that came too late; what runs tells.
func (m *Master) ask(ctx context.Context, command string, room []byte) ([]byte, error) {
	for deadline := time.Now().Add(reexecution); ; {
		answer, err := m.exchange(ctx, command, room)
		pause := pauseRefused
		switch {
		case time.Now().After(deadline):
			return answer, err
		case errors.Is(err, errCut):
			pause = pauseCut
		case !errors.Is(err, syscall.ECONNREFUSED):
			return answer, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// errCut tells a connection that ended or stayed without an answer from an empty answer, which is a blank line.
var errCut = errors.New("the connection was cut")

// exchange sends a command on a connection of its own and reads what comes until HAProxy closes it.
func (m *Master) exchange(ctx context.Context, text string, room []byte) ([]byte, error) {
	command, _, _ := strings.Cut(text, "\n") // errors leave the payload out
	select {
	case m.slots <- struct{}{}:
		defer func() { <-m.slots }()
	case <-ctx.Done():
		return nil, fmt.Errorf("send %q: %w", command, ctx.Err())
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", m.socket)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	_, err = io.WriteString(conn, text+"\n")
	if err == nil {
		err = conn.(*net.UnixConn).CloseWrite()
	}
	var answer []byte
	if err == nil {
		answer, err = readAnswer(conn, room)
	}
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("send %q: %w", command, ctx.Err())
	case errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.ENOTCONN),
		errors.Is(err, os.ErrDeadlineExceeded), err == nil && len(answer) == 0:
		return nil, fmt.Errorf("send %q: %w", command, errCut)
	case err != nil:
		return nil, fmt.Errorf("send %q: %w", command, err)
	}
	if bytes.HasPrefix(answer, []byte("Can't connect to the target CLI")) { // the worker ends and the master has yet to notice
		return nil, fmt.Errorf("send %q: %w", command, errCut)
	}
	return bytes.TrimSuffix(answer, []byte("\n")), nil
}

// silence is how long HAProxy may leave a connection without a byte. A command that the master has passed to a worker in
// its last moment is never answered, and the connection stays open.
const silence = 2 * time.Second

// readAnswer reads until the end, into room while there is some.
func readAnswer(conn net.Conn, room []byte) ([]byte, error) {
	for answer := room[:0]; ; {
		if err := conn.SetReadDeadline(time.Now().Add(silence)); err != nil {
			return nil, err
		}
		answer = slices.Grow(answer, 4<<10)
		n, err := conn.Read(answer[len(answer):cap(answer)])
		answer = answer[:len(answer)+n]
		if errors.Is(err, io.EOF) {
			return answer, nil
		} else if err != nil {
			return nil, err
		}
	}
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
