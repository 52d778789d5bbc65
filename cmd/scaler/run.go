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
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	host, _ := os.Hostname() // without one the tag is left out
	m := newMetrics(registry)
	r := &recorder{host: host, log: log, metrics: m, board: newBoard(), notify: newNotifier(log, m)}
	feed, closing := c.feed(client, c.Interval, log)
	defer closing()
	feed.gauges = newSourceGauges(registry)
	l := newLoop(client, feed, r, log, c.Interval)
	l.filter.Label = c.Filter

	g, ctx := errgroup.WithContext(ctx)
	if c.InfluxURL != "" {
		outbox := influx.NewOutbox(c.Config(), c.spoolDir(), spoolLimit, log)
		watchOutbox(registry, outbox.Stats)
		r.spool = outbox
		g.Go(func() error { outbox.Run(ctx); return nil })
		defer func() {
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
			defer cancel()
			outbox.Close(last)
		}()
	}
	g.Go(func() error { l.run(ctx, client.Watch(ctx)); return nil })
	g.Go(func() error { r.notify.run(ctx); return nil })
	g.Go(func() error {
		return c.Serve(ctx, api{board: r.board, gather: registry, guard: daemon.Guard{Token: c.APIToken}, requests: l.requests}.handler())
	})
	return g.Wait()
}

// lastWords is how long the end of the scaler may wait for InfluxDB to take what it decided.
const lastWords = 2 * time.Second

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
	aloud := zerolog.New(zerolog.ConsoleWriter{Out: os.Stderr, NoColor: true, PartsExclude: []string{zerolog.TimestampFieldName}}).Level(zerolog.WarnLevel)
	f, closing := s.feed(client, 10*time.Second, aloud) // nobody waits for the next tick: be patient
	defer closing()
	f.side = f.timeout
	l := newLoop(client, f, &recorder{log: quiet, metrics: newMetrics(prometheus.NewRegistry()), board: newBoard()}, quiet, time.Second)
	l.filter.Label = s.Filter
	if err := l.look(ctx); err != nil {
		return nil, nil, fmt.Errorf("look at the swarm: %w", err)
	}
	return l, l.decide(time.Now()), nil
}
