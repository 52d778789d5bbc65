package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sluice/internal/haproxy"
	"sluice/routing"
)

// engine is the running HAProxy as the reconciler sees it: what runs, and how to change it. What was read of a worker
// is believed as long as that worker lives and nothing was changed; a worker that was not read yet is read.
type engine struct {
	master  *haproxy.Master
	store   *haproxy.Store
	worker  haproxy.Worker
	running routing.Running
	read    time.Time // when running was read as a whole
	old     []haproxy.Worker
}

// maxBelief bounds how long what was read is believed: somebody else may use HAProxy's socket.
const maxBelief = 30 * time.Second

// observe answers what the current worker runs.
func (e *engine) observe(ctx context.Context, now time.Time) (routing.Running, error) {
	p, err := e.master.Processes(ctx)
	if err != nil {
		return routing.Running{}, err
	}
	e.old = p.Old()
	worker, ok := p.Current()
	if !ok {
		return routing.Running{}, errors.New("observe HAProxy: it has no worker that takes connections")
	}
	if worker.PID == e.worker.PID && now.Sub(e.read) < maxBelief {
		return e.running, nil
	}
	running, err := e.readAll(ctx, worker.PID)
	if err != nil {
		e.worker = haproxy.Worker{}
		return routing.Running{}, err
	}
	e.worker, e.running, e.read = worker, running, now
	return running, nil
}

func (e *engine) readAll(ctx context.Context, pid int) (routing.Running, error) {
	shape, err := e.readShape(ctx, pid)
	if err != nil {
		return routing.Running{}, err
	}
	running := routing.Running{Shape: shape, Maps: map[string]map[string]string{}}
	answer, err := e.master.Ask(ctx, pid, "show backend")
	if err != nil {
		return routing.Running{}, err
	}
	running.Backends = routing.ParseBackends(answer)
	if answer, err = e.master.Ask(ctx, pid, "show servers state"); err != nil {
		return routing.Running{}, err
	}
	if running.Servers, err = routing.ParseServers(answer); err != nil {
		return routing.Running{}, err
	}
	if answer, err = e.master.Ask(ctx, pid, "show stat -1 1 -1"); err != nil {
		return routing.Running{}, err
	}
	running.Frontends = routing.ParseFrontends(answer)
	if err := e.readMaps(ctx, pid, &running); err != nil {
		return routing.Running{}, err
	}
	return running, e.readCertificates(ctx, pid, &running, nil)
}

// readCertificates reads which certificates there are, and of those that changed, or were not known, what they hold.
func (e *engine) readCertificates(ctx context.Context, pid int, running *routing.Running, changed map[string]bool) error {
	answer, err := e.master.Ask(ctx, pid, routing.ShowCertificateList)
	if err != nil {
		return err
	}
	if running.List, err = routing.ParseCertificateList(answer); err != nil {
		return err
	}
	if answer, err = e.master.Ask(ctx, pid, "show ssl cert"); err != nil {
		return err
	}
	before := running.Stored
	running.Stored = map[string]routing.RunningCertificate{}
	var files []string
	files, running.Transaction = routing.ParseCertificateNames(answer)
	for _, file := range files {
		if known, ok := before[file]; ok && !changed[file] {
			running.Stored[file] = known
			continue
		}
		if answer, err = e.master.Ask(ctx, pid, "show ssl cert "+file); err != nil {
			return err
		}
		if running.Stored[file], err = routing.ParseCertificateStatus(answer); err != nil {
			return err
		}
	}
	return nil
}

func (e *engine) readShape(ctx context.Context, pid int) (string, error) {
	answer, err := e.master.Ask(ctx, pid, "get var proc.sluice_shape")
	return routing.ParseShape(answer), err
}

func (e *engine) readMaps(ctx context.Context, pid int, running *routing.Running) error {
	answer, err := e.master.Ask(ctx, pid, "show map")
	if err != nil {
		return err
	}
	for _, name := range routing.ParseMapNames(answer) {
		if answer, err = e.master.Ask(ctx, pid, "show map "+name); err != nil {
			return err
		}
		if running.Maps[name], err = routing.ParseMap(answer); err != nil {
			return err
		}
	}
	return nil
}

// refusedError is a command that HAProxy did not take.
type refusedError struct {
	command routing.Command
	answer  string
}

func (e *refusedError) Error() string {
	return fmt.Sprintf("send %q: HAProxy answers %q", e.command.Line, e.answer)
}

// send applies commands one by one. What HAProxy refuses (a *refusedError each) does not stop the others, but the further
// ones about the same certificate; it is read back afterwards, so the next plan starts from what really runs. waiting
// counts the servers that still have connections.
func (e *engine) send(ctx context.Context, commands []routing.Command) (done, waiting int, err error) {
	var t touched
	var refused []error
	spoiled := map[string]bool{}
	for _, c := range commands {
		if spoiled[c.Certificate] {
			continue
		}
		t.add(c)
		answer, err := e.tell(ctx, c)
		if err != nil {
			e.worker = haproxy.Worker{} // read everything again
			return done, waiting, err
		}
		switch ok, retry := c.Succeeded(string(answer)); {
		case ok:
			done++
		case retry:
			waiting++
		default:
			spoiled[c.Certificate] = c.Certificate != ""
			refused = append(refused, &refusedError{c, string(answer)})
		}
	}
	if err := e.readTouched(ctx, t); err != nil {
		e.worker = haproxy.Worker{}
		refused = append(refused, err)
	}
	return done, waiting, errors.Join(refused...)
}

// tell sends a command, and the one that undoes what it leaves when HAProxy refuses it.
func (e *engine) tell(ctx context.Context, c routing.Command) (answer []byte, err error) {
	if c.Payload != nil {
		answer, err = e.master.AskWith(ctx, e.worker.PID, c.Line, c.Payload)
	} else {
		answer, err = e.master.Ask(ctx, e.worker.PID, c.Line)
	}
	if ok, retry := c.Succeeded(string(answer)); err == nil && !ok && !retry && c.Undo != "" {
		_, err = e.master.Ask(ctx, e.worker.PID, c.Undo)
	}
	return answer, err
}

// touched is what commands may have changed.
type touched struct {
	backends     map[string]bool
	maps         bool
	certificates map[string]bool // by file
}

func (t *touched) add(c routing.Command) {
	switch {
	case c.Certificate != "":
		if t.certificates == nil {
			t.certificates = map[string]bool{}
		}
		t.certificates[routing.CertificateFileName(c.Certificate)] = true
	case c.Backend != "":
		if t.backends == nil {
			t.backends = map[string]bool{}
		}
		t.backends[c.Backend] = true
	default:
		t.maps = true
	}
}

func (e *engine) readTouched(ctx context.Context, t touched) error {
	if t.maps {
		if err := e.readMaps(ctx, e.worker.PID, &e.running); err != nil {
			return err
		}
	}
	if t.certificates != nil {
		if err := e.readCertificates(ctx, e.worker.PID, &e.running, t.certificates); err != nil {
			return err
		}
	}
	for backend := range t.backends {
		answer, err := e.master.Ask(ctx, e.worker.PID, "show servers state "+backend)
		if err != nil {
			return err
		}
		servers, err := routing.ParseServers(answer)
		if err != nil {
			return err
		}
		e.running.Servers[backend] = servers[backend]
	}
	return nil
}

// save writes the configuration that runs, with the servers of the moment, for the next start of HAProxy. Its shape
// has been checked; only addresses differ.
func (e *engine) save(want routing.Config) error {
	g, err := e.store.Write(want.Files())
	if err != nil {
		return err
	}
	_, err = g.Activate()
	return err
}

// check asks HAProxy whether it would take a configuration.
func (e *engine) check(ctx context.Context, c routing.Config) error {
	g, err := e.store.Write(c.Files())
	if err != nil {
		return err
	}
	return errors.Join(g.Check(ctx), g.Discard())
}

// reload puts a configuration in place that HAProxy has checked, and confirms that the new worker runs it. When
// anything fails the old files are put back, and the old worker goes on serving.
func (e *engine) reload(ctx context.Context, want routing.Config) error {
	g, err := e.store.Write(want.Files())
	if err != nil {
		return err
	}
	if err := g.Check(ctx); err != nil {
		return errors.Join(err, g.Discard())
	}
	back, err := g.Activate()
	if err != nil {
		return err
	}
	e.worker = haproxy.Worker{}
	worker, err := e.master.Reload(ctx)
	if err != nil {
		return errors.Join(err, back())
	}
	shape, err := e.readShape(ctx, worker.PID)
	if err == nil && shape != want.Shape {
		err = fmt.Errorf("confirm the reload: worker %d runs shape %q, not %q", worker.PID, shape, want.Shape)
	}
	return err
}
