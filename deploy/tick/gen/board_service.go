package main

import "sluice/haproxystats"

// this is the service that the page chose.
const this = `"service" = :service:`

func serviceBoard() dashboard {
	own, servers := `"type" = 'backend' AND `+this, `"type" = 'server' AND `+this
	container := `"com.docker.swarm.service.name" = :service:`
	return dashboard{id: 1002, slug: "service", name: "Sluice: One service", variables: []any{tagVariable("service", haproxystats.Haproxy, "service"), points}, cells: []cell{
		{name: "Replicas", kind: single, w: 2, h: 2, colors: calm, queries: []string{over(haproxystats.Scale, this, nil, `last("running") AS "running"`)}},
		{name: "In progress", kind: single, w: 2, h: 2, digits: 1, colors: calm, queries: []string{gauge(own, "scur_mean", "sessions")}},
		{name: "Requests", kind: single, w: 2, h: 2, unit: " /s", colors: calm, queries: []string{gauge(own, "req_rate_mean", "requests")}},
		{name: "Answered 5xx", kind: single, w: 2, h: 2, unit: " %", digits: 2, colors: lights("1", "5"),
			queries: []string{failures(own)}},
		{name: "Time to the answer", kind: single, w: 2, h: 2, unit: " ms", colors: lights("500", "2000"), queries: []string{over(haproxystats.Haproxy, own, nil, `mean("rtime") AS "time"`)}},
		{name: "Waiting for a task", kind: single, w: 2, h: 2, colors: lights("1", "100"), queries: []string{gauge(own, "qcur", "waiting")}},

		{name: "Requests in progress, and what its replicas shall carry", kind: line, w: 8, h: 4,
			note:    "`sessions` as the proxies measured them each second, `highest` within the interval, `target` = `com.df.scale.target` × replicas: above it the scaler adds replicas.",
			queries: []string{gauge(own, "scur_mean", "sessions"), haproxy(own, nil, []string{`max("scur_max") AS "v"`}, []string{`sum("v") AS "highest"`}), over(haproxystats.Scale, this, nil, `last("sessions_target") * last("running") AS "target"`)}},
		{name: "How to read this", kind: note, w: 4, h: 4, note: "### One service\n\nChoose it above.\n\n- **Requests in progress** are what is scaled by: all proxies and workers added up.\n" +
			"- **Times** are means over the last 1,024 requests. HAProxy knows no percentiles of requests: `p95` is that of the means of each second, `highest` the largest of them.\n" +
			"- **Decisions** say their reason with the numbers that led to it.\n\nA service without `com.df.scale.*` has no target, bounds and decisions."},

		{name: "Replicas: running, wanted, bounds", kind: steps, w: 4, h: 4, colors: scale("#4ED8A0", "#22ADF6", "#9394FF"),
			queries: []string{over(haproxystats.Scale, this, nil, `last("running") AS "running"`, `last("desired") AS "desired"`, `last("min") AS "min"`, `last("max") AS "max"`)}},
		{name: "Decisions", kind: table, w: 8, h: 4, columns: decisionColumns[:3],
			queries: []string{newest(haproxystats.Scale, changes+" AND "+this, 100, "verdict", "reason")}},

		{name: "Answers per second, by status", kind: stacked, w: 4, h: 4, unit: " /s", colors: scale("#4ED8A0", "#FFD255", "#F95F53"),
			queries: []string{counted(own, nil, responses+"2xx", "2xx", responses+"3xx", "3xx", responses+"4xx", "4xx", responses+"5xx", "5xx")}},
		{name: "Time to the answer", kind: line, w: 4, h: 4, unit: " ms", queries: []string{over(haproxystats.Haproxy, own, nil, `mean("rtime") AS "mean"`, `percentile("rtime", 95) AS "p95"`, `max("rtime") AS "highest"`)}},
		{name: "Time in the queue and to connect", kind: line, w: 4, h: 4, unit: " ms", queries: []string{over(haproxystats.Haproxy, own, nil, `mean("qtime") AS "queue"`, `mean("ctime") AS "connect"`)}},

		{name: "Requests in progress, by task", kind: line, w: 4, h: 4, note: "Kept for 35 days: hours have no tasks.", queries: []string{gauge(servers, "scur", "sessions", "sv")}},
		{name: "Requests per second, by task", kind: line, w: 4, h: 4, unit: " /s", queries: []string{counted(servers, []string{"sv"}, "stot", "requests")}},
		{name: "Bytes per second", kind: line, w: 4, h: 4, unit: "B/s", binary: true, queries: []string{counted(own, nil, "bin", "in", "bout", "out")}},

		{name: "What failed, per second", kind: line, w: 4, h: 4, unit: " /s", colors: scale("#F95F53", "#F48D38", "#FFD255"),
			note:    "`connect`: no task took it. `broken`: the answer broke off. `again`: another try. `left`: the client went away.",
			queries: []string{counted(own, nil, "econ", "connect", "eresp", "broken", "wretr", "again", "cli_abort", "left")}},
		{name: "Processor", kind: line, w: 4, h: 4, unit: " %", note: "Of all its containers; 100 % is one core.",
			queries: []string{containers("docker_container_cpu", "usage_percent", "cpu", container)}},
		{name: "Memory", kind: line, w: 4, h: 4, unit: "B", binary: true,
			queries: []string{containers("docker_container_mem", "usage", "memory", container)}},
	}}
}
