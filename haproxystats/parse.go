package haproxystats

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
)

// ErrTruncated means that the answer ends within a row.
var ErrTruncated = errors.New("answer is truncated")

// rowsPerChunk is how many rows share one allocation of values.
const rowsPerChunk = 256

// Parse reads the plain CSV that `show stat` answers. Columns are found by the names in the first line; missing and
// unknown ones are fine. Rows of a type that is not known are passed over. An answer without that first line, such as
// HAProxy's "Unknown command", is an error. So is one that breaks off: HAProxy ends every row with a line feed and the
// answer with an empty line, of which the reader may have taken off one line feed.
func Parse(r io.Reader) ([]Row, error) {
	var b strings.Builder
	if _, err := io.Copy(&b, r); err != nil {
		return nil, fmt.Errorf("read stats: %w", err)
	}
	text := strings.TrimLeft(b.String(), "\r\n")
	first, rest, _ := strings.Cut(text, "\n")
	h, err := newHeader(strings.TrimSuffix(first, "\r"))
	if err != nil {
		return nil, fmt.Errorf("parse stats: %w", err)
	}
	if !strings.HasSuffix(b.String(), "\n") {
		return nil, fmt.Errorf("parse stats: %w: no line feed at the end", ErrTruncated)
	}
	p := parser{header: h, text: rest}
	p.left = strings.Count(rest, "\n") + 1
	rows := make([]Row, 0, p.left)
	for line := 2; ; line++ {
		if !p.skipBlank() {
			return rows, nil
		}
		row, known, err := p.row()
		if err != nil {
			return nil, fmt.Errorf("parse stats: line %d: %w", line, err)
		}
		if known {
			rows = append(rows, row)
		}
	}
}

// header says what each column of one answer is.
type header struct {
	cells   []cell
	unknown []string // names of the columns behind the slots of the table
}

type cell struct {
	role   role
	slot   int
	signed bool
}

type role int

const (
	ignored role = iota
	proxyName
	svName
	rowType
	number
	text
)

func newHeader(line string) (*header, error) {
	names, ok := strings.CutPrefix(line, "# ")
	if !ok {
		return nil, fmt.Errorf("no header of columns, got %q", line[:min(len(line), 80)])
	}
	h := &header{}
	var seen [text + 1]bool
	for name := range strings.SplitSeq(names, ",") {
		c := h.cell(name)
		seen[c.role] = true
		h.cells = append(h.cells, c)
	}
	if !seen[proxyName] || !seen[svName] || !seen[rowType] {
		return nil, errors.New("columns pxname, svname, type are not all there")
	}
	return h, nil
}

func (h *header) cell(name string) cell {
	i, known := schema.column[name]
	switch {
	case name == "":
		return cell{}
	case !known:
		slot := len(schema.numbers) + len(h.unknown)
		if slot == maxSlots {
			return cell{}
		}
		h.unknown = append(h.unknown, name)
		return cell{role: number, slot: slot}
	case name == "pxname":
		return cell{role: proxyName}
	case name == "svname":
		return cell{role: svName}
	case name == "type":
		return cell{role: rowType}
	case columns[i].Merge == LeftOut:
		return cell{}
	case columns[i].Kind == Text:
		return cell{role: text, slot: schema.textSlot[name]}
	}
	return cell{role: number, slot: schema.numberSlot[name], signed: columns[i].Merge == Youngest}
}

// number finds the slot of a column of numbers.
func (h *header) number(column string) (int, bool) {
	if slot, ok := schema.numberSlot[column]; ok {
		return slot, true
	}
	for i, name := range h.unknown {
		if name == column {
			return len(schema.numbers) + i, true
		}
	}
	return 0, false
}

// fieldName is the name under which the value of a slot is written.
func (h *header) fieldName(slot int) string {
	if slot < len(schema.numbers) {
		return schema.numbers[slot].FieldName()
	}
	return h.unknown[slot-len(schema.numbers)]
}

// parser walks over the rows of one answer. Values live in chunks, so that a row costs no allocation of its own.
type parser struct {
	header  *header
	text    string
	pos     int // where the next field begins
	left    int // at most so many rows are left
	numbers []int64
	texts   []string
}

// skipBlank passes over empty lines and says whether anything follows.
func (p *parser) skipBlank() bool {
	for p.pos < len(p.text) && (p.text[p.pos] == '\n' || p.text[p.pos] == '\r') {
		p.pos++
	}
	return p.pos < len(p.text)
}

func (p *parser) row() (row Row, known bool, err error) {
	row = p.newRow()
	known = true
	last := len(p.header.cells) - 1
	for i := 0; i <= last; i++ {
		i = p.short(&row, i)
		value, end, err := p.field()
		if err != nil {
			return row, false, err
		}
		if end != (i == last) {
			return row, false, p.miscounted(i)
		}
		if value != "" && !row.set(p.header.cells[i], value) {
			known = false
		}
	}
	return row, known, nil
}

// short takes the fields from the i-th on that are empty or small plain numbers, as most are, and answers which is the
// next. It leaves the last field of a row alone. With it, parsing is several times as fast.
func (p *parser) short(row *Row, i int) int {
	s, start := p.text, p.pos
	for last := len(p.header.cells) - 1; i < last; i++ {
		var v int64
		pos := start
		for pos < len(s) && s[pos]-'0' <= 9 {
			v = v*10 + int64(s[pos]-'0')
			pos++
		}
		digits := pos - start
		if pos == len(s) || s[pos] != ',' || digits > 18 {
			break
		}
		if digits > 0 {
			c := &p.header.cells[i]
			if c.role != number {
				break
			}
			row.numbers[c.slot] = v
			row.has.add(c.slot)
		}
		start = pos + 1
	}
	p.pos = start
	return i
}

// set takes the value of one field, and says whether the row is of a type that is known.
func (r *Row) set(c cell, value string) (known bool) {
	switch c.role {
	case number:
		if v, ok := parseNumber(value, c.signed); ok {
			r.numbers[c.slot] = v
			r.has.add(c.slot)
		}
	case text:
		r.texts[c.slot] = value
	case proxyName:
		r.Proxy = value
	case svName:
		r.Sv = value
	case rowType:
		t, ok := parseNumber(value, false)
		if !ok || t > int64(Listener) {
			return false
		}
		r.Type = Type(t)
	}
	return true
}

// miscounted explains a row that does not have the header's number of columns. At the end of the text it is cut off.
func (p *parser) miscounted(i int) error {
	want := len(p.header.cells)
	if i == want-1 {
		return fmt.Errorf("more than the header's %d columns", want)
	}
	if p.pos == len(p.text) {
		return fmt.Errorf("%w: %d of %d columns", ErrTruncated, i+1, want)
	}
	return fmt.Errorf("%d of %d columns", i+1, want)
}

// field takes the next field and says whether it was the last one of its line.
func (p *parser) field() (value string, last bool, err error) {
	s := p.text[p.pos:]
	if len(s) > 0 && s[0] == '"' {
		return p.quoted()
	}
	for i := range len(s) {
		if s[i] == ',' || s[i] == '\n' {
			p.pos += i + 1
			if s[i] == ',' {
				return s[:i], false, nil
			}
			return strings.TrimSuffix(s[:i], "\r"), true, nil
		}
	}
	p.pos = len(p.text)
	return s, true, nil
}

// quoted takes a field in quotes, which may hold commas, line ends and doubled quotes (last_chk does).
func (p *parser) quoted() (value string, last bool, err error) {
	s := p.text[p.pos+1:]
	doubled := false
	for i := 0; i < len(s); i++ {
		if s[i] != '"' {
			continue
		}
		if i+1 < len(s) && s[i+1] == '"' {
			doubled = true
			i++
			continue
		}
		value, s = s[:i], strings.TrimPrefix(s[i+1:], "\r")
		if doubled {
			value = strings.ReplaceAll(value, `""`, `"`)
		}
		if s == "" {
			p.pos = len(p.text)
			return value, true, nil
		}
		if s[0] != ',' && s[0] != '\n' {
			return "", false, fmt.Errorf("unexpected %q after a quoted field", s[0])
		}
		p.pos = len(p.text) - len(s) + 1
		return value, s[0] == '\n', nil
	}
	return "", false, fmt.Errorf("%w: within a quoted field", ErrTruncated)
}

// newRow cuts the room for a row's values from the current chunk.
func (p *parser) newRow() Row {
	n, t := len(schema.numbers)+len(p.header.unknown), len(schema.texts)
	if len(p.numbers) < n || len(p.texts) < t {
		rows := max(1, min(rowsPerChunk, p.left))
		p.left -= rows
		p.numbers, p.texts = make([]int64, rows*n), make([]string, rows*t)
	}
	row := Row{header: p.header, numbers: p.numbers[:n:n], texts: p.texts[:t:t]}
	p.numbers, p.texts = p.numbers[n:], p.texts[t:]
	return row
}

// parseNumber reads a whole number as Telegraf does: no sign unless signed. What int64 cannot hold becomes its maximum.
func parseNumber(s string, signed bool) (int64, bool) {
	negative := signed && strings.HasPrefix(s, "-")
	if negative {
		s = s[1:]
	}
	if s == "" {
		return 0, false
	}
	var v int64
	for i := range len(s) {
		d := s[i] - '0'
		if d > 9 {
			return 0, false
		}
		if v > (math.MaxInt64-int64(d))/10 {
			return math.MaxInt64, len(s) <= 20
		}
		v = v*10 + int64(d)
	}
	if negative {
		v = -v
	}
	return v, true
}
