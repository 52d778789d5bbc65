package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"sluice/internal/label"
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
		return absent(c.Service, intents)
	}
	explain(os.Stdout, intents[at], l.feed.series(time.Now(), c.Service), l.feed.origin(time.Now()), time.Now())
	return nil
}

// absent says of which services something could be explained instead.
func absent(service string, intents []*intent) error {
	if len(intents) == 0 {
		return errors.New("no service has scaling labels")
	}
	var list []string
	for _, i := range intents {
		list = append(list, i.service.Name)
	}
	return fmt.Errorf("no service %q has scaling labels%s, but these have: %s", service, label.DidYouMean(service, list), strings.Join(list, ", "))
}

// explain is written from the end: first the sentence, then how it came about.
func explain(w io.Writer, i *intent, series []policy.Series, origin string, now time.Time) {
	d := i.decision
	fmt.Fprintf(w, "%s: %s\n\nWhat its labels ask for\n", i.service.Name, d.Reason)
	explainLabels(w, i)
	switch {
	case len(i.problems) > 0:
		fmt.Fprintln(w, "\nUntil its labels can be used, the service is not scaled. It is routed all the same.")
		return
	case d.Verdict == policy.Off || d.Verdict == policy.Refused:
		fmt.Fprintln(w, "\nThe scaler leaves it alone.")
		return
	}
	explainReplicas(w, i, now)
	if len(i.policy.Rules) > 0 {
		fmt.Fprintf(w, "\nWhat was measured (HAProxy's figures %s)\n", origin)
		explainRules(w, i.policy, d)
		explainSeries(w, i.policy, series, now)
	}
	explainSteps(w, d)
}

// explainLabels prints the labels, and the defaults of those that matter most when they are not there.
func explainLabels(w io.Writer, i *intent) {
	for _, key := range slices.Sorted(maps.Keys(i.service.Labels)) {
		if policy.Owns(key) {
			fmt.Fprintf(w, "  %s = %s\n", key, i.service.Labels[key])
		}
	}
	for _, p := range i.problems {
		fmt.Fprintf(w, "  ! %s\n", strings.TrimPrefix(p.String(), p.Service+": "))
	}
	var defaults []string
	for _, name := range []string{"min", "tolerance", "stabilizeUp", "stabilizeDown", "cooldownUp", "cooldownDown", "rateUp", "rateDown", "warmup"} {
		spec := policy.Table.Specs[slices.IndexFunc(policy.Table.Specs, func(s label.Spec) bool { return s.Name == name })]
		written := func(key string) bool { _, found := i.service.Labels[key]; return found }
		if len(i.problems) == 0 && i.policy.Enabled && i.decision.Verdict != policy.Refused && !written(policy.Prefix+name) && !slices.ContainsFunc(spec.Aliases, written) {
			defaults = append(defaults, name+" "+spec.Default)
		}
	}
	if len(defaults) > 0 {
		fmt.Fprintf(w, "  by default %s\n", strings.Join(defaults, ", "))
	}
}

// explainReplicas prints what there is, and what the label of the state says of the past.
func explainReplicas(w io.Writer, i *intent, now time.Time) {
	low, high := i.policy.BoundsAt(now)
	fmt.Fprintf(w, "\nWhat it has\n  %s desired, between %d and %d; %d of %s running", plural(i.decision.From, "replica"), low, high, i.running, plural(len(i.tasks), "task"))
	youngest := time.Time{}
	for _, t := range i.tasks {
		if t.Running && t.Since.After(youngest) {
			youngest = t.Since
		}
	}
	if !youngest.IsZero() {
		fmt.Fprintf(w, ", the youngest for %s", now.Sub(youngest).Round(time.Second))
	}
	fmt.Fprintln(w)
	if i.service.Update != "" && i.service.Update != "completed" {
		fmt.Fprintf(w, "  its update is in the state %s\n", i.service.Update)
	}
	for n := len(i.state.Changes) - 1; n >= 0; n-- {
		if c := i.state.Changes[n]; c.From != c.To {
			fmt.Fprintf(w, "  %s ago the scaler went from %d to %d\n", now.Sub(c.At).Round(time.Second), c.From, c.To)
			break
		}
	}
	if p := i.state.Paused; !p.IsZero() {
		fmt.Fprintf(w, "  paused over the API: %s", p.Pause)
		if !p.Until.IsZero() {
			fmt.Fprintf(w, ", for another %s", p.Until.Sub(now).Round(time.Second))
		}
		fmt.Fprintln(w)
	}
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func explainRules(w io.Writer, p policy.Policy, d policy.Decision) {
	nothing := true
	for n, o := range d.Rules {
		r, name := p.Rules[n], ""
		if len(p.Rules) > 1 || o.Rule > 0 {
			name = fmt.Sprintf("rule %d: ", o.Rule)
		}
		nothing = nothing && o.Missing != "" && r.Strategy != "fixed"
		sentence, what := o.Sentence(r), ""
		if r.Strategy != "fixed" && !o.Asleep && o.Missing == "" && !strings.Contains(sentence, " in the last ") {
			what = fmt.Sprintf(" (%s over %s)", r.Agg, r.Window)
		}
		fmt.Fprintf(w, "  %s%s%s", name, sentence, what)
		if !o.Asleep && !o.Ignored && o.Missing == "" {
			fmt.Fprintf(w, ": asks for %d", o.Want)
			if exact := fmt.Sprintf("%.2f", o.Need); float64(o.Want) != o.Need {
				fmt.Fprintf(w, ", exactly %s", exact)
			}
		}
		fmt.Fprintln(w)
	}
	if nothing {
		fmt.Fprintln(w, "  Is the service routed (proxy explain), and do the proxies write where the scaler reads?")
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
		fmt.Fprintf(w, "  %s at %s %s, up to %s ago: … %s\n", what, cmp.Or(s.By, "proxy"), s.Proxy, age, strings.Join(values, " "))
		switch ahead := s.Ahead.Round(100 * time.Millisecond); {
		case ahead > 0:
			fmt.Fprintf(w, "    its clock is %s ahead of ours\n", ahead)
		case ahead < 0:
			fmt.Fprintf(w, "    its clock is %s behind ours\n", -ahead)
		}
	}
}

// explainSteps prints the steps that changed something, and names the others.
func explainSteps(w io.Writer, d policy.Decision) {
	fmt.Fprintf(w, "\nWhat follows from %s\n  the rules ask for %d\n", plural(d.From, "replica"), d.Want)
	var silent []string
	for _, s := range d.Steps {
		if s.Why == "" {
			silent = append(silent, s.Name)
			continue
		}
		fmt.Fprintf(w, "  %-13s %s: %d\n", s.Name, s.Why, s.To)
	}
	fmt.Fprintf(w, "  nothing to say: %s\n\nVerdict: %s", strings.Join(silent, ", "), d.Verdict)
	if d.From != d.To {
		fmt.Fprintf(w, ", from %d to %d", d.From, d.To)
	}
	fmt.Fprintln(w)
}
