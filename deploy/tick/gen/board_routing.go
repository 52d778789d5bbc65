package main

import "sluice/haproxystats"

const responses = "http_response."

func routingBoard() dashboard {
	return dashboard{id: 1001, slug: "routing", name: "Sluice: Routing", variables: []any{points}, cells: []cell{
		{name: "Requests", kind: single, w: 2, h: 2, unit: " /s", digits: 0, colors: calm,
			queries: []string{gauge(entries, "req_rate", "requests")}},
		{name: "Answered 5xx", kind: single, w: 2, h: 2, unit: " %", digits: 2, colors: lights("1", "5"), note: "Share of all answers, those of HAProxy itself (503 for what nobody serves) among them.",
			queries: []string{failures(entries)}},
		{name: "Open connections", kind: single, w: 2, h: 2, colors: calm, note: "From clients, idle ones too.",
			queries: []string{gauge(entries, "scur", "connections")}},
		{name: "Services", kind: single, w: 2, h: 2, colors: calm, queries: []string{over(haproxystats.Proxy, "", nil, `max("services") AS "services"`)}},
		{name: "Left out", kind: single, w: 2, h: 2, unit: "", colors: lights("1", "1"), note: "Labels and routes that cannot be used; the table below has a reason. `/v1/routes` of the proxy lists them all.",
			queries: []string{over(haproxystats.Proxy, "", nil, `max("problems") AS "problems"`)}},
		{name: "Behind by", kind: single, w: 2, h: 2, unit: " s", digits: 1, colors: lights("5", "60"), note: "Age of the oldest point that InfluxDB has not taken. Points wait in the proxy's spool; nothing is lost until that is full.",
			queries: []string{over(haproxystats.Proxy, "", nil, `max("lag_s") AS "lag"`)}},

		{name: "Requests per second, by service", kind: stacked, w: 8, h: 4, unit: " /s", queries: []string{gauge(backends, "req_rate_mean", "requests", "service")}},
		{name: "How to read this", kind: note, w: 4, h: 4, note: "### Routing\n\nWhat the proxies see, all of them and all HAProxy workers added up: a reload is no dip.\n\n" +
			"- **Requests** are counted when they arrive, **answers** when they are done.\n- **Times** are HAProxy's means over the last 1,024 requests, in milliseconds.\n" +
			"- **Workers** above one per proxy are old ones that finish their connections after a reload.\n\n`points` above chooses the retention policy: for more than a day, take minutes or hours."},

		{name: "Answers per second, by status", kind: stacked, w: 4, h: 4, unit: " /s", colors: scale("#4ED8A0", "#FFD255", "#F95F53"),
			queries: []string{counted(entries, nil, responses+"2xx", "2xx", responses+"3xx", "3xx", responses+"4xx", "4xx", responses+"5xx", "5xx")}},
		{name: "Answers 5xx per second, by service", kind: line, w: 4, h: 4, unit: " /s", colors: scale("#F95F53", "#F48D38", "#BF3D5E"), queries: []string{counted(backends, []string{"service"}, responses+"5xx", "5xx")}},
		{name: "Time to the answer, by service", kind: line, w: 4, h: 4, unit: " ms", queries: []string{over(haproxystats.Haproxy, backends, []string{"service"}, `mean("rtime") AS "time"`)}},

		{name: "Requests in progress, by service", kind: line, w: 4, h: 4, note: "Concurrent sessions at the tasks: what `com.df.scale.target` is about.", queries: []string{gauge(backends, "scur_mean", "sessions", "service")}},
		{name: "Waiting for a task, by service", kind: line, w: 4, h: 4, queries: []string{gauge(backends, "qcur", "waiting", "service")}},
		{name: "Bytes per second", kind: line, w: 4, h: 4, unit: "B/s", binary: true, queries: []string{counted(entries, nil, "bin", "in", "bout", "out")}},

		{name: "Connections to tasks that failed, per second", kind: line, w: 4, h: 4, unit: " /s", colors: scale("#F95F53", "#F48D38", "#FFD255"),
			note:    "`failed`: no task took the connection. `broken`: the answer broke off. `again`: another try, which the client does not see.",
			queries: []string{counted(backends, nil, "econ", "failed", "eresp", "broken", "wretr", "again")}},
		{name: "HAProxy workers", kind: steps, w: 4, h: 4, queries: []string{over(haproxystats.Proxy, "", []string{"server"}, `max("workers") AS "workers"`, `max("draining") AS "draining"`)}},
		{name: "Reloads and runtime commands", kind: line, w: 4, h: 4, note: "Of each interval. Scaling and rolling updates are commands; a new service is a reload.",
			queries: []string{over(haproxystats.Proxy, "", []string{"server"}, `non_negative_difference(max("reloads")) AS "reloads"`, `non_negative_difference(max("commands")) AS "commands"`)}},

		{name: "Why it was reloaded", kind: table, w: 6, h: 4, columns: []column{{"time", "time"}, {"sluice_proxy.server", "proxy"}, {"sluice_proxy.reload_reason", "reason"}},
			queries: []string{newest(haproxystats.Proxy, `"reload_reason" != ''`, 50, "server", "reload_reason")}},
		{name: "What is wrong", kind: table, w: 6, h: 4, note: "Empty when all is well: a label that cannot be used, or why HAProxy does not get what it should.",
			columns: []column{{"time", ""}, {"server", "proxy"}, {"sluice_proxy.problem", "left out"}, {"sluice_proxy.failure", "cannot"}},
			queries: []string{`SELECT last("problem") AS "problem", last("failure") AS "failure" FROM ` + from(haproxystats.Proxy) + ` WHERE ` + within + ` GROUP BY "server"`}},
	}}
}
