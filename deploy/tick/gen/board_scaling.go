package main

import "sluice/haproxystats"

// changes are the decisions that changed replicas.
const changes = `("verdict" = 'up' OR "verdict" = 'down')`

var decisionColumns = []column{{"time", "time"}, {"sluice_scale.verdict", "what"}, {"sluice_scale.reason", "why"}, {"sluice_scale.service", "service"}}

func scalingBoard() dashboard {
	scale := haproxystats.Scale
	return dashboard{id: 1003, slug: "scaling", name: "Sluice: Scaling", variables: []any{points}, cells: []cell{
		{name: "Services that are scaled", kind: single, w: 3, h: 2, colors: calm,
			queries: []string{perService(`last("max")`, `count("v") AS "services"`)}},
		{name: "Replicas", kind: single, w: 3, h: 2, colors: calm, queries: []string{perService(`last("running")`, `sum("v") AS "replicas"`)}},
		{name: "Replicas missing", kind: single, w: 3, h: 2, colors: lights("1", "5"), note: "Wanted and not running (yet).", queries: []string{perService(`last("desired") - last("running")`, `sum("v") AS "missing"`)}},
		{name: "Fullest service", kind: single, w: 3, h: 2, unit: " %", colors: lights("80", "100"), note: "Replicas as a share of `com.df.scale.max`: at 100 % a service cannot grow.",
			queries: []string{perService(`100 * last("desired") / last("max")`, `max("v") AS "full"`)}},

		{name: "Replicas, by service", kind: steps, w: 8, h: 4, queries: []string{over(scale, "", []string{"service"}, `last("running") AS "running"`)}},
		{name: "How to read this", kind: note, w: 4, h: 4, note: "### Scaling\n\n- **desired** is what the scaler wants, **running** what there is, between **min** and **max** of the labels.\n" +
			"- Every change is one sentence with its numbers, in the table below, in the scaler's log and on its API.\n- A service at its **max** for long needs a higher `com.df.scale.max`, or more nodes.\n" +
			"- **hold**: no fresh numbers, an update in progress, a pause. **invalid**: its labels; `scaler explain SERVICE` says more."},

		{name: "Where each service stands", kind: table, w: 8, h: 5, columns: []column{{"time", ""}, {"service", "service"}, {"sluice_scale.running", "running"}, {"sluice_scale.desired", "desired"},
			{"sluice_scale.min", "min"}, {"sluice_scale.max", "max"}},
			queries: []string{`SELECT last("running") AS "running", last("desired") AS "desired", last("min") AS "min", last("max") AS "max" FROM ` + from(scale) + ` WHERE ` + within + ` GROUP BY "service"`}},
		{name: "Minutes at max", kind: table, w: 4, h: 5, colors: lights("5", "60"), note: "Of the time shown; with points every hour these are hours. Empty when no service was at its max.", columns: []column{{"time", ""}, {"service", "service"}, {"sluice_scale.minutes", "minutes at max"}},
			queries: []string{`SELECT count("room") AS "minutes" FROM (SELECT last("max") - last("desired") AS "room" FROM ` + from(scale) + ` WHERE ` + within + ` GROUP BY time(1m), "service" fill(none)) WHERE "room" <= 0 AND ` + within + ` GROUP BY "service"`}},

		{name: "Wanted, as a share of max", kind: line, w: 6, h: 4, unit: " %", queries: []string{over(scale, "", []string{"service"}, `100 * last("desired") / last("max") AS "share"`)}},
		{name: "Wanted and not running", kind: steps, w: 6, h: 4, queries: []string{over(scale, "", []string{"service"}, `last("desired") - last("running") AS "missing"`)}},

		{name: "Decisions", kind: table, w: 12, h: 5, columns: []column{decisionColumns[0], decisionColumns[3], decisionColumns[1], decisionColumns[2]},
			queries: []string{newest(scale, changes, 200, "service", "verdict", "reason")}},
		{name: "Last word on each service", kind: table, w: 12, h: 4, note: "With points every minute or hour: its last change.",
			columns: []column{decisionColumns[0], {"service", "service"}, decisionColumns[1], decisionColumns[2]},
			queries: []string{`SELECT last("verdict") AS "verdict", "reason" FROM ` + from(scale) + ` WHERE ` + within + ` GROUP BY "service"`}},
	}}
}

// perService joins the last figure of each service. They are written at different moments, so the last interval has but some
// of them.
func perService(inner, outer string) string {
	return `SELECT ` + outer + ` FROM (SELECT ` + inner + ` AS "v" FROM ` + from(haproxystats.Scale) + ` WHERE ` + within + ` GROUP BY "service")`
}
