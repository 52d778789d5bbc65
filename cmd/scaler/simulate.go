package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sluice/internal/daemon"
	"sluice/policy"
	"sluice/policy/reference"
	"sluice/policy/simulation"
)

// simulateCommand lets labels meet a load before a service does.
type simulateCommand struct {
	Labels     string        `type:"existingfile" placeholder:"FILE" help:"Labels: a stack file (.yml, .yaml), or lines of key=value. Without one: the defaults, and a target of 85 sessions."`
	Service    string        `placeholder:"NAME" help:"Service of the stack file, if it scales several."`
	Trace      string        `type:"existingfile" placeholder:"FILE" help:"Load: a CSV that begins with the line seconds,sessions or seconds,requests. Without one, loads are generated."`
	Generate   []string      `placeholder:"KIND" help:"Loads to generate: wave, step, spike, sawtooth, flash; all of them by default."`
	Seed       uint64        `default:"1" help:"Another seed is another noise on the generated loads."`
	Noises     int           `default:"3" help:"How many noises: each load is generated with this seed and the following ones, and the table adds them up."`
	Capacity   float64       `placeholder:"LOAD" help:"What one replica carries of what the trace counts. By default, the target is 85 % of it."`
	Start      time.Duration `default:"10s" help:"Time from an order until a replica serves."`
	Latency    time.Duration `default:"100ms" help:"Time that a request takes when it does not wait."`
	Begin      time.Time     `default:"2026-03-02T00:00:00Z" help:"When the trace begins, for schedules."`
	FromInflux string        `name:"from-influx" placeholder:"SERVICE" help:"Load: what the proxies measured of this service, and beside the others what the scaler did about it."`
	Past       time.Duration `default:"6h" help:"How much of the past --from-influx replays."`
	Until      time.Time     `placeholder:"TIME" help:"When the past of --from-influx ends; by default now."`
	daemon.Influx
	Out string `type:"path" placeholder:"DIR" help:"Write simulation.csv and simulation.html there."`
}

// bench is what stays the same for all traces of a simulation.
type bench struct {
	policy  policy.Policy
	rule    policy.Rule // the first with a target; Target is 0 when there is none
	service simulation.Service
	begin   time.Time

	happened []int // replicas in every second, of a replay; nil when nobody knows
}

// run is one trace with everybody's results; the first is that of the minimum, the second is ours.
type run struct {
	trace     simulation.Trace
	results   []simulation.Result
	decisions []policy.Decision // ours that changed something
}

// Run prints the table and writes the files.
func (c *simulateCommand) Run(ctx context.Context) error {
	b, err := c.bench()
	if err != nil {
		return err
	}
	traces, err := c.traces(ctx, &b)
	if err != nil {
		return err
	}
	var runs []run
	for _, t := range traces {
		runs = append(runs, b.run(t))
	}
	if err := printRuns(os.Stdout, b, runs); err != nil {
		return err
	}
	if c.Out == "" {
		return nil
	}
	if err := os.MkdirAll(c.Out, 0o755); err != nil {
		return err
	}
	if err := write(filepath.Join(c.Out, "simulation.csv"), func(w io.Writer) error { return writeRuns(w, runs) }); err != nil {
		return err
	}
	return write(filepath.Join(c.Out, "simulation.html"), func(w io.Writer) error { return writePage(w, b, runs) })
}

func write(path string, content func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := content(f); err != nil {
		f.Close()
		return fmt.Errorf("write %s: %w", path, err)
	}
	return f.Close()
}

// threeLabels are simulated when no labels are given.
var threeLabels = map[string]string{policy.Prefix + "max": "40", policy.Prefix + "target": "85"}

// utilization is how much of a replica's capacity a target is taken to be, when nobody says.
const utilization = 0.85

func (c *simulateCommand) bench() (bench, error) {
	labels, name := threeLabels, "simulated"
	if c.Labels != "" {
		content, err := os.ReadFile(c.Labels)
		if err != nil {
			return bench{}, err
		}
		if name, labels, err = labelsOf(c.Labels, content, c.Service); err != nil {
			return bench{}, fmt.Errorf("%s: %w", c.Labels, err)
		}
	}
	p, any, problems := policy.Parse(name, labels, time.LoadLocation)
	switch {
	case len(problems) > 0:
		return bench{}, fmt.Errorf("%s: %s", cmp.Or(c.Labels, "labels"), sentence(problems))
	case !any || !p.Enabled:
		return bench{}, fmt.Errorf("%s: service %s is not scaled by its labels", c.Labels, name)
	}
	b := bench{policy: p, begin: c.Begin, service: simulation.Service{
		Capacity: c.Capacity, Start: int(c.Start / time.Second), Latency: c.Latency.Seconds(), Min: p.Min, Max: p.Max,
	}}
	for _, w := range p.Windows {
		b.service.Max = max(b.service.Max, w.Max)
		if w.Min > 0 {
			b.service.Min = min(b.service.Min, w.Min)
		}
	}
	if i := slices.IndexFunc(p.Rules, func(r policy.Rule) bool { return r.Strategy == "target" && r.PerReplica }); i >= 0 {
		b.rule = p.Rules[i]
	}
	if b.service.Capacity == 0 {
		if b.rule.Target == 0 {
			return bench{}, fmt.Errorf("--capacity: is missing, and no rule has a target that would tell it")
		}
		b.service.Capacity = b.rule.Target / utilization
	}
	return b, b.service.Validate()
}

// traces are that of the past, those of the file, or generated ones in what the rule measures.
func (c *simulateCommand) traces(ctx context.Context, b *bench) ([]simulation.Trace, error) {
	if c.FromInflux != "" {
		t, err := c.replay(ctx, b)
		return []simulation.Trace{t}, err
	}
	if c.Trace != "" {
		f, err := os.Open(c.Trace)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		t, err := simulation.ParseTrace(strings.TrimSuffix(filepath.Base(c.Trace), filepath.Ext(c.Trace)), f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Trace, err)
		}
		return []simulation.Trace{t}, nil
	}
	unit, kinds := simulation.Sessions, c.Generate
	if b.rule.Metric == "requestRate" {
		unit = simulation.Requests
	}
	if len(kinds) == 0 {
		kinds = simulation.Kinds
	}
	var traces []simulation.Trace
	for _, kind := range kinds {
		for n := range max(1, c.Noises) {
			t, err := simulation.Generate(kind, unit, b.service.Capacity, c.Seed+uint64(n))
			if err != nil {
				return nil, err
			}
			traces = append(traces, t)
		}
	}
	return traces, nil
}

// run simulates everybody on one trace. The other scalers get the same metric and the same target, where there is one.
func (b bench) run(t simulation.Trace) run {
	r := run{trace: t}
	ours := simulation.Policy(b.policy, b.begin, func(d policy.Decision) {
		if d.From != d.To {
			r.decisions = append(r.decisions, d)
		}
	})
	scalers := []simulation.Scaler{ours}
	if target := b.rule.Target; target > 0 {
		metric := reference.Sessions
		if b.rule.Metric == "requestRate" && t.Unit == simulation.Requests {
			metric = reference.Requests
		}
		scalers = append(scalers, &reference.HPA{Target: target, Metric: metric}, &reference.Knative{Target: target, Metric: metric},
			&reference.DockerScaler{Target: target, Metric: metric})
	}
	if b.happened != nil {
		scalers = append(scalers, reality(b.happened))
	}
	r.results = append(r.results, simulation.Minimum(t, b.service))
	for _, s := range scalers {
		r.results = append(r.results, simulation.Run(s, t, b.service))
	}
	return r
}
