package label

import (
	"maps"
	"slices"
	"time"
)

// Indexes lists the suffixes that occur, ascending. It is empty when every label is written without one.
func (v Values) Indexes() []int {
	var indexes []int
	for _, n := range slices.Sorted(maps.Keys(v.entries)) {
		if n > 0 {
			indexes = append(indexes, n)
		}
	}
	return indexes
}

// Unknown tells whether a label below the table's prefix is not in the table.
func (v Values) Unknown() bool { return v.unknown }

// At gives the values of destination or rule n. A label without suffix is the default of every index; At(0) reads
// only labels without suffix.
func (v Values) At(n int) Group { return Group{values: v, index: n} }

// Group is the view of one index. Its getters answer the default of the table when the label is absent or could not
// be read; asking for a name or kind that the table does not have is a programming error and panics.
type Group struct {
	values Values
	index  int
}

// Index is the suffix that this group stands for, 0 for labels without one.
func (g Group) Index() int { return g.index }

func (g Group) find(name string) (entry, bool) {
	if e, ok := g.values.entries[g.index][name]; ok {
		return e, true
	}
	e, ok := g.values.entries[0][name]
	return e, ok
}

// Has tells whether the label is written, with this index or without one.
func (g Group) Has(name string) bool {
	_, ok := g.find(name)
	return ok
}

// Key is the label as the user wrote it ("com.df.servicePath.1"), or "" where the default stands.
func (g Group) Key(name string) string {
	e, _ := g.find(name)
	return e.key
}

// Raw is the value as the user wrote it, or the default.
func (g Group) Raw(name string) string {
	if e, ok := g.find(name); ok {
		return e.raw
	}
	spec, _ := g.values.table.Lookup(name)
	return spec.Default
}

// Bad lists the labels of this group whose values could not be read, as the user wrote their keys.
func (g Group) Bad() []string {
	var keys []string
	for i := range g.values.table.Specs {
		if e, ok := g.find(g.values.table.Specs[i].Name); ok && e.bad {
			keys = append(keys, e.key)
		}
	}
	return keys
}

func get[T any](g Group, name string) T {
	spec, ok := g.values.table.Lookup(name)
	if !ok {
		panic("label: no such label in the table: " + name)
	}
	var zero T
	if e, ok := g.find(name); ok && !e.bad {
		return e.value.(T)
	}
	if spec.Default == "" {
		return zero
	}
	value, err := spec.Parse(spec.Default)
	if err != nil {
		panic("label: default of " + name + " " + err.Error())
	}
	return value.(T)
}

// Text reads a Text or Enum label.
func (g Group) Text(name string) string { return get[string](g, name) }

// Bool reads a Bool label.
func (g Group) Bool(name string) bool { return get[bool](g, name) }

// Int reads an Int or Port label.
func (g Group) Int(name string) int { return get[int](g, name) }

// Float reads a Float label.
func (g Group) Float(name string) float64 { return get[float64](g, name) }

// Duration reads a Duration label.
func (g Group) Duration(name string) time.Duration { return get[time.Duration](g, name) }

// Clauses reads a Clauses label; its text is "" when it is absent.
func (g Group) Clauses(name string) ClauseList { return get[ClauseList](g, name) }

// List reads a List or Lines label; nil when it is absent or empty.
func (g Group) List(name string) []string { return get[[]string](g, name) }
