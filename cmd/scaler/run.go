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
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	host, _ := os.Hostname() // without one the tag is left out
	r := &recorder{host: host, log: log, metrics: newMetrics(registry), board: newBoard()}
	feed, closing := c.feed(client, c.Interval, log)
	defer closing()
	feed.gauges = newSourceGauges(registry)
	l := newLoop(client, feed, r, log, c.Interval)

	g, ctx := errgroup.WithContext(ctx)
	if c.InfluxURL != "" {
		store, err := influx.OpenSpool(c.spoolDir(), spoolLimit)
		if err != nil {
			return err
		}
		defer store.Close()
		r.spool = store
		g.Go(func() error { influx.NewSender(c.Config(), store, log).Run(ctx); return nil })
	}
	g.Go(func() error { l.run(ctx, client.Watch(ctx)); return nil })
	g.Go(func() error {
		return c.Serve(ctx, api{board: r.board, gather: registry}.handler())
	})
	return g.Wait()
}

// feed reads from InfluxDB, where there is one, and from the proxies.
func (s sources) feed(configs configReader, interval time.Duration, log zerolog.Logger) (f *feed, closing func()) {
	if s.InfluxURL == "" {
		f, closing = newFeed(nil, "", interval, log), func() {}
	} else {
		reader := influx.NewReader(s.Config())
		f, closing = newFeed(reader, s.InfluxBucket, interval, log), reader.Close
		f.queries.configs = configs
	}
	if f.direct = newDirect(s.Proxies); f.direct != nil {
		f.influx.lost = "InfluxDB does not answer, the proxies are asked directly"
	}
	return f, closing
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
	quiet := zerolog.Nop()
	f, closing := s.feed(client, 10*time.Second, quiet) // nobody waits for the next tick: be patient
	defer closing()
	f.side = f.timeout
	l := newLoop(client, f, &recorder{log: quiet, metrics: newMetrics(prometheus.NewRegistry()), board: newBoard()}, quiet, time.Second)
	if err := l.look(ctx); err != nil {
		return nil, nil, fmt.Errorf("look at the swarm: %w", err)
	}
	return l, l.decide(time.Now()), nil
}
