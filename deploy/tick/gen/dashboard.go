package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// dashboard is a dashboard of Chronograf 1.8 to 1.10, which reads such files from its resources path at every request.
type dashboard struct {
	id        int // unique, 1000 and up: below are those that users make
	slug      string
	name      string
	variables []any
	cells     []cell
}

// cell is one of its pictures. Twelve columns are as wide as the page.
type cell struct {
	name    string
	kind    kind
	w, h    int
	queries []string
	unit    string // behind each number
	binary  bool   // Ki, Mi, Gi instead of K, M, B
	digits  int    // behind the point, of a single number
	colors  []any  // nil: the palette of lines
	note    string // Markdown; of a picture it is what the little sign in its corner shows
	columns []column
	x, y    int // set by file
}

type kind string

const (
	line    kind = "line"
	stacked kind = "line-stacked"
	steps   kind = "line-stepplot"
	single  kind = "single-stat"
	table   kind = "table"
	note    kind = "note"
)

// column renames a column of a table; no title hides it. A field's name begins with its measurement, that of a tag by
// which the query groups does not.
type column struct{ name, title string }

type object = map[string]any

// points is the variable that chooses how far the points are apart.
var points = object{
	"id": "points", "tempVar": ":points:", "type": "map", "label": "", "sourceID": "", "query": object{},
	"values": []object{
		{"key": "every second, for a day", "value": raw, "type": "map", "selected": true},
		{"key": "every minute, for 35 days", "value": minutes, "type": "map", "selected": false},
		{"key": "every hour, for three years", "value": hours, "type": "map", "selected": false},
	},
}

// tagVariable is a variable with the values of a tag.
func tagVariable(name, measurement, tag string) object {
	return object{
		"id": name, "tempVar": ":" + name + ":", "type": "tagValues", "label": "", "sourceID": "", "values": []object{},
		"query": object{"influxql": "SHOW TAG VALUES ON :database: FROM :measurement: WITH KEY=:tagKey:", "db": "telegraf", "measurement": measurement, "tagKey": tag},
	}
}

// file is the dashboard as Chronograf reads it. The cells stand in rows, from left to right.
func (d dashboard) file() ([]byte, error) {
	var cells []object
	x, y, height := 0, 0, 0
	for i, c := range d.cells {
		if x+c.w > 12 {
			x, y, height = 0, y+height, 0
		}
		c.x, c.y = x, y
		x, height = x+c.w, max(height, c.h)
		cells = append(cells, c.object(fmt.Sprintf("%s-%d", d.slug, i+1)))
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(object{"id": d.id, "organization": "default", "name": d.name, "cells": cells, "templates": d.variables})
	if strings.Contains(b.String(), "{{") {
		return nil, fmt.Errorf("%s holds {{, where Chronograf begins a template", d.slug)
	}
	return b.Bytes(), err
}

func (c cell) object(id string) object {
	queries := []object{}
	for _, q := range c.queries {
		queries = append(queries, object{"query": q, "source": "", "type": "influxql", "queryConfig": object{
			"database": "", "measurement": "", "retentionPolicy": "", "fields": []any{}, "tags": object{}, "groupBy": object{"time": "", "tags": []any{}},
			"areTagsAccepted": false, "rawText": q, "range": nil, "shifts": []any{}}})
	}
	if c.kind == note {
		queries = append(queries, object{"query": "", "source": "", "type": "influxql", "queryConfig": object{}})
	}
	base := "10"
	if c.binary {
		base = "2"
	}
	colors := c.colors
	switch {
	case colors != nil:
	case c.kind == table:
		colors = plain
	default:
		colors = palette
	}
	// A label of one space: without any the name of the first line is written there.
	axis := func(bounds [2]string) object {
		return object{"bounds": bounds, "label": " ", "prefix": "", "suffix": c.unit, "base": base, "scale": "linear"}
	}
	fields := []object{}
	for _, f := range c.columns {
		fields = append(fields, object{"internalName": f.name, "displayName": f.title, "visible": f.title != ""})
	}
	// Lines of services or tasks, which may be many, are named under the pointer only.
	legend := object{}
	if c.kind == line || c.kind == stacked || c.kind == steps {
		legend = staticLegend(c.queries)
	}
	return object{
		"i": id, "x": c.x, "y": c.y, "w": c.w, "h": c.h, "name": c.name, "type": c.kind, "queries": queries,
		"axes": object{"x": axis([2]string{"", ""}), "y": axis([2]string{"0", ""}), "y2": axis([2]string{"", ""})}, "colors": colors,
		"legend": legend, "tableOptions": object{"verticalTimeAxis": true, "sortBy": object{"internalName": "", "displayName": "", "visible": true}, "wrapping": "truncate", "fixFirstColumn": false},
		"fieldOptions": fields, "timeFormat": "YYYY-MM-DD HH:mm:ss", "decimalPlaces": object{"isEnforced": true, "digits": c.digits},
		"note": c.note, "noteVisibility": "default",
	}
}

// palette are the colours of lines, which Chronograf blends into as many as there are.
var palette = scale("#31C0F6", "#B894FF", "#FFB94A")

// plain is for tables, which would take the colours of lines for those of numbers.
var plain = []any{threshold("-1000000000000000000", "#BEC2CC", "mist")}

// calm is the colour of numbers that are neither good nor bad.
var calm = []any{threshold("-1000000000000000000", "#00C9FF", "laser")}

func scale(hexes ...string) []any {
	var list []any
	for i, hex := range hexes {
		list = append(list, object{"id": fmt.Sprint(i), "type": "scale", "hex": hex, "name": "Sluice", "value": "0"})
	}
	return list
}

// lights colour a number: green, from warn on yellow, from alarm on red.
func lights(warn, alarm string) []any {
	return []any{threshold("-1000000000000000000", "#7CE490", "honeydew"), threshold(warn, "#FFD255", "thunder"), threshold(alarm, "#F95F53", "curacao")}
}

func threshold(value, hex, name string) object {
	id := name
	if strings.HasPrefix(value, "-") {
		id = "base"
	}
	return object{"id": id, "type": "text", "hex": hex, "name": name, "value": value}
}

// staticLegend names the lines below a picture where their number is known: no tag, or one of proxies and nodes.
func staticLegend(queries []string) object {
	for _, q := range queries {
		outer := q[strings.LastIndex(q, "GROUP BY"):]
		if strings.Contains(strings.NewReplacer(`"server"`, "", `"engine_host"`, "").Replace(outer), `"`) {
			return object{}
		}
	}
	return object{"type": "static", "orientation": "bottom"}
}
