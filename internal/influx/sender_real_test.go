package influx_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"sluice/internal/influx"
	"sluice/internal/influx/influxtest"
)

// rig is a spool with a sender that runs, in front of a real InfluxDB.
type rig struct {
	*testing.T
	server *influxtest.Server
	spool  *influx.Spool
	sender *influx.Sender
	dir    string
	log    *strings.Builder // read it after the sender ended
	n      int64            // points so far
	end    func()
}

func newRig(t *testing.T, server *influxtest.Server) *rig {
	t.Helper()
	r := &rig{T: t, server: server, dir: t.TempDir(), log: &strings.Builder{}}
	spool, err := influx.OpenSpool(r.dir, 16<<20)
	if err != nil {
		t.Fatal(err)
	}
	cfg := influx.Config{URL: server.URL, Bucket: server.Bucket}
	r.spool, r.sender = spool, influx.NewSender(cfg, spool, zerolog.New(r.log))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { r.sender.Run(ctx); close(done) }()
	r.end = func() { cancel(); <-done }
	t.Cleanup(func() { r.end(); spool.Close() })
	return r
}

// put appends n points, each of a time of its own.
func (r *rig) put(n int) {
	r.Helper()
	for range n {
		r.append(fmt.Sprintf("m,k=v n=%di %d\n", r.n, epoch.Add(time.Duration(r.n)*time.Second).UnixNano()))
		r.n++
	}
}

func (r *rig) append(lines string) {
	r.Helper()
	if err := r.spool.Append([]byte(lines)); err != nil {
		r.Fatal(err)
	}
}

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// until waits for a condition.
func until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("not after two minutes: %s", what)
		}
		<-time.After(10 * time.Millisecond)
	}
}

func (r *rig) drained() bool { return r.sender.Stats().Points == 0 }

func TestPointsArriveOnceAcrossStopAndRestart(t *testing.T) {
	r := newRig(t, influxtest.StartWriteOnly(t))
	r.put(100)
	until(t, "first points arrive", r.drained)
	r.server.Stop()
	r.put(100)
	until(t, "attempts fail", func() bool { return r.sender.Stats().Failed > 1 })
	if st := r.sender.Stats(); st.Points != 100 || st.Lag <= 0 {
		t.Fatalf("while stopped: %+v", st)
	}
	r.server.Again()
	until(t, "the rest arrives", r.drained)
	r.server.Kill()
	r.put(100)
	r.server.Again()
	until(t, "all arrive after a kill", r.drained)
	if got := r.server.Count("m", "n"); got != 300 {
		t.Errorf("InfluxDB has %d points, want 300", got)
	}
	r.end()
	if log := r.log.String(); strings.Count(log, "takes no points") > 2 || !strings.Contains(log, "takes points again") {
		t.Errorf("log:\n%s", log)
	}
}

func TestHungServerHoldsNobodyUp(t *testing.T) {
	r := newRig(t, influxtest.StartWriteOnly(t))
	r.put(10)
	until(t, "first points arrive", r.drained)
	r.server.Hang()
	defer r.server.Resume()
	start := time.Now()
	r.put(50)
	if took := time.Since(start); took > time.Minute { // if each waited for an attempt of 5 s, four minutes
		t.Errorf("50 appends took %s", took)
	}
	until(t, "an attempt runs into its timeout", func() bool { return r.sender.Stats().Failed > 0 })
	r.server.Resume()
	until(t, "all arrive", r.drained)
	if got := r.server.Count("m", "n"); got != 60 {
		t.Errorf("InfluxDB has %d points, want 60", got)
	}
}

func TestMissingDatabaseIsCreated(t *testing.T) {
	server := influxtest.StartWriteOnly(t)
	server.InfluxQL(`DROP DATABASE telegraf`)
	r := newRig(t, server)
	r.put(10)
	until(t, "points arrive", r.drained)
	r.server.InfluxQL(`DROP DATABASE telegraf`)
	r.put(10)
	until(t, "points arrive again", r.drained)
	if got := r.server.Count("m", "n"); got != 10 {
		t.Errorf("InfluxDB has %d points, want the 10 since the database was dropped", got)
	}
	r.end()
	if log := r.log.String(); strings.Count(log, "database was missing and is created") != 2 {
		t.Errorf("log:\n%s", log)
	}
}

func TestRefusedPointsDoNotBlockTheRest(t *testing.T) {
	r := newRig(t, influxtest.StartWriteOnly(t))
	r.put(1)
	until(t, "the type of n is known", r.drained)
	at := epoch.Add(-time.Hour).UnixNano()
	r.append(fmt.Sprintf("m,k=a n=1i %d\nm,k=b n=\"text\" %d\nm,k=c n=2i %d\n", at, at, at))
	until(t, "a type conflict is refused", func() bool { return r.sender.Stats().Refused == 1 })
	r.append(fmt.Sprintf("m,k=d n=3i %d\nm,k=e n=1u %d\nnonsense\nm,k=f n=4i %d\n", at, at, at))
	until(t, "lines that are none are refused", func() bool { return r.sender.Stats().Refused == 3 })
	r.append("nothing but nonsense\n")
	until(t, "a batch of them is refused", func() bool { return r.sender.Stats().Refused == 4 })
	r.put(1)
	until(t, "the rest arrives", r.drained)
	if got := r.server.Count("m", "n"); got != 6 {
		t.Errorf("InfluxDB has %d points, want 6: two of put and a, c, d, f", got)
	}
	r.end()
	file, err := os.ReadFile(filepath.Join(r.dir, "refused"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"field type conflict", "m,k=b n=\"text\"", "m,k=e n=1u", "nothing but nonsense"} {
		if !strings.Contains(string(file), want) {
			t.Errorf("refused file lacks %q:\n%s", want, file)
		}
	}
	t.Logf("log:\n%s", r.log)
}

func TestFlushEndsWhenTheServerIsAway(t *testing.T) {
	server := influxtest.StartWriteOnly(t)
	spool, err := influx.OpenSpool(t.TempDir(), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer spool.Close()
	sender := influx.NewSender(influx.Config{URL: server.URL, Bucket: server.Bucket}, spool, zerolog.Nop())
	if err := spool.Append([]byte("m n=1i 1\n")); err != nil {
		t.Fatal(err)
	}
	server.Hang()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := sender.Flush(ctx); err == nil {
		t.Error("no error though the server hangs")
	}
	server.Resume()
	if err := sender.Flush(t.Context()); err != nil {
		t.Error(err)
	}
	if got := server.Count("m", "n"); got != 1 {
		t.Errorf("InfluxDB has %d points, want 1", got)
	}
}
