package influx

import (
	"math"
	"strconv"
	"time"
)

// appendPlain puts a point behind lines when nothing of it needs escaping, mending or leaving out and its tags are in
// order, as with nearly all of ours: a proxy with 10,000 servers writes 700,000 fields at a time, which this does in a third of the time.
// It answers false, and nothing is appended, when the point needs more care.
func appendPlain(lines []byte, p Point) ([]byte, bool) {
	b := append(lines, p.Measurement...)
	// A line has no times beyond these; a point without a time is before them.
	if !isPlain(p.Measurement) || len(p.Fields) == 0 || p.At.Before(time.Unix(0, math.MinInt64)) || p.At.After(time.Unix(0, math.MaxInt64)) {
		return lines, false
	}
	last := ""
	for _, t := range p.Tags {
		if !isPlain(t.Key) || !isPlain(t.Value) || t.Key <= last {
			return lines, false
		}
		last = t.Key
		b = append(append(append(append(b, ','), t.Key...), '='), t.Value...)
	}
	separator := byte(' ')
	for _, f := range p.Fields {
		if !isPlain(f.Key) {
			return lines, false
		}
		b = append(append(append(b, separator), f.Key...), '=')
		separator = ','
		switch v := f.Value.(type) {
		case int64:
			b = append(strconv.AppendInt(b, v, 10), 'i')
		case int:
			b = append(strconv.AppendInt(b, int64(v), 10), 'i')
		case float64:
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return lines, false
			}
			b = strconv.AppendFloat(b, v, 'g', -1, 64)
		default:
			text, ok := v.(string)
			if !ok || !isPlainText(text) {
				return lines, false
			}
			b = append(append(append(b, '"'), text...), '"')
		}
	}
	return append(strconv.AppendInt(append(b, ' '), p.At.UnixNano(), 10), '\n'), true
}

// isPlain tells whether a name or value is the same in a line, wherever it stands: visible ASCII but , = " \ and no space.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' || c == ',' || c == '=' || c == '"' || c == '\\' {
			return false
		}
	}
	return s != ""
}

// isPlainText tells whether a text is the same between quotes in a line: visible ASCII and spaces, but no quote and no backslash.
func isPlainText(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}
