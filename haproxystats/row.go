// Package haproxystats turns the answers of HAProxy's `show stat` into points of a time series.
//
//	show stat of worker 41 (current)  ─ Parse ─> []Row ┐
//	show stat of worker 17 (draining) ─ Parse ─> []Row ┴─ Sampler.Next ─> []Sample ─ Points ─> one Point per row
//	show stat -1 2 -1, every 100 ms   ─ ParseOpen ─> []Row ─ Sampler.Observe (mean and maximum of the next point)
//
// The table of columns (column.go) says for each of HAProxy's columns under which name it is written and how the values
// of several workers become one. The package is pure: time is an argument, nothing is read or written.
package haproxystats

import (
	"iter"
	"math/bits"
)

// Type is the kind of thing that a row counts.
type Type int

// The types, numbered as HAProxy does.
const (
	Frontend Type = iota
	Backend
	Server
	Listener
)

// String is the value of the tag `type`.
func (t Type) String() string { return [...]string{"frontend", "backend", "server", "listener"}[t] }

// Row is one line of `show stat`. Its strings share the memory of the whole answer.
type Row struct {
	Proxy string // pxname
	Sv    string // svname: FRONTEND, BACKEND, or the server's name
	Type  Type

	header  *header
	numbers []int64  // by slot: numbers of the table first, unknown columns after them; those behind the end are empty
	has     slotSet  // which slots of numbers were not empty
	texts   []string // by slot; "" is empty
}

// Int gives the value of a column by HAProxy's name, and false when it is empty, missing or no number.
func (r Row) Int(column string) (int64, bool) {
	slot, ok := r.header.number(column)
	if !ok || !r.has.has(slot) {
		return 0, false
	}
	return r.numbers[slot], true
}

// Text gives the value of a column by HAProxy's name, "" when it is empty, missing or no text.
func (r Row) Text(column string) string {
	if slot, ok := schema.textSlot[column]; ok && slot < len(r.texts) {
		return r.texts[slot]
	}
	return ""
}

// slotSet is a set of slots.
type slotSet [3]uint64

const maxSlots = 3 * 64

func (s *slotSet) add(slot int)      { s[slot>>6] |= 1 << (slot & 63) }
func (s *slotSet) has(slot int) bool { return s[slot>>6]&(1<<(slot&63)) != 0 }

// width is how many slots there are up to the last one of the set.
func (s *slotSet) width() int {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] != 0 {
			return i<<6 + bits.Len64(s[i])
		}
	}
	return 0
}

// all yields the slots in order.
func (s *slotSet) all() iter.Seq[int] {
	return func(yield func(int) bool) {
		for i, word := range s {
			for ; word != 0; word &= word - 1 {
				if !yield(i<<6 + bits.TrailingZeros64(word)) {
					return
				}
			}
		}
	}
}
