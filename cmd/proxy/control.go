package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"sluice/haproxystats"
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
	store, err := haproxy.OpenStore(c.configDir(), c.HAProxy)
	if err != nil {
		return err
	}
	client, err := swarm.Open(c.DockerHost)
	if err != nil {
		return err
	}
	defer client.Close()
	registry := prometheus.NewRegistry()
	loop := &reconciler{
		lister: lister{swarm: client}, engine: engine{master: haproxy.Dial(c.socket()), store: store}, gate: newGate(),
		options: c.options(), settings: settings, log: log, metrics: newMetrics(registry), refused: map[string]string{},
	}
	loop.view.Store(&view{})
	log.Info().Str("dir", c.Dir).Strs("binds", settings.Binds).Str("network", c.Network).Str("influx", c.InfluxURL).Msg("controller starts")

	export, err := c.exporter(loop, log)
	if err != nil {
		return err
	}
	if err := awaitHAProxy(ctx, loop.engine.master); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { loop.run(ctx, hints(ctx, client)); return nil })
	group.Go(func() error { export.run(ctx); return nil })
	group.Go(func() error {
		return c.Serve(ctx, api{view: loop.view.Load, recent: export.recent, gather: registry}.handler())
	})
	return group.Wait()
}

// exporter joins the statistics to the routes of the moment.
func (c *controlCommand) exporter(loop *reconciler, log zerolog.Logger) (*exporter, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("find the host's name: %w", err)
	}
	return newExporter(loop.engine.master, exportSettings{
		interval: c.StatsInterval, servers: c.StatsServers, figures: loop.figures,
		origin: haproxystats.Origin{Host: host, Server: cmp.Or(c.Instance, host), Owner: loop.owner},
		influx: c.Config(),
		dir:    c.spoolDir(), limit: c.SpoolLimit,
	}, log), nil
}

// hints joins the swarm's events and SIGHUP into one slot: "look again".
func hints(ctx context.Context, client *swarm.Client) <-chan struct{} {
	joined := make(chan struct{}, 1)
	again := make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGHUP)
	events := client.Watch(ctx)
	go func() {
		defer signal.Stop(again)
		for {
			select {
			case <-ctx.Done():
				return
			case <-again:
			case <-events:
			}
			select {
			case joined <- struct{}{}:
			default:
			}
		}
	}()
	return joined
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
