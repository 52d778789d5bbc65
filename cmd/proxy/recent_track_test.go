package main

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestTrackGivesBackWhatWasPut(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var tr track
		var all []recentPoint
		limit := rapid.IntRange(1, 200).Draw(r, "limit")
		p := recentPoint{at: rapid.Int64().Draw(r, "start") / 4}
		for range rapid.IntRange(1, 300).Draw(r, "points") {
			if rapid.IntRange(0, 50).Draw(r, "other limit") == 0 {
				limit = rapid.IntRange(1, 200).Draw(r, "limit")
			}
			p.at += rapid.SampledFrom([]int64{1000, 1000, 1001, 999, 5, 3_600_000}).Draw(r, "step")
			switch rapid.IntRange(0, 3).Draw(r, "what") {
			case 0:
				p.scurMean, p.reqRateMean = rapid.Float32().Draw(r, "mean"), float32(math.NaN())
			case 1:
				p.scurMax, p.qcur, p.waited = float32(rapid.IntRange(0, 999).Draw(r, "max")), 1, 30
			case 2:
				p.arrived, p.done, p.errors = rapid.Uint64().Draw(r, "arrived"), p.done+3, rapid.Uint32().Draw(r, "errors")
			}
			tr.add(p, limit)
			all = append(all, p)
			all = all[max(0, len(all)-limit):]
		}
		since := all[rapid.IntRange(0, len(all)-1).Draw(r, "since")].at - rapid.SampledFrom([]int64{0, 1}).Draw(r, "just before")
		var want []recentPoint
		for _, p := range all {
			if p.at > since {
				want = append(want, p)
			}
		}
		if got := tr.since(since); fmt.Sprint(got) != fmt.Sprint(want) { // NaN is not itself
			r.Fatalf("got  %v\nwant %v", got, want)
		}
		if kept := tr.count - tr.limit; kept >= perStretch {
			r.Fatalf("%d points more than the limit are kept", kept)
		}
	})
}

// The points of 15 minutes of 1,000 backends must be small beside everything else that a controller keeps.
func TestTrackIsSmall(t *testing.T) {
	for _, row := range []struct {
		what string
		most int // bytes a point
		next func(i int, p *recentPoint)
	}{
		{"idle", 3, func(int, *recentPoint) {}},
		{"busy", 28, func(i int, p *recentPoint) {
			load := math.Sin(float64(i))
			p.arrived, p.sent = p.arrived+uint64(400+90*load), p.sent+uint64(200_000+30_000*load)
			p.done, p.scurMean, p.scurMax, p.reqRateMean = p.arrived-7, float32(50+9*load), float32(60+int(9*load)), float32(400+90*load)
			p.waited = float32(30 + int(5*load))
		}},
	} {
		var tr track
		p := recentPoint{at: 1_767_225_600_000}
		for i := range 900 {
			p.at += 1000 + int64(i%3-1)
			row.next(i, &p)
			tr.add(p, 900)
		}
		size := 0
		for _, s := range tr.spans {
			size += cap(s.data) + 40
		}
		if size > 900*row.most {
			t.Errorf("%s: %d bytes a point, want %d at most", row.what, size/900, row.most)
		}
	}
}
