package main

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"sluice/policy/simulation"
)

// goal is how much more than the minimum of replica-seconds may be paid.
const goal = 1.15

// printRuns prints one table for all traces: who paid how much, in how many seconds something waited.
func printRuns(w io.Writer, b bench, runs []run) error {
	var text bytes.Buffer
	fmt.Fprintf(&text, "One replica carries %.4g, starts in %d s; between %d and %d of them.", b.service.Capacity, b.service.Start, b.service.Min, b.service.Max)
	if b.rule.Target > 0 {
		fmt.Fprintf(&text, " Everybody's target is %.4g per replica (%s).", b.rule.Target, b.rule.Metric)
	}
	text.WriteString("\n\n")
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "trace\tscaler\treplica-seconds\tof minimum\toverload seconds\twaited\tchanges\tat most\t")
	sums := summed(runs)
	for _, r := range sums {
		for _, s := range r.results {
			fmt.Fprintf(table, "%s\t%s\t%d\t%.3f\t%d\t%.0f\t%d\t%d\t\n", r.trace.Name, s.Scaler, s.ReplicaSeconds, r.share(s), s.Overload, s.Waited, s.Changes, highest(s.Desired))
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if b.rule.Target > 0 {
		fmt.Fprintf(&text, "\nAt most %.0f %% above the minimum, at fewer overload seconds than everybody else:\n", (goal-1)*100)
		for _, r := range sums {
			fmt.Fprintf(&text, "  %s: %s\n", r.trace.Name, r.verdict())
		}
	}
	_, err := w.Write(text.Bytes())
	return err
}

// summed adds up the runs of the same load with other noise, which follow each other.
func summed(runs []run) []run {
	var sums []run
	for _, r := range runs {
		if n := len(sums); n == 0 || sums[n-1].trace.Name != r.trace.Name {
			r.results = slices.Clone(r.results)
			sums = append(sums, r)
			continue
		}
		for i, s := range r.results {
			sum := &sums[len(sums)-1].results[i]
			sum.ReplicaSeconds += s.ReplicaSeconds
			sum.Overload += s.Overload
			sum.Waited += s.Waited
			sum.Changes += s.Changes
			sum.Desired = slices.Concat(sum.Desired, s.Desired)
		}
	}
	return sums
}

// share is what a scaler paid, in parts of the minimum.
func (r run) share(s simulation.Result) float64 {
	return float64(s.ReplicaSeconds) / float64(max(1, r.results[0].ReplicaSeconds))
}

// verdict says whether the goal is reached on a trace, and what is in its way.
func (r run) verdict() string {
	ours := r.results[1]
	var against []string
	if share := r.share(ours); share > goal {
		against = append(against, fmt.Sprintf("%.1f %% above the minimum", (share-1)*100))
	}
	for _, other := range r.results[2:] {
		if other.Scaler == reallyDone {
			continue
		}
		if ours.Overload >= other.Overload {
			against = append(against, fmt.Sprintf("%d overload seconds, %s has %d", ours.Overload, other.Scaler, other.Overload))
		}
	}
	if len(against) == 0 {
		return "yes"
	}
	return "no, " + strings.Join(against, "; ")
}

func highest(values []int) int {
	most := 0
	for _, v := range values {
		most = max(most, v)
	}
	return most
}

// writeRuns writes every second of every trace as a line of CSV.
func writeRuns(w io.Writer, runs []run) error {
	out := csv.NewWriter(w)
	for n, r := range runs {
		if n == 0 {
			head := []string{"trace", "second", "load"}
			for _, s := range r.results {
				head = append(head, s.Scaler+" desired", s.Scaler+" ready", s.Scaler+" waiting")
			}
			if err := out.Write(head); err != nil {
				return err
			}
		}
		for second, load := range r.trace.Load {
			row := []string{r.trace.Name, strconv.Itoa(second), strconv.FormatFloat(load, 'f', 2, 64)}
			for _, s := range r.results {
				row = append(row, strconv.Itoa(s.Desired[second]), strconv.Itoa(s.Ready[second]), strconv.FormatFloat(s.Waiting[second], 'f', 2, 64))
			}
			if err := out.Write(row); err != nil {
				return err
			}
		}
	}
	out.Flush()
	return out.Error()
}
