package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"sluice/haproxystats"
	"sluice/internal/haproxy"
)

// fakeHAProxy has one backend and some servers, and takes its time to answer. It stands in a synctest bubble, where time
// is not real.
type fakeHAProxy struct {
	mu      sync.Mutex
	workers []haproxy.Worker
	gone    map[int]bool // listed, but ended before it was asked
	away    bool
	servers int
	cost    time.Duration // of a reading of the backends; a server costs 5 µs more
	stot    int
	since   time.Time // when a steady 1,000 requests a second began; zero: none come
	back    time.Time // until then the master executes itself again, and who asks has to wait

	asking atomic.Int32
	asked  map[string]int
}

// change changes what HAProxy is like from now on.
func (f *fakeHAProxy) change(how func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	how()
}

func (f *fakeHAProxy) Workers(context.Context) ([]haproxy.Worker, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	time.Sleep(time.Until(f.back))
	if f.away {
		return nil, errors.New("connection refused")
	}
	return f.workers, nil
}

func (f *fakeHAProxy) AskInto(_ context.Context, pid int, command string, _ []byte) ([]byte, error) {
	if f.asking.Add(1) > 1 {
		panic("two questions at once")
	}
	defer f.asking.Add(-1)
	answer, took, err := f.answer(pid, command)
	time.Sleep(took)
	return answer, err
}

func (f *fakeHAProxy) answer(pid int, command string) (answer []byte, took time.Duration, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.asked == nil {
		f.asked = map[string]int{}
	}
	f.asked[command]++
	if f.gone[pid] {
		return nil, 0, fmt.Errorf("ask worker %d: %w", pid, haproxy.ErrNoWorker)
	}
	stot := f.stot
	if !f.since.IsZero() {
		stot += int(time.Since(f.since).Milliseconds())
	}
	text := fmt.Sprintf("# pxname,svname,scur,stot,type,\napp,BACKEND,5,%d,1,\n", stot)
	took = f.cost
	if command == askAll {
		var rows strings.Builder
		for i := range f.servers {
			fmt.Fprintf(&rows, "app,app.%d,1,1,2,\n", i)
		}
		text += rows.String()
		took += time.Duration(f.servers) * 5 * time.Microsecond
	}
	return []byte(text), took, nil
}

func oneWorker() []haproxy.Worker { return []haproxy.Worker{{PID: 1}} }

// export runs an exporter for a while and then something, and ends it.
func export(t *testing.T, source statsSource, log *strings.Builder, then func(e *exporter)) {
	t.Helper()
	e := newExporter(source, exportSettings{interval: time.Second, servers: true,
		origin: haproxystats.Origin{Host: "h", Server: "s"}}, zerolog.New(log))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { e.run(ctx); close(done) }()
	then(e)
	cancel()
	<-done
}

func TestExporterReadsBackendsBetweenPoints(t *testing.T) {
	tests := []struct {
		what          string
		cost          time.Duration
		points, looks int // in ten seconds, about
	}{
		{"every 100 ms when it is cheap", 100 * time.Microsecond, 11, 90},
		{"seldom when it is dear", 8 * time.Millisecond, 11, 20},
		{"once, to see what it costs, when it is very dear", 50 * time.Millisecond, 11, 1},
	}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fakeHAProxy{workers: oneWorker(), cost: tt.cost}
				export(t, f, &strings.Builder{}, func(e *exporter) {
					time.Sleep(9950 * time.Millisecond)
				})
				points, looks := f.asked[askAll], f.asked[askBackends]
				if points != tt.points || looks < tt.looks*8/10 || looks > tt.looks+10 {
					t.Errorf("%d points and %d readings between, want %d and about %d", points, looks, tt.points, tt.looks)
				}
			})
		})
	}
}

func TestExporterNoticesThatReadingHasBecomeCheaper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeHAProxy{workers: oneWorker(), cost: 50 * time.Millisecond}
		export(t, f, &strings.Builder{}, func(e *exporter) {
			time.Sleep(5500 * time.Millisecond)
			synctest.Wait()
			before := f.asked[askBackends]
			f.change(func() { f.cost = time.Millisecond })
			time.Sleep(15 * time.Second)
			synctest.Wait()
			if n := f.asked[askBackends] - before; n < 30 {
				t.Errorf("%d readings in 15 s", n)
			}
		})
	})
}

func TestExporterReadsManyServersSeldom(t *testing.T) {
	for servers, every := range map[int]int{0: 1, 1000: 1, 3000: 3, 10_000: 10} {
		t.Run(fmt.Sprint(servers), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fakeHAProxy{workers: oneWorker(), servers: servers}
				var log strings.Builder
				export(t, f, &log, func(e *exporter) { time.Sleep(29500 * time.Millisecond) })
				// 30 points and one at the end.
				if got, want := f.asked[askAll], (30+every-1)/every; got < want || got > want+1 {
					t.Errorf("servers were read %d times in 30 s, want %d", got, want)
				}
				if n := f.asked[askAll] + f.asked[askNoServer]; n != 31 {
					t.Errorf("%d points, want 31", n)
				}
				if said := strings.Count(log.String(), "servers are read once"); said > 1 || (said == 1) != (every > 1) {
					t.Errorf("log:\n%s", &log)
				}
			})
		})
	}
}

func TestExporterOutlivesHAProxy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeHAProxy{workers: oneWorker(), cost: time.Millisecond, stot: 100}
		var log strings.Builder
		export(t, f, &log, func(e *exporter) {
			time.Sleep(2500 * time.Millisecond)
			synctest.Wait()
			f.change(func() { f.away = true })
			time.Sleep(5 * time.Second)
			synctest.Wait()
			f.change(func() { f.away, f.stot, f.workers = false, 10, []haproxy.Worker{{PID: 2}} })
			time.Sleep(3 * time.Second)
			synctest.Wait()
			points := e.recent.backends["app"].since(0)
			if n := len(points); n < 5 || n > 6 {
				t.Errorf("%d points, want those of the 5.5 s in which HAProxy was there", n)
			}
			if last := points[len(points)-1]; last.scurMean != 5 || last.reqRateMean != 0 {
				t.Errorf("last point: %+v", last)
			}
		})
		if text := log.String(); strings.Count(text, "cannot be read") != 1 || strings.Count(text, "are read again") != 1 {
			t.Errorf("log:\n%s", text)
		}
	})
}

// During a reload HAProxy does not answer for a while. The rate is that of the time between two answers.
func TestRateIsSteadyWhileHAProxyKeepsUsWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeHAProxy{workers: oneWorker(), since: time.Now()}
		export(t, f, &strings.Builder{}, func(e *exporter) {
			for range 5 {
				time.Sleep(1990 * time.Millisecond)
				f.change(func() { f.back = time.Now().Add(600 * time.Millisecond) })
			}
			time.Sleep(3 * time.Second)
			synctest.Wait()
			points := e.recent.backends["app"].since(0)
			if len(points) < 10 {
				t.Errorf("%d points", len(points))
			}
			for _, p := range points[1:] {
				if p.reqRateMean < 990 || p.reqRateMean > 1010 {
					t.Errorf("a rate of %v, want 1000", p.reqRateMean)
				}
			}
		})
	})
}

func TestWorkerThatEndsMeanwhileIsNoError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeHAProxy{workers: []haproxy.Worker{{PID: 2}, {PID: 1, Draining: true}}, gone: map[int]bool{1: true}}
		var log strings.Builder
		export(t, f, &log, func(e *exporter) {
			time.Sleep(3500 * time.Millisecond)
			synctest.Wait()
			if n := len(e.recent.backends["app"].since(0)); n != 4 {
				t.Errorf("%d points, want 4", n)
			}
		})
		if log.Len() > 0 {
			t.Errorf("log:\n%s", &log)
		}
	})
}

func TestExporterTakesALastPoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeHAProxy{workers: oneWorker()}
		var e *exporter
		export(t, f, &strings.Builder{}, func(running *exporter) {
			e = running
			time.Sleep(1500 * time.Millisecond)
			synctest.Wait()
			f.change(func() { f.stot = 50 })
		})
		points := e.recent.backends["app"].since(0)
		if len(points) != 3 || points[2].reqRateMean != 100 {
			t.Errorf("points: %+v, want a third one with 50 requests in half a second", points)
		}
	})
}

func TestOwnPointIsInTheSchema(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newExporter(nil, exportSettings{interval: time.Second, figures: func() figures {
			return figures{reloads: 1, reloadReason: "new service", problem: "shop com.df.port: is no port", failure: "read the swarm", failedAt: time.Now()}
		}}, zerolog.Nop())
		var schema haproxystats.Measurement
		for _, m := range haproxystats.Schema() {
			if m.Name == haproxystats.Proxy {
				schema = m
			}
		}
		want := map[string]bool{}
		for _, f := range schema.Fields {
			want[f.Name] = true
		}
		for _, f := range e.own(time.Now()).Fields {
			a, ok := schema.Field(f.Key)
			kinds := map[string]haproxystats.Kind{"int": haproxystats.Int, "int64": haproxystats.Int, "float64": haproxystats.Float, "string": haproxystats.Text}
			if kind := kinds[fmt.Sprintf("%T", f.Value)]; !ok || a.Kind != kind {
				t.Errorf("field %s of type %T is not in the schema", f.Key, f.Value)
			}
			delete(want, f.Key)
		}
		for name := range maps.Keys(want) {
			t.Errorf("field %s of the schema is not written", name)
		}
		for _, f := range e.own(time.Now()).Fields {
			if f.Key == "reload_reason" {
				t.Error("the reason is repeated in the second point after a reload")
			}
		}
	})
}

func TestLinesOfManyServersAreHandedOnPieceByPiece(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeHAProxy{workers: oneWorker(), servers: 20_000}
		e := newExporter(f, exportSettings{interval: time.Second, servers: true, origin: haproxystats.Origin{Host: "h", Server: "s"}}, zerolog.Nop())
		workers, _, _, err := e.read(t.Context(), askAll)
		if err != nil {
			t.Fatal(err)
		}
		at, lines, pieces := time.Now(), 0, 0
		e.encode(at, e.shown.next(at, workers, true), func(piece []byte) {
			if pieces++; len(piece) > 1<<20 {
				t.Errorf("a piece of %d bytes", len(piece))
			}
			lines += strings.Count(string(piece), "\n")
		})
		if pieces < 2 || lines != 20_000+2 {
			t.Errorf("%d lines in %d pieces, want those of 20,000 servers, their backend and the proxy in several", lines, pieces)
		}
	})
}
