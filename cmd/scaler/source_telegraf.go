package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"sluice/internal/influx"
	"sluice/policy"
)

// containers keep what Telegraf's docker input says of the containers of tasks. It looks every 10 s and writes up to as
// much later, so it is asked every few seconds. One Telegraf looks at one engine, and has a clock of its own. The
// measurement `docker`, which it writes of the engine, says that it looked: a service without containers there is gone
// from that node, and is not silence.
type containers struct {
	source
	reader  reader
	bucket  string
	timeout time.Duration
	log     zerolog.Logger
	samples *samples
	asking  errand[[]influx.Record]
}

const (
	telegrafEvery   = 5 * time.Second  // between two calls
	telegrafUsual   = 10 * time.Second // between two looks of Telegraf
	telegrafOverlap = 40 * time.Second // how late a point may be
)

// serviceTag is a label that the swarm gives to containers, and that Telegraf makes a tag of.
const serviceTag = "com.docker.swarm.service.name"

func newContainers(r reader, bucket string, timeout time.Duration, log zerolog.Logger) *containers {
	return &containers{source: telegrafSource(), reader: r, bucket: bucket, timeout: timeout, log: log, samples: newSamples()}
}

// begin asks for what is new.
func (c *containers) begin(ctx context.Context, wishes []wish) {
	c.samples.want(wishes, ofContainers)
	c.samples.keep = history
	var names []string
	wanted := map[string]bool{}
	for _, w := range wishes {
		metrics := w.metrics(ofContainers)
		if len(metrics) == 0 {
			continue
		}
		names = append(names, w.service)
		for _, m := range metrics {
			wanted[m] = true
		}
		for _, r := range w.rules {
			c.samples.keep = max(c.samples.keep, r.Window+r.Offset+policy.Lookback)
		}
	}
	start := time.Now()
	if len(names) == 0 || start.Sub(c.answered) < telegrafEvery {
		return
	}
	from := later(c.answered.Add(-telegrafOverlap), start.Add(-c.samples.keep))
	query := containerFlux(c.bucket, from, start.Add(mostAhead), names, wanted)
	c.asking.begin(ctx, c.timeout, func(ctx context.Context) ([]influx.Record, error) { return c.reader.Query(ctx, query) })
}

// containerFlux reads counters of cpu time rather than usage_percent, which is about one second of the ten.
func containerFlux(bucket string, from, to time.Time, services []string, wanted map[string]bool) string {
	names := ""
	if len(services) <= maxNamed {
		var terms []string
		for _, s := range services {
			terms = append(terms, `r["`+serviceTag+`"] == `+influx.Quote(s))
		}
		names = " and (" + strings.Join(terms, " or ") + ")"
	}
	conditions := []string{`(r._measurement == "docker" and r._field == "n_containers_running")`}
	if wanted["cpu"] {
		conditions = append(conditions, `(r._measurement == "docker_container_cpu" and r.cpu == "cpu-total" and r._field == "usage_total"`+names+")")
	}
	if wanted["memory"] {
		conditions = append(conditions, `(r._measurement == "docker_container_mem" and r._field == "usage_percent"`+names+")")
	}
	return fmt.Sprintf(`from(bucket: %s)
  |> range(start: %s, stop: %s)
  |> filter(fn: (r) => %s)
  |> group(columns: ["_field", "engine_host"])
  |> keep(columns: ["_time", "_value", "_field", "engine_host", "container_name", %q])`,
		influx.Quote(bucket), instant(from), instant(to), strings.Join(conditions, " or "), serviceTag)
}

// collect takes the answer, when there is one.
func (c *containers) collect(ctx context.Context) {
	o, came := c.asking.take(ctx)
	if !came {
		return
	}
	if c.did(c.log, o.begun, o.ended, o.err); o.err != nil {
		return
	}
	for _, row := range o.value {
		col, service, node := columnOf[row.Field], row.Tags[serviceTag], row.Tags["engine_host"]
		if col == alive {
			service = ""
		} else if service == "" {
			continue
		}
		c.samples.put(service, track{proxy: node, backend: row.Tags["container_name"]}, row.Time, col, row.Value)
	}
	c.samples.settle(o.ended)
}

// of are the series of a service, one for each container and metric, and for each node and metric one that only says when
// its Telegraf looked, as long as any container is measured.
func (c *containers) of(now time.Time, service string) []policy.Series {
	list := c.samples.of(service)
	type spoken struct{ metric, node string }
	looked := map[spoken]policy.Series{}
	measured := map[string]bool{} // by metric
	for i := range list {
		s := &list[i]
		s.By, s.Every, s.Ahead = "Telegraf of node", max(s.Every, telegrafUsual), max(0, s.Ahead)
		measured[s.Metric] = measured[s.Metric] || current(now, *s)
		looked[spoken{s.Metric, s.Proxy}] = policy.Series{Metric: s.Metric, Proxy: s.Proxy, By: s.By, Every: s.Every, Ahead: s.Ahead}
	}
	for _, t := range c.samples.services[""] {
		for _, metric := range c.samples.wanted[service] {
			s, found := looked[spoken{metric, t.proxy}]
			if !found || !measured[metric] {
				continue
			}
			for _, at := range t.at {
				s.Points = append(s.Points, policy.Point{At: time.UnixMilli(at)})
			}
			list = append(list, s)
		}
	}
	return list
}

// current tells whether the container of the series is still measured.
func current(now time.Time, s policy.Series) bool {
	last := s.Points[len(s.Points)-1]
	return last.Weight > 0 && now.Sub(last.At.Add(-s.Ahead)) <= 3*s.Every
}

// settled is the age of a task from which on Telegraf must have measured it: twice, for a rate, and written it.
const settled = time.Minute

// fill says why a metric is not known, or only of some tasks.
func (c *containers) fill(now time.Time, in *policy.Input, metric string) {
	switch {
	case c.trouble != "":
		in.Failures[metric] = c.trouble
	case c.answered.IsZero():
		in.Failures[metric] = "Telegraf's figures have not come yet"
	}
	tasks, measured := 0, 0
	for _, t := range in.Tasks {
		if t.Running && now.Sub(t.Since) >= settled {
			tasks++
		}
	}
	for _, s := range in.Series {
		if s.Metric == metric && current(now, s) {
			measured++
		}
	}
	if measured < tasks {
		in.Partial[metric] = fmt.Sprintf("%s of %d of %d tasks is measured", metric, measured, tasks)
	}
}
