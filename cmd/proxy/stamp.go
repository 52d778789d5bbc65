package main

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// stamp says when a thing was changed and by which proxy. Stamps are in one total order and no two changes share one, so
// that all proxies agree which of two changes is the last, in whatever order they hear of them. A proxy that has seen a
// change stamps its own ones later, whatever its clock says; only of changes that did not know of each other the clocks
// decide.
type stamp struct {
	At int64  `json:"at"` // Unix nanoseconds
	By string `json:"by"` // instance
}

// latestStamp is later than any clock will be, and leaves room above.
const latestStamp = 1 << 62

func (s stamp) compare(other stamp) int {
	return cmp.Or(cmp.Compare(s.At, other.At), strings.Compare(s.By, other.By))
}

func (s stamp) after(other stamp) bool { return s.compare(other) > 0 }

func (s stamp) usable() bool { return s.At > 0 && s.At < latestStamp }

// newInstance is the name of this run of the program in stamps and among siblings.
func newInstance() string {
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails, says its documentation
	return hex.EncodeToString(id[:])
}

// stamper stamps the changes of one proxy.
type stamper struct {
	by   string
	last int64 // latest stamp that was given or seen
}

func (s *stamper) next() stamp {
	s.last = max(s.last+1, time.Now().UnixNano())
	return stamp{At: s.last, By: s.by}
}

func (s *stamper) saw(other stamp) { s.last = max(s.last, other.At) }

// mark is the last change of a service; one without labels was removed.
type mark struct {
	stamp
	Local bool `json:"local,omitempty"` // the siblings are not told
}

// adopt takes the marks of a file. A service without one, as in the files of versions that had none, is older than every
// change.
func (s *stamper) adopt(marks map[string]mark, services map[string]labels) map[string]mark {
	result := map[string]mark{}
	for name, m := range marks {
		if m.usable() {
			result[name] = m
			s.saw(m.stamp)
		}
	}
	for name := range services {
		if _, marked := result[name]; !marked {
			result[name] = mark{stamp: stamp{At: 1, By: s.by}}
		}
	}
	return result
}

// Removals are remembered, so that a proxy that was away does not bring a service back; but not for ever, and not
// without bound.
const (
	removedFor = 30 * 24 * time.Hour
	removedMax = 10_000
)

// tooOld tells whether a removal is not remembered any more.
func tooOld(s stamp, now time.Time) bool { return now.Sub(time.Unix(0, s.At)) > removedFor }

// forgetOld deletes the marks of removals that are too old, or too many.
func forgetOld(marks map[string]mark, services map[string]labels, now time.Time) {
	var removed []string
	for name, m := range marks {
		if _, there := services[name]; there {
			continue
		}
		if tooOld(m.stamp, now) {
			delete(marks, name)
			continue
		}
		removed = append(removed, name)
	}
	if len(removed) <= removedMax {
		return
	}
	slices.SortFunc(removed, func(a, b string) int { return marks[a].compare(marks[b].stamp) })
	for _, name := range removed[:len(removed)-removedMax] {
		delete(marks, name)
	}
}
