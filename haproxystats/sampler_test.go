package haproxystats

import (
	"fmt"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// worker answers one backend `be` with these values.
func worker(t testing.TB, pid int, draining bool, scur, stot int) Worker {
	t.Helper()
	text := fmt.Sprintf("# pxname,svname,scur,smax,stot,type,rtime,lastsess,chkdown,act,\nbe,BACKEND,%d,%d,%d,1,%d,%d,%d,3,\n",
		scur, scur, stot, 10*pid, pid, stot/10)
	return Worker{PID: pid, Draining: draining, Rows: mustParse(t, text)}
}

func at(seconds float64) time.Time { return epoch.Add(time.Duration(seconds * float64(time.Second))) }

func value(t testing.TB, samples []Sample, column string) int64 {
	t.Helper()
	if len(samples) != 1 {
		t.Fatalf("%d samples, want 1", len(samples))
	}
	v, ok := samples[0].Int(column)
	if !ok {
		t.Fatalf("no %s", column)
	}
	return v
}

func TestReloadLosesNothing(t *testing.T) {
	s := NewSampler()
	steps := []struct {
		what                              string
		workers                           []Worker
		scur, stot, smax, rtime, lastsess int64
	}{
		{"one worker is HAProxy's own view", []Worker{worker(t, 1, false, 5, 100)}, 5, 100, 5, 10, 1},
		{"a new worker is added, its sessions weigh", []Worker{worker(t, 2, false, 3, 30), worker(t, 1, true, 5, 130)}, 8, 160, 8, 15, 1},
		{"the order does not matter", []Worker{worker(t, 1, true, 4, 130), worker(t, 2, false, 3, 40)}, 7, 170, 8, 20, 1},
		{"nobody took any: since the start", []Worker{worker(t, 2, false, 3, 40), worker(t, 1, true, 4, 130)}, 7, 170, 8, 12, 1},
		{"one that is gone leaves its counts", []Worker{worker(t, 2, false, 3, 41)}, 3, 171, 8, 20, 2},
		{"one that cannot be read keeps its place", []Worker{worker(t, 2, false, 3, 42), {PID: 7, Draining: true}}, 3, 172, 8, 20, 2},
		{"set back by `clear counters`", []Worker{worker(t, 2, false, 3, 4)}, 3, 176, 8, 20, 2},
	}
	for i, step := range steps {
		got := s.Next(at(float64(i)), step.workers)
		want := map[string]int64{"scur": step.scur, "stot": step.stot, "smax": step.smax, "rtime": step.rtime, "lastsess": step.lastsess, "act": 3}
		for column, v := range want {
			if value(t, got, column) != v {
				t.Errorf("%s: %s is %d, want %d", step.what, column, value(t, got, column), v)
			}
		}
	}
}

// HAProxy reads a rate to now, and takes its maximum when a session comes: of one worker both are its own.
func TestMaximumOfOneWorkerIsItsOwn(t *testing.T) {
	rows := mustParse(t, "# pxname,svname,scur,stot,rate,rate_max,type,\nbe,BACKEND,1,9,71,70,1,\n")
	s := NewSampler()
	for i, row := range []struct {
		workers []Worker
		want    int64
	}{{[]Worker{{PID: 1, Rows: rows}}, 70}, {[]Worker{{PID: 2, Rows: rows}, {PID: 1, Draining: true, Rows: rows}}, 142}} {
		if got := value(t, s.Next(at(float64(i)), row.workers), "rate_max"); got != row.want {
			t.Errorf("%d workers: rate_max is %d, want %d", len(row.workers), got, row.want)
		}
	}
}

// A worker may end right after a reload: what was read of it between two points counts.
func TestWorkerThatEndsBeforeTheNextPointHasBeenCounted(t *testing.T) {
	s := NewSampler()
	s.Next(at(0), []Worker{worker(t, 1, false, 5, 1000)})
	s.Observe(at(0.9), []Worker{worker(t, 1, false, 5, 1900)})
	got := s.Next(at(1), []Worker{worker(t, 2, false, 5, 100)})
	if stot := value(t, got, "stot"); stot != 2000 || got[0].ReqRateMean != 1000 {
		t.Errorf("stot %d, rate %v, want 2000 and 1000", stot, got[0].ReqRateMean)
	}
}

func TestWorkerThatCannotBeReadIsNotCountedTwice(t *testing.T) {
	s := NewSampler()
	s.Next(at(0), []Worker{worker(t, 2, false, 0, 10), worker(t, 1, true, 0, 100)})
	s.Next(at(1), []Worker{worker(t, 2, false, 0, 10), {PID: 1, Draining: true}})
	if got := value(t, s.Next(at(2), []Worker{worker(t, 2, false, 0, 10), worker(t, 1, true, 0, 101)}), "stot"); got != 111 {
		t.Errorf("stot is %d, want 111", got)
	}
}

func TestPIDOfAWorkerThatIsGoneMayComeAgain(t *testing.T) {
	s := NewSampler()
	s.Next(at(0), []Worker{worker(t, 1, false, 0, 10)})
	s.Next(at(1), []Worker{worker(t, 2, false, 0, 5)})
	if got := value(t, s.Next(at(2), []Worker{worker(t, 1, false, 0, 20)}), "stot"); got != 35 {
		t.Errorf("stot is %d, want 10+5+20", got)
	}
}

func TestEventsThatAllWorkersSeeCountOnce(t *testing.T) {
	s := NewSampler()
	s.Next(at(0), []Worker{worker(t, 1, false, 0, 20)}) // chkdown 2
	s.Next(at(1), []Worker{worker(t, 2, false, 0, 10), worker(t, 1, true, 0, 30)})
	if got := value(t, s.Next(at(2), []Worker{worker(t, 2, false, 0, 20), worker(t, 1, true, 0, 40)}), "chkdown"); got != 4 {
		t.Errorf("chkdown is %d, want 2 of worker 1 and 2 of worker 2", got)
	}
}

func TestReadingsBetweenPoints(t *testing.T) {
	s := NewSampler()
	first := s.Next(at(0), []Worker{worker(t, 1, false, 10, 100)})[0]
	if first.ScurMean != 10 || first.ScurMax != 10 || !math.IsNaN(first.ReqRateMean) {
		t.Errorf("first point: %v", first)
	}
	s.Observe(at(0.25), []Worker{worker(t, 1, false, 30, 200)})
	s.Observe(at(0.5), []Worker{worker(t, 2, false, 8, 50), worker(t, 1, true, 22, 210)})
	got := s.Next(at(1), []Worker{worker(t, 2, false, 10, 90), worker(t, 1, true, 20, 220)})[0]
	// 0..0.25: 20, 0.25..0.5: 30, 0.5..1: 30
	if got.ScurMean != 27.5 || got.ScurMax != 30 || got.ReqRateMean != 210 {
		t.Errorf("mean %v max %v rate %v, want 27.5 30 210", got.ScurMean, got.ScurMax, got.ReqRateMean)
	}
	// The peak of one stretch is not the peak of the next.
	got = s.Next(at(3), []Worker{worker(t, 2, false, 0, 100)})[0]
	if got.ScurMean != 15 || got.ScurMax != 0 || got.ReqRateMean != 5 {
		t.Errorf("mean %v max %v rate %v, want 15 0 5", got.ScurMean, got.ScurMax, got.ReqRateMean)
	}
}

func TestDrainingWorkersAreCountedBetweenPoints(t *testing.T) {
	s := NewSampler()
	s.Next(at(0), []Worker{worker(t, 1, false, 1, 100)})
	s.Observe(at(0.5), []Worker{worker(t, 2, false, 0, 7), worker(t, 1, true, 1, 130)})
	got := s.Next(at(1), []Worker{worker(t, 2, false, 0, 10)}) // worker 1 has ended
	if v := value(t, got, "stot"); v != 140 || got[0].ReqRateMean != 40 {
		t.Errorf("stot %d rate %v, want 140 and 40", v, got[0].ReqRateMean)
	}
}

func TestGapIsNotBridged(t *testing.T) {
	s := NewSampler()
	s.Next(at(0), []Worker{worker(t, 1, false, 100, 100)})
	s.Gap()
	got := s.Next(at(10), []Worker{worker(t, 2, false, 0, 20)})[0]
	if got.ScurMean != 0 || got.ReqRateMean != 2 {
		t.Errorf("mean %v rate %v, want 0 and 2", got.ScurMean, got.ReqRateMean)
	}
}

func TestRowsThatWereNotReadKeepTheirCounters(t *testing.T) {
	s := NewSampler()
	server := func(stot int) Row {
		return mustParse(t, fmt.Sprintf("# pxname,svname,stot,type,\nbe,t1,%d,2,\n", stot))[0]
	}
	both := worker(t, 1, false, 0, 10)
	both.Rows = append(both.Rows, server(10))
	s.Next(at(0), []Worker{both})
	if got := s.Next(at(1), []Worker{worker(t, 1, false, 0, 20)}); len(got) != 1 {
		t.Fatalf("%d samples for one row", len(got))
	}
	both = worker(t, 1, false, 0, 30)
	both.Rows = append(both.Rows, server(30))
	got := s.Next(at(2), []Worker{both})
	if v, _ := got[1].Int("stot"); v != 30 {
		t.Errorf("stot of the server is %d, want 30", v)
	}
}

func TestRowsLongGoneAreForgotten(t *testing.T) {
	s := NewSampler()
	s.Next(at(0), []Worker{worker(t, 1, false, 0, 10)})
	for i := range 120 {
		s.Next(at(float64(30*(i+1))), []Worker{{PID: 1}})
	}
	if len(s.series) != 0 {
		t.Errorf("%d rows are remembered after an hour", len(s.series))
	}
}

// TestCountersNeverFall reloads at random: whatever workers come and go, the counter is the sum of what all counted that
// were read, and the gauge the sum of those that are there.
func TestCountersNeverFall(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := NewSampler()
		type process struct{ pid, scur, stot int }
		alive, next := []process{{pid: 1}}, 2
		var total, before int64
		for tick := range rapid.IntRange(1, 20).Draw(r, "ticks") {
			if rapid.IntRange(0, 2).Draw(r, "reload") == 0 {
				alive = append(alive, process{pid: next})
				next++
			}
			if len(alive) > 1 && rapid.Bool().Draw(r, "ends") {
				alive = alive[1:]
			}
			var workers []Worker
			var scur int64
			for i := range alive {
				p := &alive[i]
				p.scur = rapid.IntRange(0, 50).Draw(r, "scur")
				n := rapid.IntRange(0, 50).Draw(r, "requests")
				p.stot += n
				total += int64(n)
				scur += int64(p.scur)
				workers = append(workers, worker(t, p.pid, i < len(alive)-1, p.scur, p.stot))
			}
			got := s.Next(at(float64(tick)), workers)
			if v := value(t, got, "stot"); v != total || v < before {
				r.Fatalf("stot is %d after %d, want %d", v, before, total)
			}
			if v := value(t, got, "scur"); v != scur {
				r.Fatalf("scur is %d, want %d", v, scur)
			}
			before = total
		}
	})
}
