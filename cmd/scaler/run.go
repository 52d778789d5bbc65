package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"sluice/internal/daemon"
	"sluice/internal/influx"
	"sluice/internal/swarm"
)

// spoolLimit is in bytes: days of decisions of a hundred services.
const spoolLimit = 64 << 20

// runCommand is the scaler itself.
type runCommand struct{ settings }

// Run scales until the context ends.
func (c *runCommand) Run(ctx context.Context) error {
	if err := c.validate(); err != nil {
		return err
	}
	log := c.Logger()
	c.print(log)
	client, err := swarm.Open(c.DockerHost)
	if err != nil {
		return err
	}
	defer client.Close()
	client.Warned = func(id, warning string) {
		log.Warn().Str("service", id).Str("warning", warning).Msg("the engine has a remark")
	}
	outbox := influx.NewOutbox(c.Config(), c.spoolDir(), spoolLimit, log)
	reader := influx.NewReader(c.Config())
	defer reader.Close()

	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	host, _ := os.Hostname() // without one the tag is left out
	m := newMetrics(registry)
	watchOutbox(registry, outbox.Stats)
	r := &recorder{host: host, log: log, spool: outbox, metrics: m, board: newBoard(), notify: newNotifier(log, m)}
	l := newLoop(client, newFeed(reader, c.InfluxBucket, c.Interval, log), r, log, c.Interval)

	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { outbox.Run(ctx); return nil })
	g.Go(func() error { l.run(ctx, client.Watch(ctx)); return nil })
	g.Go(func() error { r.notify.run(ctx); return nil })
	g.Go(func() error {
		return c.Serve(ctx, api{board: r.board, gather: registry, guard: daemon.Guard{Token: c.APIToken}, requests: l.requests}.handler())
	})
	err = g.Wait()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	outbox.Close(last)
	return err
}

// lastWords is how long the end of the scaler may wait for InfluxDB to take what it decided.
const lastWords = 2 * time.Second

// newFeed makes a feed whose queries may take a few ticks.
func newFeed(r reader, bucket string, interval time.Duration, log zerolog.Logger) *feed {
	return &feed{
		reader: r, bucket: bucket, timeout: min(max(3*interval, 2*time.Second), 10*time.Second), log: log,
		samples: newSamples(), reach: history,
	}
}

// once looks at the swarm and InfluxDB a single time and decides, for commands that change nothing.
func (s sources) once(ctx context.Context) (*loop, []*intent, error) {
	if err := s.validate(); err != nil {
		return nil, nil, err
	}
	client, err := swarm.Open(s.DockerHost)
	if err != nil {
		return nil, nil, err
	}
	defer client.Close()
	reader := influx.NewReader(s.Config())
	defer reader.Close()
	quiet := zerolog.Nop()
	aloud := zerolog.New(zerolog.ConsoleWriter{Out: os.Stderr, NoColor: true, PartsExclude: []string{zerolog.TimestampFieldName}}).Level(zerolog.WarnLevel)
	f := newFeed(reader, s.InfluxBucket, 10*time.Second, aloud) // nobody waits for the next tick: be patient
	l := newLoop(client, f, &recorder{log: quiet, metrics: newMetrics(prometheus.NewRegistry()), board: newBoard()}, quiet, time.Second)
	if err := l.look(ctx); err != nil {
		return nil, nil, fmt.Errorf("look at the swarm: %w", err)
	}
	return l, l.decide(time.Now()), nil
}
