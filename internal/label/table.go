// Package label reads the com.df.* labels of a swarm service into typed values.
//
//	Table (what labels exist)  +  labels of one service
//	        └──────── Read ────────┘
//	              Values ── At(n) ──> Group: the values of destination or rule n
//	              []Problem           what could not be read, and why
//
// It is pure: no clock, no environment, no I/O. The routing labels and the scaling labels are two Tables read by
// the same code, and the documentation is printed from them.
package label

import (
	"fmt"
	"strings"
)

// Prefix is the name space of every label that Sluice reads.
const Prefix = "com.df."

// Kind is the type of a label's value.
type Kind int

// The kinds, with the Go type that a Group returns for each.
const (
	Text     Kind = iota // string, no control characters
	Bool                 // bool: true, false, 1, 0 in any case
	Int                  // int
	Port                 // int, 1 to 65535
	Float                // float64, finite
	Duration             // time.Duration in Go's form: 15s, 1m30s; a bare number is refused
	List                 // []string, separated by commas (or Table.Separator), blanks around items dropped
	Enum                 // string, one of Spec.Values
	Clauses              // ClauseList: items that only their reader can part, for they may quote the separator
	Lines                // []string, separated by line breaks or the two characters \n, blanks around them dropped
)

// ClauseList is the value of a Clauses label: its text, and what separates its items.
type ClauseList struct{ Text, Separator string }

// String names the kind as the documentation does.
func (k Kind) String() string {
	return [...]string{"text", "bool", "integer", "port", "number", "duration", "list", "choice", "list", "lines"}[k]
}

// Spec describes one label. The zero value of an optional field means "none".
type Spec struct {
	Name    string   // without the table's prefix: servicePath
	Kind    Kind     //
	Indexed bool     // may carry an index: servicePath.1
	Default string   // as it would be written; "" is the zero value of the kind
	Values  []string // Enum: what is allowed
	Aliases []string // full label names read as this one when it is absent: com.df.scaleMin
	// Obsolete says why a label does nothing any more. It is accepted with any value and index, and noted.
	Obsolete string
	// ObsoleteValues are values of an Enum that stand for another one now, and how to say so.
	ObsoleteValues map[string]string
	Doc            string // one line of Markdown
	Example        string // a value as a user would write it
	// Check refuses a value that has the right kind but no meaning. It gets the parsed value of the kind's Go type
	// and answers a reason that reads after the label's name. Nil accepts everything.
	Check func(value any) error
}

// Table is the vocabulary of one reader.
type Table struct {
	Prefix string // Prefix for routing, Prefix+"scale." for scaling
	Specs  []Spec // in the order of the documentation
	// Foreign says which keys below Prefix belong to somebody else and are passed over. Nil: none.
	Foreign func(name string) bool
	// Separator stands between the items of lists; "" is a comma. Defaults and examples always have commas.
	Separator string
}

// Lookup finds the description of a label by its name without prefix and index.
func (t Table) Lookup(name string) (Spec, bool) {
	for i := range t.Specs { // a Spec is large, and this is asked often
		if t.Specs[i].Name == name {
			return t.Specs[i], true
		}
	}
	return Spec{}, false
}

// Problem is one label that could not be used. It is a report and not an error: everything else goes on.
type Problem struct {
	Service string `json:"service"`
	Label   string `json:"label"` // the key as the user wrote it; "" when it concerns the whole service
	Value   string `json:"value"`
	Reason  string `json:"reason"`
}

// String gives the problem as one sentence, in the form `go-demo: com.df.port: not a port, got "8o80"`.
func (p Problem) String() string {
	if p.Label == "" {
		return fmt.Sprintf("%s: %s", p.Service, p.Reason)
	}
	return fmt.Sprintf("%s: %s: %s, got %q", p.Service, p.Label, p.Reason, p.Value)
}

// Markdown prints the table as the documentation shows it.
func (t Table) Markdown() string {
	var b strings.Builder
	b.WriteString("| label | type | default | meaning | example |\n|---|---|---|---|---|\n")
	for _, s := range t.Specs {
		name, kind := "`"+t.Prefix+s.Name+"`", s.Kind.String()
		if s.Indexed {
			name += " `.n`"
		}
		if s.Kind == Enum {
			kind = strings.Join(s.Values, ", ")
		}
		doc := s.Doc
		for _, alias := range s.Aliases {
			doc += " Alias: `" + alias + "`."
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", name, kind, code(s.Default), cell(doc), code(s.Example))
	}
	return b.String()
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + cell(s) + "`"
}

// cell keeps a bar inside a value from ending the table cell.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
