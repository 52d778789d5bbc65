// Package queries reads the InfluxQL that stands in the files of deploy/tick (dashboards of Chronograf, scripts of
// Kapacitor, statements that set InfluxDB up), so that tests can put it before a real InfluxDB:
//
//	Read -> Query.Fill(values of the variables) -> InfluxQL as Chronograf or Kapacitor sends it
package queries

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Query is one query and where it stands.
type Query struct {
	Where string // file and cell
	Text  string // with Chronograf's variables
	Empty bool   // it may well have no data: nothing is wrong
	board *board
}

// board is what is read of a dashboard.
type board struct {
	Name  string
	Cells []struct {
		Name, Type, Note string
		Queries          []struct{ Query string }
	}
	Templates []Template
}

// Template is a variable of a dashboard.
type Template struct {
	TempVar, Type string
	Query         struct{ InfluxQL, DB, Measurement, TagKey string }
	Values        []struct {
		Key, Value string
		Selected   bool
	}
}

// Dashboards reads the queries of all dashboards in a folder, those of their variables too.
func Dashboards(dir string) ([]Query, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.dashboard"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("find dashboards in %s: %d files, %w", dir, len(files), err)
	}
	var list []Query
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		b := &board{}
		if err := json.Unmarshal(content, b); err != nil {
			return nil, fmt.Errorf("parse %s: %w", file, err)
		}
		for _, t := range b.Templates {
			if t.Type == "tagValues" {
				list = append(list, Query{Where: b.Name + ", variable " + t.TempVar, Text: t.meta(), board: b})
			}
		}
		for _, c := range b.Cells {
			for _, q := range c.Queries {
				if c.Type != "note" {
					list = append(list, Query{Where: b.Name + ", " + c.Name, Text: q.Query, Empty: strings.Contains(c.Note, "Empty when"), board: b})
				}
			}
		}
	}
	return list, nil
}

// meta is the query for the values of the variable.
func (t Template) meta() string {
	return strings.NewReplacer(":database:", `"`+t.Query.DB+`"`, ":measurement:", `"`+t.Query.Measurement+`"`, ":tagKey:", `"`+t.Query.TagKey+`"`).Replace(t.Query.InfluxQL)
}

// Range is a span of time, as InfluxQL writes it.
type Range struct {
	Lower, Upper string // now() - 15m, now()
	Interval     string // 2500ms: Chronograf takes a 360th of the range
}

// Fill replaces the variables as Chronograf does: values of tags become texts, those of maps stay as they are. Values that
// are not given are the ones that the file selects.
func (q Query) Fill(r Range, values map[string]string) string {
	text := q.Text
	for _, t := range q.board.Templates {
		value, given := values[t.TempVar]
		for _, v := range t.Values {
			if !given && v.Selected {
				value = v.Value
			}
		}
		if t.Type == "tagValues" {
			value = "'" + value + "'"
		}
		text = strings.ReplaceAll(text, t.TempVar, value)
	}
	return strings.NewReplacer(":dashboardTime:", r.Lower, ":upperDashboardTime:", r.Upper, ":interval:", r.Interval).Replace(text)
}

// batch finds the query of a TICKscript, its period and its tags.
var batch = regexp.MustCompile(`(?s)query\('''(.*?)'''\)\s*\.period\((\w+)\)\s*\.every\(\w+\)(?:\s*\.groupBy\(([^)]*)\))?`)

// Alerts reads the queries of the scripts in a folder, with time and tags as Kapacitor adds them.
func Alerts(dir string) ([]Query, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.tick"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("find scripts in %s: %d files, %w", dir, len(files), err)
	}
	var list []Query
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		found := batch.FindAllSubmatch(content, -1)
		if len(found) == 0 {
			return nil, fmt.Errorf("%s asks for nothing", file)
		}
		for _, m := range found {
			text := since(strings.Join(strings.Fields(string(m[1])), " "), string(m[2]))
			if tags := strings.ReplaceAll(string(m[3]), "'", `"`); tags != "" {
				text += " GROUP BY " + tags
			}
			list = append(list, Query{Where: filepath.Base(file), Text: text, board: &board{}})
		}
	}
	return list, nil
}

// Continuous reads the continuous queries of a file of statements as InfluxDB runs them, over the last hour.
func Continuous(file string) ([]Query, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var list []Query
	for statement := range strings.Lines(string(content)) {
		head, sql, found := strings.Cut(strings.TrimSpace(statement), " BEGIN ")
		if !found {
			continue
		}
		sql = strings.TrimSuffix(sql, " END")
		at := strings.LastIndex(sql, " GROUP BY ")
		list = append(list, Query{Where: head, Text: since(sql[:at], "1h") + sql[at:], board: &board{}})
	}
	return list, nil
}

// since bounds the outermost query.
func since(sql, period string) string {
	var outer strings.Builder
	depth := 0
	for _, r := range sql {
		switch r {
		case '(':
			depth++
		case ')':
			depth--
		default:
			if depth == 0 {
				outer.WriteRune(r)
			}
		}
	}
	word := " WHERE "
	if strings.Contains(outer.String(), word) {
		word = " AND "
	}
	return sql + word + "time >= now() - " + period
}
