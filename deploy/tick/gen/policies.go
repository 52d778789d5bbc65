package main

import (
	"fmt"
	"strings"

	"sluice/haproxystats"
)

// The retention policies: how long points are kept, and how far apart they are. autogen is InfluxDB's own name for the
// default one: whoever writes without naming a policy, and every dashboard made for Telegraf, uses it.
const (
	raw     = `"telegraf"."autogen"`
	minutes = `"telegraf"."minutes"`
	hours   = `"telegraf"."hours"`
)

// repeat says when a continuous query runs, and how far it looks back: late points, which a proxy kept while InfluxDB was
// away, are counted in.
const (
	repeatMinutes = "RESAMPLE EVERY 5m FOR 30m"
	repeatHours   = "RESAMPLE EVERY 1h FOR 6h"
)

// policies are the statements that set InfluxDB up, one a line. Each may be sent again at any time: CREATE answers well when
// it is there already, ALTER brings what has changed, and continuous queries know no past.
func policies() []string {
	list := []string{
		"-- Printed by `make docs` from deploy/tick/gen; change that. Sent by influxdb-setup at each start, a line at a time.",
		`CREATE DATABASE "telegraf"`,
	}
	for _, p := range []struct{ name, duration, shard string }{{"autogen", "24h", "1h"}, {"minutes", "35d", "1d"}, {"hours", "1096d", "4w"}} {
		if p.name != "autogen" { // which comes with the database
			list = append(list, fmt.Sprintf(`CREATE RETENTION POLICY %q ON "telegraf" DURATION %s REPLICATION 1 SHARD DURATION %s`, p.name, p.duration, p.shard))
		}
		list = append(list,
			fmt.Sprintf(`ALTER RETENTION POLICY %q ON "telegraf" DURATION %s SHARD DURATION %s`, p.name, p.duration, p.shard))
	}
	for _, q := range continuous() {
		list = append(list, fmt.Sprintf(`DROP CONTINUOUS QUERY %q ON "telegraf"`, q.name),
			fmt.Sprintf(`CREATE CONTINUOUS QUERY %q ON "telegraf" %s BEGIN %s END`, q.name, q.repeat, q.sql))
	}
	return list
}

type continuousQuery struct{ name, repeat, sql string }

func continuous() []continuousQuery {
	var list []continuousQuery
	copied := func(name, measurement, where string, fields []field) {
		list = append(list,
			continuousQuery{name + "_minutes", repeatMinutes, into(minutes, raw, measurement, "", "1m", fields)},
			continuousQuery{name + "_hours", repeatHours, into(hours, minutes, measurement, where, "1h", fields)})
	}
	// Servers are kept for 35 days: their number grows with every replica that ever was.
	copied(haproxystats.Haproxy, haproxystats.Haproxy, ` WHERE "type" != 'server'`, haproxyFields())
	copied(haproxystats.Proxy, haproxystats.Proxy, "", ownFields())
	copied(haproxystats.Scale, haproxystats.Scale, "", scaleFields())
	copied("swarm", "docker_swarm", "", []field{{"tasks_running", "last"}, {"tasks_desired", "last"}})
	copied("engine", "docker", "", []field{{"n_containers_running", "mean"}, {"n_cpus", "last"}, {"memory_total", "last"}})
	// Every decision with its sentence, to the second: replicas change seldom.
	list = append(list, continuousQuery{"decisions", repeatMinutes, into(minutes, raw, haproxystats.Scale, ` WHERE `+changes, "1s", []field{{"verdict", "last"}, {"reason", "last"}})},
		continuousQuery{"decisions_hours", repeatHours, into(hours, minutes, haproxystats.Scale, ` WHERE `+changes, "1s", []field{{"verdict", "last"}, {"reason", "last"}})})
	// Containers come and go, services stay: what their containers use is added up.
	for _, c := range []struct{ measurement, field, where string }{{"docker_container_cpu", "usage_percent", ` WHERE "cpu" = 'cpu-total'`}, {"docker_container_mem", "usage", ""}} {
		by := `"com.docker.swarm.service.name", "com.docker.stack.namespace", "engine_host"`
		if c.where != "" {
			by += `, "cpu"`
		}
		inner := fmt.Sprintf(`SELECT mean(%q) AS %q FROM %s.%q%s GROUP BY time(1m), "container_name", %s`, c.field, c.field, raw, c.measurement, c.where, by)
		list = append(list,
			continuousQuery{c.measurement + "_minutes", repeatMinutes, fmt.Sprintf(`SELECT sum(%q) AS %q INTO %s.%q FROM (%s) GROUP BY time(1m), %s`, c.field, c.field, minutes, c.measurement, inner, by)},
			continuousQuery{c.measurement + "_hours", repeatHours, into(hours, minutes, c.measurement, "", "1h", []field{{c.field, "mean"}})})
	}
	return list
}

// field is a field and what becomes of the points of a minute or an hour.
type field struct{ name, aggregate string }

func into(target, source, measurement, where, every string, fields []field) string {
	var terms []string
	for _, f := range fields {
		terms = append(terms, fmt.Sprintf("%s(%q) AS %q", f.aggregate, f.name, f.name))
	}
	return fmt.Sprintf(`SELECT %s INTO %s.%q FROM %s.%q%s GROUP BY time(%s), *`, strings.Join(terms, ", "), target, measurement, source, measurement, where, every)
}

// haproxyFields are what dashboards ask of HAProxy: counters keep their last value, gauges and times their mean.
func haproxyFields() []field {
	var list []field
	wanted := " scur qcur stot bin bout dreq ereq econ eresp wretr wredis active_servers chkdown rate req_rate req_tot conn_tot conn_rate cli_abort srv_abort qtime ctime rtime ttime" +
		" http_response.1xx http_response.2xx http_response.3xx http_response.4xx http_response.5xx http_response.other "
	for _, c := range haproxystats.Columns() {
		if !strings.Contains(wanted, " "+c.FieldName()+" ") {
			continue
		}
		aggregate := "mean"
		if c.Merge == haproxystats.Count || c.Merge == haproxystats.CountOnce {
			aggregate = "last"
		}
		list = append(list, field{c.FieldName(), aggregate})
	}
	return append(list, field{haproxystats.ScurMean, "mean"}, field{haproxystats.ScurMax, "max"}, field{haproxystats.ReqRateMean, "mean"})
}

// ownFields are all of the proxy's: the worst of a minute, but its texts, of which the last is as good as any.
func ownFields() []field {
	var list []field
	for _, f := range schema(haproxystats.Proxy).Fields {
		switch {
		case f.Name == "up":
			list = append(list, field{f.Name, "min"})
		case f.Kind == haproxystats.Text:
			list = append(list, field{f.Name, "last"})
		default:
			list = append(list, field{f.Name, "max"})
		}
	}
	return list
}

// scaleFields are replicas as they were last, and means of what was observed. Sentences are kept apart.
func scaleFields() []field {
	var list []field
	for _, f := range schema(haproxystats.Scale).Fields {
		switch f.Kind {
		case haproxystats.Int:
			list = append(list, field{f.Name, "last"})
		case haproxystats.Float:
			list = append(list, field{f.Name, "mean"})
		}
	}
	return list
}

func schema(name string) haproxystats.Measurement {
	for _, m := range haproxystats.Schema() {
		if m.Name == name {
			return m
		}
	}
	panic("no measurement " + name)
}
