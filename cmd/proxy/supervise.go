package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"sluice/internal/haproxy"
	"sluice/routing"
)

// runCommand is the supervisor: PID 1 of the container. It starts HAProxy's master and the controller side by side and
// starts either again when it ends, so that HAProxy outlives a controller that fails and the other way round. It
// collects orphans too: the workers of a master that was killed become its children.
type runCommand struct{ controlSettings }

func (c *runCommand) Run(ctx context.Context) error {
	if err := c.validate(); err != nil {
		return err
	}
	log := c.Logger()
	warnObsolete(os.Environ(), c.ConnectionMode, log)
	store, err := startingConfig(ctx, c.controlSettings, log)
	if err != nil {
		return err
	}
	binary, err := exec.LookPath(c.HAProxy)
	if err != nil {
		return fmt.Errorf("find haproxy: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find own program: %w", err)
	}
	s := supervisor{log: log, master: haproxy.Dial(c.socket()), haproxy: child{name: "haproxy", orphaned: syscall.SIGUSR1, args: haproxy.Args(binary, store, c.socket())},
		controller: child{name: "controller", orphaned: syscall.SIGTERM, args: append([]string{self, "control"}, os.Args[2:]...)}}
	log.Info().Str("version", version).Msg("proxy starts")
	return s.run(ctx, c.DrainTimeout)
}

type supervisor struct {
	log                 zerolog.Logger
	master              *haproxy.Master
	haproxy, controller child
}

// child is a process that shall run all the time.
type child struct {
	name string
	args []string
	// orphaned is the signal that it gets when the supervisor is killed.
	orphaned syscall.Signal
	pid      int // 0 while it does not run
	started  time.Time
	retry    time.Time     // when to start it again
	pause    time.Duration // before the next start; grows while it ends soon
}

// run ends when ctx does, after HAProxy has finished its connections or the drain timeout has passed.
func (s *supervisor) run(ctx context.Context, drain time.Duration) error {
	runtime.LockOSThread() // the kernel ties Pdeathsig to the thread that started the child
	defer runtime.UnlockOSThread()
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGCHLD)
	defer signal.Stop(ended)
	again := make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGHUP)
	defer signal.Stop(again)
	for ctx.Err() == nil {
		now := time.Now()
		s.haproxy.keep(now, s.log)
		s.controller.keep(now, s.log)
		select {
		case <-ctx.Done():
		case <-ended:
			s.reap()
		case <-again:
			s.controller.signal(syscall.SIGHUP)
		case <-time.After(time.Until(s.wake(now))):
		}
	}
	return s.stop(drain, ended)
}

// wake is when the next child is due to be started again; far away when both run.
func (s *supervisor) wake(now time.Time) time.Time {
	wake := now.Add(time.Hour)
	for _, c := range []*child{&s.haproxy, &s.controller} {
		if c.pid == 0 && c.retry.Before(wake) {
			wake = c.retry
		}
	}
	return wake
}

// stop lets HAProxy finish its connections (SIGUSR1: no new ones), then ends it, then the controller, which until then
// goes on counting them.
func (s *supervisor) stop(drain time.Duration, ended <-chan os.Signal) error {
	s.log.Info().Dur("timeout_ms", drain).Msg("proxy drains")
	if err := s.endHandover(); err != nil {
		s.log.Warn().Err(err).Msg("idle connections may lose their last request")
	}
	s.haproxy.signal(syscall.SIGUSR1)
	if !s.await(&s.haproxy, drain, ended) {
		s.log.Warn().Msg("connections were still open when the drain timeout passed")
		s.haproxy.signal(syscall.SIGTERM)
		s.await(&s.haproxy, 2*time.Second, ended)
	}
	s.controller.signal(syscall.SIGTERM)
	if !s.await(&s.controller, 5*time.Second, ended) {
		s.controller.signal(syscall.SIGKILL)
	}
	s.log.Info().Msg("proxy stopped")
	return nil
}

// endHandover tells the worker that it will have no successor.
func (s *supervisor) endHandover() error {
	if s.haproxy.pid == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	p, err := s.master.Processes(ctx)
	if err != nil {
		return err
	}
	worker, _ := p.Current()
	_, err = s.master.Ask(ctx, worker.PID, routing.NoSuccessor)
	return err
}

// await waits until the child has ended and tells whether it did in time.
func (s *supervisor) await(c *child, limit time.Duration, ended <-chan os.Signal) bool {
	deadline := time.After(limit)
	for c.pid != 0 {
		select {
		case <-ended:
			s.reap()
		case <-deadline:
			return false
		}
	}
	return true
}

// reap collects every child that has ended; one signal may stand for several.
func (s *supervisor) reap() {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if pid <= 0 || err != nil {
			return
		}
		for _, c := range []*child{&s.haproxy, &s.controller} {
			if c.pid == pid {
				c.ended(time.Now(), status, s.log)
			}
		}
	}
}

// keep starts the child when it does not run and is due.
func (c *child) keep(now time.Time, log zerolog.Logger) {
	if c.pid != 0 || now.Before(c.retry) {
		return
	}
	process, err := os.StartProcess(c.args[0], c.args, &os.ProcAttr{
		Files: []*os.File{nil, os.Stdout, os.Stderr},
		// Outside a container nobody else would end the children of a supervisor that was killed.
		Sys: &syscall.SysProcAttr{Pdeathsig: c.orphaned},
	})
	if err != nil {
		log.Error().Err(err).Str("process", c.name).Msg("process does not start")
		c.backOff(now)
		return
	}
	c.pid, c.started = process.Pid, now
	_ = process.Release() // reap waits for every child itself
	log.Info().Str("process", c.name).Int("pid", c.pid).Msg("process started")
}

func (c *child) ended(now time.Time, status syscall.WaitStatus, log zerolog.Logger) {
	log.Warn().Str("process", c.name).Int("pid", c.pid).Int("exit", status.ExitStatus()).Str("signal", status.Signal().String()).
		Dur("after_ms", now.Sub(c.started)).Msg("process ended")
	c.pid = 0
	if now.Sub(c.started) > 10*time.Second {
		c.pause = 0
	}
	c.backOff(now)
}

// backOff starts the child again at once the first time, then after 0.1 s, 0.2 s … 5 s.
func (c *child) backOff(now time.Time) {
	c.retry = now.Add(c.pause)
	c.pause = min(max(2*c.pause, 100*time.Millisecond), 5*time.Second)
}

func (c *child) signal(s syscall.Signal) {
	if c.pid != 0 {
		_ = syscall.Kill(c.pid, s) // it may have ended meanwhile
	}
}
