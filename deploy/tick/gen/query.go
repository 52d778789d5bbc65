package main

import (
	"fmt"
	"strings"

	"sluice/haproxystats"
)

// within is the time that the page shows.
const within = `time > :dashboardTime: AND time < :upperDashboardTime:`

// Backends that are a service's; the tag is absent from others.
const (
	backends = `"type" = 'backend' AND "service" != ''`
	entries  = `"type" = 'frontend'`
)

// from names a measurement under the policy that the page chose.
func from(measurement string) string { return fmt.Sprintf(`:points:.%q`, measurement) }

// over asks for expressions over time, one line for each value of the tags.
func over(measurement, where string, tags []string, terms ...string) string {
	return fmt.Sprintf(`SELECT %s FROM %s WHERE %s GROUP BY time(:interval:)%s fill(none)`, strings.Join(terms, ", "), from(measurement), and(where, within), by(tags))
}

// total adds up what each of several origins (proxies with their backends, containers) says: inner terms are asked for each
// of them, outer ones are asked of the answers.
func total(measurement, where string, origins, tags []string, inner, outer []string) string {
	return fmt.Sprintf(`SELECT %s FROM (SELECT %s FROM %s WHERE %s GROUP BY time(:interval:)%s fill(none)) WHERE %s GROUP BY time(:interval:)%s fill(none)`,
		strings.Join(outer, ", "), strings.Join(inner, ", "), from(measurement), and(where, within), by(append(append([]string(nil), tags...), origins...)), within, by(tags))
}

// containers adds up what containers use. Docker tells of each at another moment, Telegraf asks every ten seconds: only over
// ten seconds is there a point of all of them.
func containers(measurement, field, name, where string, tags ...string) string {
	each := fmt.Sprintf(`SELECT mean(%q) AS "v" FROM %s WHERE %s GROUP BY time(10s)%s fill(none)`, field, from(measurement), and(where, within), by(append(append([]string(nil), tags...), "container_name", "engine_host")))
	all := fmt.Sprintf(`SELECT sum("v") AS "v" FROM (%s) WHERE %s GROUP BY time(10s)%s fill(none)`, each, within, by(tags))
	return fmt.Sprintf(`SELECT mean("v") AS %q FROM (%s) WHERE %s GROUP BY time(:interval:)%s fill(none)`, name, all, within, by(tags))
}

// onAverage is one number for all of the time that the page shows, divided by a unit.
func onAverage(name string, unit int, query string) string {
	return fmt.Sprintf(`SELECT mean(%q) / %d AS %q FROM (%s)`, name, unit, name, query)
}

// haproxy adds up over all proxies and their backends or frontends.
func haproxy(where string, tags []string, inner, outer []string) string {
	return total(haproxystats.Haproxy, where, []string{"server", "proxy"}, tags, inner, outer)
}

// gauge is the sum of a gauge over all proxies.
func gauge(where, field, name string, tags ...string) string {
	return haproxy(where, tags, []string{fmt.Sprintf(`mean(%q) AS "v"`, field)}, []string{fmt.Sprintf(`sum("v") AS %q`, name)})
}

// counted is the sum of what counters rose in a second; pairs are fields and their names.
func counted(where string, tags []string, pairs ...string) string {
	var outer []string
	for i := 0; i < len(pairs); i += 2 {
		outer = append(outer, fmt.Sprintf(`sum(%q) AS %q`, pairs[i+1], pairs[i+1]))
	}
	return rates(where, tags, outer, pairs...)
}

// rates asks outer terms of what counters rose in a second. The rise is taken between points and then averaged: between
// intervals, which hold now two points and now three, it would be a saw.
func rates(where string, tags, outer []string, pairs ...string) string {
	var rise, mean []string
	for i := 0; i < len(pairs); i += 2 {
		rise = append(rise, fmt.Sprintf(`non_negative_derivative(%q, 1s) AS %q`, pairs[i], pairs[i+1]))
		mean = append(mean, fmt.Sprintf(`mean(%q) AS %q`, pairs[i+1], pairs[i+1]))
	}
	origins := by(append(append([]string(nil), tags...), "server", "proxy"))
	points := fmt.Sprintf(`SELECT %s FROM %s WHERE %s GROUP BY %s`, strings.Join(rise, ", "), from(haproxystats.Haproxy), and(where, within), strings.TrimPrefix(origins, ", "))
	return fmt.Sprintf(`SELECT %s FROM (SELECT %s FROM (%s) WHERE %s GROUP BY time(:interval:)%s fill(none)) WHERE %s GROUP BY time(:interval:)%s fill(none)`,
		strings.Join(outer, ", "), strings.Join(mean, ", "), points, within, origins, within, by(tags))
}

// failures is the share of answers with 5xx, in percent.
func failures(where string) string {
	return rates(where, nil, []string{`100 * sum("bad") / sum("all") AS "errors"`}, responses+"5xx", "bad", "req_tot", "all")
}

// newest asks for rows with text, the last ones first.
func newest(measurement, where string, limit int, columns ...string) string {
	return fmt.Sprintf(`SELECT %s FROM %s WHERE %s ORDER BY time DESC LIMIT %d`, quoted(columns), from(measurement), and(where, within), limit)
}

func quoted(names []string) string {
	var list []string
	for _, n := range names {
		list = append(list, fmt.Sprintf("%q", n))
	}
	return strings.Join(list, ", ")
}

func by(tags []string) string {
	if len(tags) == 0 {
		return ""
	}
	return ", " + quoted(tags)
}

func and(conditions ...string) string {
	var list []string
	for _, c := range conditions {
		if c != "" {
			list = append(list, c)
		}
	}
	return strings.Join(list, " AND ")
}
