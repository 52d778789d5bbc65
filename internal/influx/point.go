// Package influx writes points to InfluxDB without losing any, and asks it questions.
//
//	[]Point ─ Encode ─> lines ─ Spool.Append (fsync) ─> segment files ─ Sender ─> InfluxDB
//	                                                          └─ deleted when acknowledged, set aside when refused
//	flux ─ Reader.Query ─> []Record
//
// What writes (Append) and what sends (Sender) share nothing but the spool: a server that is stopped, hung or gone never
// holds up who measures. The package is the only importer of influxdb-client-go and line-protocol. It speaks to
// InfluxDB 1.8 (with Flux switched on) and to 2.x.
package influx

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/influxdata/line-protocol/v2/lineprotocol"
)

// Point is one point. Tags may stand in any order.
type Point struct {
	Measurement string
	Tags        []Tag
	Fields      []Field
	At          time.Time // zero: InfluxDB takes the time at which it arrives, so a point sent twice is there twice
}

// Tag is one tag. An empty value is left out: InfluxDB has no empty tags.
type Tag struct{ Key, Value string }

// Field is one field. Value is an int64, int, float64, bool or string. NaN and infinities are left out: InfluxDB has none.
type Field struct {
	Key   string
	Value any
}

// Encode turns points into line protocol. What InfluxDB does not know (empty tags, NaN, a value of another type) is left
// out, and a point without any field too. A point that cannot be written, such as one with a tag twice, is left out and
// named by the error; the lines returned with an error hold all the others.
func Encode(points []Point) ([]byte, error) {
	var e Encoder
	for _, p := range points {
		e.Add(p)
	}
	return e.Take()
}

// Encoder encodes points one after the other. Its zero value is ready.
type Encoder struct {
	lines   []byte // since the last Take or Drain
	careful lineprotocol.Encoder
	tags    []Tag
	values  []field
	errs    []error
	skipped int64
}

// field is a Field that can be written.
type field struct {
	key   string
	value lineprotocol.Value
}

// Skipped counts the tags, fields and points that were left out so far.
func (e *Encoder) Skipped() int64 { return e.skipped }

// Add appends one point. It keeps nothing of it.
func (e *Encoder) Add(p Point) {
	var ok bool
	if e.lines, ok = appendPlain(e.lines, p); !ok {
		e.addCarefully(p)
	}
}

// addCarefully leaves out what InfluxDB does not know, mends tags and escapes.
func (e *Encoder) addCarefully(p Point) {
	e.values = e.values[:0]
	for _, f := range p.Fields {
		if v, ok := value(f.Value); ok {
			e.values = append(e.values, field{f.Key, v})
		}
	}
	e.skipped += int64(len(p.Fields) - len(e.values))
	if len(e.values) == 0 {
		e.skipped++
		return
	}
	e.careful.SetBuffer(e.lines)
	e.careful.StartLine(p.Measurement)
	for _, t := range e.sorted(p.Tags) {
		e.careful.AddTag(t.Key, t.Value)
	}
	for _, f := range e.values {
		e.careful.AddField(f.key, f.value)
	}
	e.careful.EndLine(p.At)
	if err := e.careful.Err(); err != nil { // the encoder took the whole line back
		e.skipped++
		e.errs = append(e.errs, fmt.Errorf("encode point of %q: %w", p.Measurement, err))
	}
	e.lines = e.careful.Bytes()
}

// Len is how many bytes Take would return.
func (e *Encoder) Len() int { return len(e.lines) }

// Take returns the lines of the points since the last Take or Drain, each ended by a line feed, and starts anew.
func (e *Encoder) Take() ([]byte, error) {
	lines, err := e.lines, errors.Join(e.errs...)
	e.lines, e.errs = nil, nil
	return lines, err
}

// Drain is Take for who gives the lines away at once: put must keep nothing of them, for the next points take their place.
func (e *Encoder) Drain(put func(lines []byte)) error {
	put(e.lines)
	err := errors.Join(e.errs...)
	e.lines, e.errs = e.lines[:0], nil
	return err
}

// sorted gives the tags in the order that the line protocol wants, without the empty ones.
func (e *Encoder) sorted(tags []Tag) []Tag {
	e.tags = e.tags[:0]
	for _, t := range tags {
		if t.Value = tagValue(t.Value); t.Value == "" {
			e.skipped++
			continue
		}
		e.tags = append(e.tags, t)
	}
	byKey := func(a, b Tag) int { return strings.Compare(a.Key, b.Key) }
	if !slices.IsSortedFunc(e.tags, byKey) {
		slices.SortFunc(e.tags, byKey)
	}
	return e.tags
}

// tagValue mends what a tag cannot hold: control characters, bytes that are no UTF-8, a backslash at the end.
func tagValue(s string) string {
	s = strings.ToValidUTF8(s, "?")
	control := func(r rune) bool { return r < ' ' || r == 0x7f }
	if strings.IndexFunc(s, control) >= 0 {
		s = strings.Map(func(r rune) rune {
			if control(r) {
				return ' '
			}
			return r
		}, s)
	}
	return strings.TrimRight(s, `\`)
}

// value converts to a value of the line protocol. Integers are signed: InfluxDB 1.8 refuses a line with an unsigned one.
func value(v any) (lineprotocol.Value, bool) {
	switch v := v.(type) {
	case int64:
		return lineprotocol.IntValue(v), true
	case int:
		return lineprotocol.IntValue(int64(v)), true
	case float64:
		return lineprotocol.FloatValue(v)
	case bool:
		return lineprotocol.BoolValue(v), true
	case string:
		return lineprotocol.StringValue(strings.ToValidUTF8(v, "?"))
	}
	return lineprotocol.Value{}, false
}
