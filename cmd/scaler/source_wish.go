package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"sluice/internal/influx"
	"sluice/policy"
)

// wish is what the rules of one service want to know.
type wish struct {
	service string
	grouped bool          // it may share a backend with other services
	every   time.Duration // between two evaluations
	rules   []policy.Rule // those that measure something
}

// groupLabel makes services share a backend, whose row then is nobody's.
const groupLabel = "com.df.serviceGroup"

func (s *subject) wish() wish {
	w := wish{service: s.service.Name, every: s.policy.Interval}
	for key := range s.service.Labels {
		w.grouped = w.grouped || key == groupLabel || strings.HasPrefix(key, groupLabel+".")
	}
	for _, r := range s.policy.Rules {
		if r.Strategy != "fixed" {
			w.rules = append(w.rules, r)
		}
	}
	return w
}

// metrics are those that the rules read and that are of the kind, in order.
func (w wish) metrics(kind func(metric string) bool) []string {
	var list []string
	for _, r := range w.rules {
		if kind(r.Metric) && !slices.Contains(list, r.Metric) {
			list = append(list, r.Metric)
		}
	}
	slices.Sort(list)
	return list
}

func ofHAProxy(metric string) bool { return metric != "query" && !ofContainers(metric) }

// want takes note of what will be asked for.
func (s *samples) want(wishes []wish, kind func(metric string) bool) {
	clear(s.wanted)
	for _, w := range wishes {
		if metrics := w.metrics(kind); len(metrics) > 0 {
			s.wanted[w.service] = metrics
		}
	}
}

// maxNamed is the number of services up to which a query names them; above, all are read.
const maxNamed = 100

// clause is a part of the query: these fields of these services.
type clause struct {
	kind     string // type of the row: backend or server
	fields   []string
	services []string // nil: all
}

func (c clause) equal(o clause) bool {
	return c.kind == o.kind && slices.Equal(c.fields, o.fields) && slices.Equal(c.services, o.services)
}

// clauses are what the wishes come to. Fields that the same services need stand together, so that InfluxDB reads each
// series once, and those of a few services are not read of all.
func (s *samples) clauses(wishes []wish) []clause {
	needed := map[string]map[column][]string{"backend": {}, "server": {}}
	for _, w := range wishes {
		tcp := s.tcp(w.service)
		for _, name := range w.metrics(ofHAProxy) {
			m := measures[name]
			need := func(kind string, columns []column) {
				for _, c := range columns {
					if list := needed[kind][c]; !slices.Contains(list[max(0, len(list)-1):], w.service) {
						needed[kind][c] = append(list, w.service)
					}
				}
			}
			need("backend", m.http)
			if tcp {
				need("backend", m.tcp)
			}
			if w.grouped {
				need("server", slices.Concat(m.http, m.tcp, m.servers))
			}
		}
	}
	var list []clause
	for _, kind := range []string{"backend", "server"} {
		for _, c := range slices.Sorted(maps.Keys(needed[kind])) {
			services := needed[kind][c]
			if len(services) > maxNamed {
				services = nil
			}
			i := slices.IndexFunc(list, func(o clause) bool { return o.kind == kind && slices.Equal(o.services, services) })
			if i < 0 {
				i, list = len(list), append(list, clause{kind: kind, services: services})
			}
			list[i].fields = append(list[i].fields, fieldNames[c])
		}
	}
	return list
}

// flux is the query. Its end lies in the future, since a proxy's clock may be ahead and Flux would else stop at now.
// Grouping makes a table per proxy instead of one per series, which InfluxDB 1.8 answers in two thirds of the time.
func flux(bucket string, from, to time.Time, clauses []clause) string {
	var conditions []string
	sv := ""
	for _, c := range clauses {
		condition := `r.type == "` + c.kind + `" and (` + influx.AnyOf("_field", c.fields) + ")"
		if c.services != nil {
			condition += " and (" + influx.AnyOf("service", c.services) + ")"
		}
		if conditions = append(conditions, "("+condition+")"); c.kind == "server" {
			sv = `, "sv"`
		}
	}
	return fmt.Sprintf(`from(bucket: %s)
  |> range(start: %s, stop: %s)
  |> filter(fn: (r) => r._measurement == "haproxy" and (%s))
  |> group(columns: ["_field", "server"])
  |> keep(columns: ["_time", "_value", "_field", "server", "proxy", "service"%s])`,
		influx.Quote(bucket), instant(from), instant(to), strings.Join(conditions, " or "), sv)
}

func instant(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
