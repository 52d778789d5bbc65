package main

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
	"time"
)

// track is what is kept of one backend: its points, each as what is different from the one before. 900 points of a backend
// that does nothing take 3 kB, of a busy one 25 kB.
type track struct {
	service string
	last    time.Time // when something was added
	limit   int       // points
	count   int       // points in all stretches
	spans   []stretch // oldest first; the last one is written to
	before  words     // what the next point is told apart from: the last one
	step    uint64    // and its time since the one before
}

// stretch is some points that can be read without those before them.
type stretch struct {
	count int
	last  int64 // time of the last one
	data  []byte
}

// perStretch is how many points a stretch has: the more, the smaller it is and the later it is forgotten.
const perStretch = 60

// recentPoint has the fields that scaling needs. Counters count since the proxy started.
type recentPoint struct {
	at                  int64 // Unix milliseconds
	scurMean, scurMax   float32
	reqRateMean, qcur   float32 // reqRateMean is NaN when it is unknown
	waited              float32 // milliseconds in the queue, to connect and to the response, a mean of HAProxy's
	errors              uint32  // answers 5xx; over TCP failed connections and broken answers
	arrived, done, sent uint64  // requests that arrived, requests that were answered (TCP: connections), bytes to clients
}

// words are the fields of a point, those that change most often first. The time is the first one.
type words [10]uint64

// Which of the words are the bits of a float32.
const firstFloat, lastFloat = 4, 8

func (p recentPoint) words() words {
	float := func(v float32) uint64 { return uint64(math.Float32bits(v)) }
	return words{uint64(p.at), p.arrived, p.done, p.sent, float(p.scurMean), float(p.reqRateMean), float(p.scurMax), float(p.waited), float(p.qcur), uint64(p.errors)}
}

func (w words) point() recentPoint {
	float := func(i int) float32 { return math.Float32frombits(uint32(w[i])) }
	return recentPoint{at: int64(w[0]), arrived: w[1], done: w[2], sent: w[3], scurMean: float(4), reqRateMean: float(5), scurMax: float(6), waited: float(7), qcur: float(8), errors: uint32(w[9])}
}

// add keeps a point, and so many of the newest as limit says.
func (t *track) add(p recentPoint, limit int) {
	if n := len(t.spans); n == 0 || t.spans[n-1].count == perStretch {
		if n > 0 {
			t.spans[n-1].data = slices.Clone(t.spans[n-1].data) // without the room behind it
		}
		t.spans = append(t.spans, stretch{})
		t.before, t.step = words{}, 0
	}
	s, w := &t.spans[len(t.spans)-1], p.words()
	s.data = appendChanges(s.data, t.before, t.step, w)
	t.before, t.step = w, w[0]-t.before[0]
	if s.count++; s.count == 1 {
		t.step = 0
	}
	s.last = p.at
	t.count, t.limit = t.count+1, limit
	for t.count-t.spans[0].count >= limit {
		t.count -= t.spans[0].count
		t.spans = slices.Delete(t.spans, 0, 1)
	}
}

// since gives the points after a time, oldest first.
func (t *track) since(millis int64) []recentPoint {
	var found []recentPoint
	skip := t.count - t.limit
	for _, s := range t.spans {
		if s.last <= millis {
			skip -= s.count
			continue
		}
		var w words
		var step uint64
		for i, rest := 0, s.data; i < s.count; i++ {
			before := w[0]
			w, rest = cutChanges(rest, w, step)
			if step = w[0] - before; i == 0 {
				step = 0
			}
			if skip--; skip < 0 && int64(w[0]) > millis {
				found = append(found, w.point())
			}
		}
	}
	return found
}

// appendChanges writes which words are others than before, and how they changed. The time is expected to go on by a step.
func appendChanges(b []byte, before words, step uint64, now words) []byte {
	before[0] += step
	var changes words
	var mask uint64
	for i := range now {
		if now[i] == before[i] {
			continue
		}
		mask |= 1 << i
		if i >= firstFloat && i <= lastFloat {
			changes[i] = uint64(bits.ReverseBytes32(uint32(now[i] ^ before[i]))) // round numbers end in zeros
		} else {
			d := int64(now[i] - before[i])
			changes[i] = uint64(d<<1) ^ uint64(d>>63) // a small number whatever its sign
		}
	}
	b = binary.AppendUvarint(b, mask)
	for ; mask != 0; mask &= mask - 1 {
		b = binary.AppendUvarint(b, changes[bits.TrailingZeros64(mask)])
	}
	return b
}

// cutChanges reads what appendChanges wrote.
func cutChanges(b []byte, before words, step uint64) (now words, rest []byte) {
	cut := func() uint64 {
		v, n := binary.Uvarint(b)
		b = b[n:]
		return v
	}
	before[0] += step
	for mask := cut(); mask != 0; mask &= mask - 1 {
		i, change := bits.TrailingZeros64(mask), cut()
		if i >= firstFloat && i <= lastFloat {
			before[i] ^= uint64(bits.ReverseBytes32(uint32(change)))
		} else {
			before[i] += uint64(int64(change>>1) ^ -int64(change&1))
		}
	}
	return before, b
}
