package haproxystats

import (
	"iter"
	"math"
	"time"
)

// Sample is one row of a point: what all workers together say of one frontend, backend or server.
type Sample struct {
	Proxy string
	Sv    string
	Type  Type

	// Of backends only, else 0.
	ScurMean    float64 // mean of the open sessions since the last point
	ScurMax     float64 // highest reading of them
	ReqRateMean float64 // requests that arrived per second since the last point; NaN when there was none before

	series *series
}

// Int gives the merged value of a column by HAProxy's name, and false when no worker had one.
func (s Sample) Int(column string) (int64, bool) {
	slot, ok := s.series.header.number(column)
	if !ok || !s.series.has.has(slot) {
		return 0, false
	}
	return s.series.numbers[slot], true
}

// Text gives the current worker's value of a column by HAProxy's name, "" when there is none.
func (s Sample) Text(column string) string {
	if slot, ok := schema.textSlot[column]; ok {
		return s.series.texts[slot]
	}
	return ""
}

// Point is one point of a time series, as plain values.
type Point struct {
	Measurement string
	Tags        []Tag // sorted by key, none empty
	Fields      []Field
	At          time.Time
}

// Tag is one tag.
type Tag struct{ Key, Value string }

// Field is one field. Value is an int64, a float64 or a string.
type Field struct {
	Key   string
	Value any
}

// Origin says where points come from.
type Origin struct {
	Host   string // host name
	Server string // name of the proxy instance
	// Owner finds the swarm service and its stack behind a backend, "" when there is none. Nil finds none. Where several
	// services share a backend, it is asked for each server too, as backend/server.
	Owner func(backend string) (service, stack string)
}

// Points gives one point of measurement `haproxy` per sample, all with time at. A point is valid until the next one.
func Points(at time.Time, from Origin, samples []Sample) iter.Seq[Point] {
	return func(yield func(Point) bool) {
		var tags []Tag
		var fields []Field
		for _, s := range samples {
			tags = s.tags(tags[:0], from)
			fields = s.fields(fields[:0])
			if !yield(Point{Haproxy, tags, fields, at}) {
				return
			}
		}
	}
}

func (s Sample) tags(tags []Tag, from Origin) []Tag {
	var service, stack string
	if from.Owner != nil && s.Type != Frontend {
		if service, stack = from.Owner(s.Proxy); service == "" && s.Type == Server {
			service, stack = from.Owner(s.Proxy + "/" + s.Sv)
		}
	}
	for _, t := range [...]Tag{
		{"host", from.Host},
		{"proxy", s.Proxy},
		{"server", from.Server},
		{"service", service},
		{"stack", stack},
		{"sv", s.Sv},
		{"type", s.Type.String()},
	} {
		if t.Value != "" {
			tags = append(tags, t)
		}
	}
	return tags
}

func (s Sample) fields(fields []Field) []Field {
	for slot, c := range schema.texts {
		if v := s.series.texts[slot]; v != "" {
			fields = append(fields, Field{c.FieldName(), v})
		}
	}
	for slot := range s.series.has.all() {
		fields = append(fields, Field{s.series.header.fieldName(slot), s.series.numbers[slot]})
	}
	if s.Type != Backend {
		return fields
	}
	fields = append(fields, Field{ScurMean, s.ScurMean}, Field{ScurMax, s.ScurMax})
	if !math.IsNaN(s.ReqRateMean) {
		fields = append(fields, Field{ReqRateMean, s.ReqRateMean})
	}
	return fields
}
