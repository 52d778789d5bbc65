package label

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Values are the labels of one service, read by one Table.
type Values struct {
	table   Table
	entries map[int]map[string]entry // index (0: no suffix) -> name -> entry
	unknown bool
}

// entry is one label as written, and what it was read as. bad marks a value that could not be read.
type entry struct {
	key   string
	raw   string
	value any
	bad   bool
}

// Read picks the table's labels out of all labels of a service. Problems come in the byte order of the labels, so
// that equal labels give equal output. Labels outside the table's prefix are passed over.
func (t Table) Read(service string, labels map[string]string) (Values, []Problem) {
	v := Values{table: t, entries: map[int]map[string]entry{}}
	var problems []Problem
	report := func(key, reason string) {
		problems = append(problems, Problem{Service: service, Label: key, Value: labels[key], Reason: reason})
	}
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		name, index, known := t.resolve(key, labels)
		if name == "" {
			continue
		}
		if !known {
			v.unknown = true
			report(key, t.unknownReason(name))
			continue
		}
		spec, _ := t.Lookup(name)
		if spec.Obsolete != "" {
			continue
		}
		if index > 0 && !spec.Indexed {
			v.unknown = true
			report(key, fmt.Sprintf("%s takes no index", t.Prefix+name))
			continue
		}
		e := entry{key: key, raw: labels[key]}
		value, err := spec.parse(labels[key], cmp.Or(t.Separator, ","))
		if e.value = value; err != nil {
			e.bad = true
			report(key, err.Error())
		}
		if v.entries[index] == nil {
			v.entries[index] = map[string]entry{}
		}
		v.entries[index][name] = e
	}
	return v, problems
}

// resolve splits a label's key into the name and index of the table. An empty name means the key is not the
// table's business; known is false when it is but no such label exists.
func (t Table) resolve(key string, labels map[string]string) (name string, index int, known bool) {
	for i := range t.Specs {
		if s := &t.Specs[i]; len(s.Aliases) > 0 && slices.Contains(s.Aliases, key) {
			if _, both := labels[t.Prefix+s.Name]; both {
				return "", 0, false // the label itself is there and wins over its alias
			}
			return s.Name, 0, true
		}
	}
	rest, ours := strings.CutPrefix(key, t.Prefix)
	if !ours || rest == "" || (t.Foreign != nil && t.Foreign(rest)) {
		return "", 0, false
	}
	if _, ok := t.Lookup(rest); ok {
		return rest, 0, true
	}
	if dot := strings.LastIndexByte(rest, '.'); dot > 0 {
		n, err := strconv.Atoi(rest[dot+1:])
		if _, ok := t.Lookup(rest[:dot]); ok && err == nil && n > 0 && rest[dot+1] != '0' && rest[dot+1] != '+' {
			return rest[:dot], n, true
		}
	}
	return rest, 0, false
}

// Parse reads one value, with commas in lists, as the label's kind asks and then by its Check. The error reads after the
// label's name.
func (s Spec) Parse(raw string) (any, error) { return s.parse(raw, ",") }

func (s Spec) parse(raw, separator string) (any, error) {
	value, err := s.parseKind(strings.TrimSpace(raw), separator)
	if err != nil || s.Check == nil {
		return value, err
	}
	return value, s.Check(value)
}

func (s Spec) parseKind(raw, separator string) (any, error) {
	if i := strings.IndexFunc(raw, isControl); i >= 0 && s.Kind != Text && s.Kind != Clauses && s.Kind != Lines {
		return nil, fmt.Errorf("has a control character at byte %d", i)
	}
	switch s.Kind {
	case Bool:
		switch strings.ToLower(raw) {
		case "true", "1":
			return true, nil
		case "false", "0":
			return false, nil
		}
		return false, fmt.Errorf("is neither true nor false")
	case Int:
		n, err := strconv.Atoi(raw)
		if err != nil {
			return 0, fmt.Errorf("is not a whole number")
		}
		return n, nil
	case Port:
		n, err := strconv.Atoi(raw)
		if err != nil || n < 1 || n > 65535 {
			return 0, fmt.Errorf("is not a port between 1 and 65535")
		}
		return n, nil
	case Float:
		f, err := strconv.ParseFloat(raw, 64)
		if err != nil || f != f || f-f != 0 {
			return 0.0, fmt.Errorf("is not a number")
		}
		return f, nil
	case Duration:
		return parseDuration(raw)
	case List:
		return splitList(raw, separator), nil
	case Lines:
		return splitLines(raw)
	case Enum:
		if slices.Contains(s.Values, raw) {
			return raw, nil
		}
		return "", fmt.Errorf("is not one of %s%s", strings.Join(s.Values, ", "), DidYouMean(raw, s.Values))
	}
	if i := strings.IndexFunc(raw, isControl); i >= 0 {
		return s.text("", separator), fmt.Errorf("has a control character at byte %d", i)
	}
	return s.text(raw, separator), nil
}

func (s Spec) text(raw, separator string) any {
	if s.Kind == Clauses {
		return ClauseList{raw, separator}
	}
	return raw
}

// parseDuration reads a Go duration that is not negative. A bare number is refused because the labels of Docker Flow
// Proxy mean seconds by it and Go would mean nanoseconds.
func parseDuration(raw string) (time.Duration, error) {
	d, err := time.ParseDuration(raw)
	if _, bare := strconv.ParseFloat(raw, 64); bare == nil && strings.ContainsAny(raw, "0123456789") { // not "inf"
		return 0, fmt.Errorf("has no unit (write %ss or %sm)", raw, raw)
	}
	if err != nil || d < 0 {
		return 0, fmt.Errorf("is not a duration such as 15s or 1m30s")
	}
	return d, nil
}

func splitList(raw, separator string) []string {
	var items []string
	for item := range strings.SplitSeq(raw, separator) {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

var lineBreaks = strings.NewReplacer("\r\n", "\n", "\r", "\n", `\n`, "\n", "\t", " ")

// splitLines reads what stack files can hold: blocks of several lines, or lines with \n between them.
func splitLines(raw string) ([]string, error) {
	var lines []string
	for line := range strings.SplitSeq(lineBreaks.Replace(raw), "\n") {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
		if strings.ContainsFunc(line, isControl) {
			return nil, fmt.Errorf("has a control character in line %d", len(lines))
		}
	}
	return lines, nil
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f }
