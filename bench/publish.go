package main

import (
	"cmp"
	"fmt"
	"os"
	"strings"
)

// table is the Markdown of all rows.
func (r results) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n| | ours | reference | ratio | goal | | |\n|---|---:|---:|---:|---|---|---|\n", r.Machine)
	for _, row := range r.Rows {
		if row.Failure != "" {
			fmt.Fprintf(&b, "| %s | not measured: %s | | | | | |\n", row.Name, cell(row.Failure))
			continue
		}
		reference, ratio := "", ""
		if row.Reference != 0 {
			reference, ratio = number(row.Reference)+" "+row.Unit, fmt.Sprintf("%.3g", row.Ratio)
		}
		fmt.Fprintf(&b, "| %s | %s %s | %s | %s | %s | %s | %s |\n", row.Name, number(row.Ours), row.Unit, reference, ratio, row.Goal, row.verdict(), cell(row.Detail))
	}
	return b.String()
}

// promises is the Markdown of the rows that have a goal, as short as they can be said.
func (r results) promises() string {
	var b strings.Builder
	fmt.Fprintf(&b, "| on %s | measured | goal | |\n|---|---:|---:|---|\n", r.Machine)
	for _, row := range r.Rows {
		measured := fmt.Sprintf("%s %s", number(row.Ours), row.Unit)
		switch {
		case row.Failure != "":
			measured = "not measured"
		case row.Goal == "":
			continue
		case row.Reference != 0:
			measured = fmt.Sprintf("%.3g times", row.Ratio)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", row.Name, measured, cmp.Or(strings.TrimPrefix(row.Goal, "ratio "), " "), row.verdict())
	}
	return b.String()
}

func (r row) verdict() string {
	switch {
	case r.Goal == "":
		return ""
	case r.OK:
		return "✓"
	}
	return "✗"
}

// cell is text that breaks no table.
func cell(text string) string { return strings.NewReplacer("\n", " ", "|", "/").Replace(text) }

// Where the results are published: the promises in README between the marks, everything on a page of its own.
const (
	tableBegin  = "<!-- go run ./bench --publish writes what follows -->\n"
	tableEnd    = "<!-- end -->\n"
	picturePath = "docs/bench.svg"
	pagePath    = "docs/benchmarks.md"
)

// page introduces the page of all rows.
const page = `# Benchmarks

<!-- Written by go run ./bench --publish; do not edit. -->

` + "`make bench`" + ` measures each row beside its reference in one run, in turns; the medians of several rounds count. Absolute figures belong
to the machine that is named. "Floor" is a HAProxy whose only line names the backend by a header, "bare" one that has nothing to
decide; both answer in the same way as ours and have none of its other lines. A row without a goal is there to compare with.

Where routing misses its goals: of the 4,900 instructions that a request takes more than at the floor (21,700 against 16,700, 100
services, counted by callgrind), X-Forwarded-For takes 1,360, X-Forwarded-Proto 1,060, the check that no Host holds a slash 830,
the handover of a worker that leaves 320, and looking a route up instead of reading a name 1,500. With 5,000 services the lookup
walks a tree that no cache holds. What was tried and gave nothing stands in [ARCHITECTURE.md](../ARCHITECTURE.md). Where the
controller misses its share of a core with 10,000 servers: the exporter takes 3.5 %, listing the swarm's tasks every 5 s and
looking after what runs the rest.

`

// publish puts the promises into README, and the table and the picture beside the other documentation.
func (r results) publish() error {
	content, err := os.ReadFile("README.md")
	if err != nil {
		return fmt.Errorf("publish (run from the repository's root): %w", err)
	}
	before, rest, begins := strings.Cut(string(content), tableBegin)
	_, after, ends := strings.Cut(rest, tableEnd)
	if !begins || !ends {
		return fmt.Errorf("publish: README.md lacks the lines %q and %q", strings.TrimSpace(tableBegin), strings.TrimSpace(tableEnd))
	}
	shown := ""
	if picture := r.picture(); picture != "" {
		shown = "\n![Requests/s of Sluice, of a backend named by a header and of a chain of ACLs](" + picturePath + ")\n"
		if err := os.WriteFile(picturePath, []byte(picture), 0o644); err != nil {
			return err
		}
	}
	if err := os.WriteFile(pagePath, []byte(page+r.table()), 0o644); err != nil {
		return err
	}
	return os.WriteFile("README.md", []byte(before+tableBegin+shown+"\n"+r.promises()+"\n"+tableEnd+after), 0o644)
}
