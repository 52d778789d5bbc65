package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"sluice/policy"
)

// decideCommand prints what would be done now.
type decideCommand struct{ sources }

// Run prints a table.
func (c *decideCommand) Run(ctx context.Context) error {
	_, intents, err := c.once(ctx)
	if err != nil {
		return err
	}
	printTable(os.Stdout, intents)
	return nil
}

func printTable(w io.Writer, intents []*intent) {
	if len(intents) == 0 {
		fmt.Fprintf(w, "No service has a label %smax or any other of the scaler.\n", policy.Prefix)
		return
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SERVICE\tREPLICAS\tRUNNING\tMIN\tMAX\tVERDICT\tWHY")
	for _, i := range intents {
		replicas := fmt.Sprint(i.decision.From)
		if i.decision.To != i.decision.From {
			replicas = fmt.Sprintf("%d -> %d", i.decision.From, i.decision.To)
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%d\t%s\t%s\n", i.service.Name, replicas, i.running, i.policy.Min, i.policy.Max,
			i.decision.Verdict, i.decision.Reason)
	}
	table.Flush()
}

// explainCommand answers "why does my service have that many replicas?".
type explainCommand struct {
	Service string `arg:"" help:"Name of the service."`
	sources
}

// Run prints labels, samples, steps and the sentence.
func (c *explainCommand) Run(ctx context.Context) error {
	l, intents, err := c.once(ctx)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(intents, func(i *intent) bool { return i.service.Name == c.Service })
	if at < 0 {
		return fmt.Errorf("no service %q has scaling labels, only: %s", c.Service, cmp.Or(names(intents), "none"))
	}
	explain(os.Stdout, intents[at], l.feed.series(time.Now(), c.Service), l.feed.origin(), time.Now())
	return nil
}

func names(intents []*intent) string {
	var list []string
	for _, i := range intents {
		list = append(list, i.service.Name)
	}
	return strings.Join(list, ", ")
}

// explain is written from the end: first the sentence, then how it came about.
func explain(w io.Writer, i *intent, series []policy.Series, origin string, now time.Time) {
	d := i.decision
	fmt.Fprintf(w, "%s: %s\n\nLabels\n", i.service.Name, d.Reason)
	for _, key := range slices.Sorted(maps.Keys(i.service.Labels)) {
		if policy.Owns(key) {
			fmt.Fprintf(w, "  %s = %s\n", key, i.service.Labels[key])
		}
	}
	for _, p := range i.problems {
		fmt.Fprintf(w, "  problem: %s, got %q\n", p.Label+" "+p.Reason, p.Value)
	}
	if len(i.problems) > 0 {
		fmt.Fprintln(w, "\nUntil its labels can be used, the service is not scaled. It is routed all the same.")
		return
	}
	fmt.Fprintf(w, "\nReplicas\n  %d desired, %d running of %d tasks; between %d and %d\n", d.From, i.running, len(i.tasks), i.policy.Min, i.policy.Max)
	fmt.Fprintf(w, "\nMeasured (HAProxy's figures %s)\n", origin)
	explainRules(w, i.policy, d)
	explainSeries(w, i.policy, series, now)
	fmt.Fprintf(w, "\nSteps (from %d replicas the rules ask for %d)\n", d.From, d.Want)
	for _, s := range d.Steps {
		fmt.Fprintf(w, "  %-14s %3d  %s\n", s.Name, s.To, cmp.Or(s.Why, "no change"))
	}
	fmt.Fprintf(w, "\nVerdict\n  %s", d.Verdict)
	if d.From != d.To {
		fmt.Fprintf(w, ", from %d to %d", d.From, d.To)
	}
	fmt.Fprintln(w)
}

func explainRules(w io.Writer, p policy.Policy, d policy.Decision) {
	for n, o := range d.Rules {
		r := p.Rules[n]
		if o.Asleep || r.Strategy != "target" {
			fmt.Fprintf(w, "  rule %d, %s\n", o.Rule, o.Sentence(r))
			continue
		}
		what := fmt.Sprintf("%s of %s over %s", r.Agg, r.Metric, r.Window)
		if o.Missing != "" {
			fmt.Fprintf(w, "  %s: %s\n", what, o.Missing)
			continue
		}
		fmt.Fprintf(w, "  %s: %.1f, target %g a replica, needs %.2f replicas\n", what, o.Value, o.Target, o.Need)
	}
}

// explainSeries prints the last seconds of every series that a rule may have looked at.
func explainSeries(w io.Writer, p policy.Policy, series []policy.Series, now time.Time) {
	const shown = 8
	for _, s := range series {
		if !slices.ContainsFunc(p.Rules, func(r policy.Rule) bool { return r.Source() == s.Metric }) || len(s.Points) == 0 {
			continue
		}
		what := s.Metric
		if s.Backend != "" {
			what += " of " + s.Backend
		} else if ofContainers(s.Metric) {
			continue // it only says that Telegraf looked
		}
		last := s.Points[max(0, len(s.Points)-shown):]
		var values []string
		for _, point := range last {
			values = append(values, fmt.Sprintf("%.4g", point.Value))
		}
		age := now.Sub(last[len(last)-1].At.Add(-s.Ahead)).Round(100 * time.Millisecond)
		fmt.Fprintf(w, "  %s by %s %s, %d points, the newest %s old: … %s\n", what, cmp.Or(s.By, "proxy"), s.Proxy, len(s.Points), age, strings.Join(values, " "))
		if s.Ahead != 0 {
			fmt.Fprintf(w, "    its clock is %s ahead of ours\n", s.Ahead.Round(100*time.Millisecond))
		}
	}
}
