package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"sluice/haproxystats"
	"sluice/internal/daemon"
	"sluice/internal/haproxy"
	"sluice/internal/swarm"
)

// controlCommand is the controller: it runs beside HAProxy, adopts it through its socket and may end at any line.
type controlCommand struct{ controlSettings }

func (c *controlCommand) Run(ctx context.Context) error {
	if err := c.validate(); err != nil {
		return err
	}
	settings, err := c.settings(c.Dir)
	if err != nil {
		return err
	}
	log := c.Logger()
	frugal()
	if err := stepBack(); err != nil {
		log.Warn().Err(err).Msg("the controller takes as much of the processor as HAProxy")
	}
	store, err := haproxy.OpenStore(c.configDir(), c.HAProxy)
	if err != nil {
		return err
	}
	instance := newInstance()
	declared, err := c.declarations(instance, log)
	if err != nil {
		return err
	}
	reader, events, err := c.openSwarm(ctx)
	if err != nil {
		return err
	}
	defer reader.Close()
	entries, err := c.entries()
	if err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	loop := &reconciler{
		lister: lister{swarm: reader}, declared: declared, resolver: newResolver(), files: newTLSFiles(c.routeSettings, c.place), plain: newPlainPorts(c.routeSettings, entries),
		standing: withoutSiblings(c.controlSettings),
		engine:   engine{master: haproxy.Dial(c.socket()), store: store}, gate: newGate(),
		options: c.routing(), settings: settings, log: log, metrics: newMetrics(registry), refused: map[string]quarantined{},
	}
	loop.view.Store(&view{})
	log.Info().Str("dir", c.Dir).Str("entries", c.DefaultPorts+","+c.BindPorts).Str("network", c.Network).Str("influx", c.InfluxURL).Msg("controller starts")

	export, err := c.exporter(loop, log)
	if err != nil {
		return err
	}
	registry.MustRegister(export.shown)
	if err := awaitHAProxy(ctx, loop.engine.master); err != nil {
		return err
	}
	return c.work(ctx, instance, loop, export, events, registry)
}

// work runs the controller's loops until ctx ends or one of them fails.
func (c *controlCommand) work(ctx context.Context, instance string, loop *reconciler, export *exporter, events <-chan struct{}, gather prometheus.Gatherer) error {
	group, ctx := errgroup.WithContext(ctx)
	again := make(chan struct{}, 1)
	if c.Swarm {
		hurry := make(chan struct{}, 1)
		loop.lister.hurry = hurry
		loop.reach = newReach(func() { poke(hurry); poke(again) }, loop.log)
		group.Go(func() error { loop.reach.run(ctx); return nil })
	}
	go hints(ctx, events, again)
	group.Go(func() error { loop.run(ctx, again); return nil })
	group.Go(func() error { export.run(ctx); return nil })
	answers := api{view: loop.view.Load, recent: export.recent, gather: gather, showStat: showStat(loop.engine.master), certDir: certificatesDir(c.Dir),
		declared: loop.declared, guard: daemon.Guard{Token: c.APIToken}, again: func() { poke(again) }}
	if err := c.joinSiblings(instance, &answers, loop.log); err != nil {
		return err
	}
	group.Go(func() error { answers.siblings.run(ctx); return nil })
	group.Go(func() error { return c.Serve(ctx, answers.handler()) })
	return group.Wait()
}

// garbage is how many percent of what is in use may be garbage before it is collected. Go's 100 make 150 MB of 10,000
// servers, and collecting more often costs little: the controller is idle most of the time.
const garbage = 30

// frugal lets garbage be collected earlier, unless GOGC says another number than the usual one.
func frugal() {
	const usual = 100
	if before := debug.SetGCPercent(garbage); before != usual {
		debug.SetGCPercent(before)
	}
}

// exporter joins the statistics to the routes of the moment.
func (c *controlCommand) exporter(loop *reconciler, log zerolog.Logger) (*exporter, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("find the host's name: %w", err)
	}
	return newExporter(loop.engine.master, exportSettings{
		interval: c.StatsInterval, servers: c.StatsServers, figures: loop.figures,
		origin: haproxystats.Origin{Host: host, Server: cmp.Or(c.StatsInstance, host), Owner: loop.owner},
		influx: c.Config(),
		dir:    c.spoolDir(), limit: c.SpoolLimit,
	}, log), nil
}

// declarations are the services of the environment and those that the API gave before.
func (c *controlCommand) declarations(instance string, log zerolog.Logger) (*declarations, error) {
	fixed, err := declaredByEnvironment(os.Environ())
	if err != nil {
		return nil, err
	}
	return openDeclarations(c.declaredFile(), fixed, instance, log)
}

// siblings are the other proxies of the service; nil where changes are not passed on.
func (c *controlCommand) joinSiblings(instance string, a *api, log zerolog.Logger) (err error) {
	if c.ServiceName == "" || c.APIToken == "" {
		return nil
	}
	if a.certificates, err = openBlobShelf(c.stampsFile(), sharedCertificates{a.certDir}, instance); err != nil {
		return err
	}
	a.siblings = newSiblings(c.controlSettings, instance, log)
	a.siblings.again, a.siblings.inForce = a.again, a.inForce
	a.siblings.shelves[servicesKind], a.siblings.shelves[certificatesKind] = a.declared, a.certificates
	return nil
}

// showStat asks the worker that takes connections.
func showStat(master *haproxy.Master) func(context.Context) ([]byte, error) {
	return func(ctx context.Context) ([]byte, error) {
		p, err := master.Processes(ctx)
		if err != nil {
			return nil, err
		}
		worker, ok := p.Current()
		if !ok {
			return nil, errors.New("HAProxy has no worker that takes connections")
		}
		return master.Ask(ctx, worker.PID, "show stat")
	}
}

// openSwarm answers who reads the swarm, and its events; without a swarm there is nothing to read.
func (c *controlCommand) openSwarm(ctx context.Context) (swarmCloser, <-chan struct{}, error) {
	if !c.Swarm {
		return noSwarm{}, nil, nil
	}
	client, err := swarm.Open(c.DockerHost)
	if err != nil {
		return nil, nil, err
	}
	return client, client.Watch(ctx), nil
}

type swarmCloser interface {
	swarmReader
	io.Closer
}

// hints joins the swarm's events and SIGHUP into one slot: "look again".
func hints(ctx context.Context, events <-chan struct{}, joined chan<- struct{}) {
	again := make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGHUP)
	defer signal.Stop(again)
	for {
		select {
		case <-ctx.Done():
			return
		case <-again:
		case _, open := <-events:
			if !open {
				events = nil
			}
		}
		poke(joined)
	}
}

// poke fills the slot; when it is full somebody will look again anyhow.
func poke(slot chan<- struct{}) {
	select {
	case slot <- struct{}{}:
	default:
	}
}

// awaitHAProxy waits for the master that the supervisor starts at the same time. After a while it lets the loop begin
// all the same, which then says what is wrong.
func awaitHAProxy(ctx context.Context, master *haproxy.Master) error {
	for deadline := time.Now().Add(3 * time.Second); time.Now().Before(deadline); {
		if _, err := master.Processes(ctx); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}
