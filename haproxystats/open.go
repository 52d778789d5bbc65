package haproxystats

import (
	"bytes"
	"slices"
	"strings"
)

// ParseOpen reads of the answer to `show stat -1 2 -1` how many sessions are open at each backend, and how many there were,
// for Sampler.Observe. That is asked many times a second, so the rest of a row is only counted: it takes a fraction of what Parse takes. What is
// not as HAProxy writes backends is left to Parse, and its errors are Parse's.
func ParseOpen(answer []byte) ([]Row, error) {
	if rows, ok := parseOpen(answer); ok {
		return rows, nil
	}
	return Parse(bytes.NewReader(answer))
}

// backendName is svname of every backend.
const backendName = "BACKEND"

func parseOpen(answer []byte) (rows []Row, ok bool) {
	first, rest, _ := bytes.Cut(answer, []byte("\n"))
	h, err := newHeader(string(first))
	if err != nil || !bytes.HasSuffix(answer, []byte("\n")) || bytes.ContainsAny(answer, "\"\r") {
		return nil, false
	}
	proxy := slices.IndexFunc(h.cells, func(c cell) bool { return c.role == proxyName })
	sv := slices.IndexFunc(h.cells, func(c cell) bool { return c.role == svName })
	scur := slices.IndexFunc(h.cells, func(c cell) bool { return c.role == number && c.slot == schema.scur })
	stot := slices.IndexFunc(h.cells, func(c cell) bool { return c.role == number && c.slot == schema.stot })
	if proxy != 0 || sv != 1 || scur < 0 || stot < scur {
		return nil, false
	}
	lines := bytes.Count(rest, []byte("\n"))
	rows = make([]Row, 0, lines)
	width := schema.stot + 1
	numbers := make([]int64, lines*width)
	var names strings.Builder
	names.Grow(lines * 32)
	read := 0
	for len(rest) > 0 {
		end := bytes.IndexByte(rest, '\n')
		line := rest[:end]
		if rest = rest[end+1:]; len(line) == 0 {
			continue
		}
		read++
		name, line, _ := bytes.Cut(line, []byte(","))
		kind, line, _ := bytes.Cut(line, []byte(","))
		if string(kind) != backendName {
			return nil, false
		}
		start := names.Len()
		names.Write(name)
		row := Row{Proxy: names.String()[start:], Sv: backendName, Type: Backend, header: h, numbers: numbers[:width:width]}
		numbers = numbers[width:]
		for i := 2; i <= stot; i++ {
			value, rest, _ := bytes.Cut(line, []byte(","))
			if line = rest; i != scur && i != stot {
				continue
			}
			if v, ok := parseNumber(string(value), false); ok {
				slot := h.cells[i].slot
				row.numbers[slot] = v
				row.has.add(slot)
			}
		}
		rows = append(rows, row)
	}
	// Each row has the header's columns, or the answer is not what it seems to be.
	return rows, bytes.Count(answer[len(first):], []byte(",")) == read*(len(h.cells)-1)
}
