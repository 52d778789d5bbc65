package main

func swarmBoard() dashboard {
	const service = "com.docker.swarm.service.name"
	cpu := func(where string, tags ...string) string {
		return containers("docker_container_cpu", "usage_percent", "cpu", where, tags...)
	}
	memory := func(where string, tags ...string) string {
		return containers("docker_container_mem", "usage", "memory", where, tags...)
	}
	missing := func(tags ...string) string {
		return total("docker_swarm", "", []string{"service_name"}, tags, []string{`last("tasks_desired") - last("tasks_running") AS "v"`}, []string{`sum("v") AS "missing"`})
	}
	return dashboard{id: 1004, slug: "swarm", name: "Sluice: Swarm", variables: []any{points}, cells: []cell{
		{name: "Tasks running", kind: single, w: 3, h: 2, colors: calm, queries: []string{total("docker_swarm", "", []string{"service_name"}, nil, []string{`last("tasks_running") AS "v"`}, []string{`sum("v") AS "tasks"`})}},
		{name: "Tasks missing", kind: single, w: 3, h: 2, colors: lights("1", "5"), note: "Wanted by the swarm and not running.", queries: []string{missing()}},
		{name: "Processor", kind: single, w: 3, h: 2, unit: " %", colors: calm, note: "Of all containers, on average of the time shown; 100 % is one core.", queries: []string{onAverage("cpu", 1, cpu(""))}},
		{name: "Memory", kind: single, w: 3, h: 2, unit: " MiB", colors: calm, note: "Of all containers, on average of the time shown.", queries: []string{onAverage("memory", 1<<20, memory(""))}},

		{name: "Tasks, by service", kind: steps, w: 8, h: 4, queries: []string{over("docker_swarm", "", []string{"service_name"}, `last("tasks_running") AS "running"`)}},
		{name: "How to read this", kind: note, w: 4, h: 4, note: "### Swarm\n\nWhat Telegraf reads from Docker every ten seconds: containers on each node, tasks on a manager.\n\n- **Processor**: 100 % is one core.\n- **Memory** without the page cache.\n" +
			"- A service with tasks **missing** for long cannot start some: `docker service ps --no-trunc SERVICE` says why."},

		{name: "Processor, by service", kind: stacked, w: 6, h: 4, unit: " %", queries: []string{cpu(`"`+service+`" != ''`, service)}},
		{name: "Memory, by service", kind: stacked, w: 6, h: 4, unit: "B", binary: true, queries: []string{memory(`"`+service+`" != ''`, service)}},

		{name: "Tasks missing, by service", kind: steps, w: 4, h: 4, colors: scale("#F95F53", "#F48D38", "#FFD255"), queries: []string{missing("service_name")}},
		{name: "Processor, by node", kind: line, w: 4, h: 4, unit: " %", queries: []string{cpu("", "engine_host")}},
		{name: "Memory, by node", kind: line, w: 4, h: 4, unit: "B", binary: true, queries: []string{memory("", "engine_host")}},

		{name: "Containers, by node", kind: line, w: 4, h: 4, queries: []string{over("docker", "", []string{"engine_host"}, `mean("n_containers_running") AS "containers"`)}},
		{name: "Services now", kind: table, w: 8, h: 4, columns: []column{{"time", ""}, {"service_name", "service"}, {"docker_swarm.running", "running"}, {"docker_swarm.desired", "wanted"}},
			queries: []string{`SELECT last("tasks_running") AS "running", last("tasks_desired") AS "desired" FROM ` + from("docker_swarm") + ` WHERE ` + within + ` GROUP BY "service_name"`}},
	}}
}
