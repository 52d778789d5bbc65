package influx_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rs/zerolog"

	"sluice/internal/influx"
	"sluice/internal/influx/influxtest"
)

func TestReaderSeesWhatTheSenderWrote(t *testing.T) {
	server := influxtest.Start(t)
	cfg := influx.Config{URL: server.URL, Bucket: server.Bucket}
	now := time.Now().Truncate(time.Second)
	lines, err := influx.Encode([]influx.Point{
		{Measurement: "haproxy", Tags: []influx.Tag{{Key: "type", Value: "backend"}, {Key: "service", Value: "demo app, the=first"}},
			Fields: []influx.Field{{Key: "scur_mean", Value: 1.5}, {Key: "scur", Value: int64(2)}, {Key: "status", Value: `a "UP"\`}}, At: now},
		{Measurement: "haproxy", Tags: []influx.Tag{{Key: "type", Value: "backend"}},
			Fields: []influx.Field{{Key: "scur_mean", Value: 2.5}}, At: now},
	})
	if err != nil {
		t.Fatal(err)
	}
	send(t, cfg, lines)

	reader := influx.NewReader(cfg)
	defer reader.Close()
	const from = `from(bucket:"telegraf/autogen") |> range(start:-1h)`
	t.Run("numbers with their tags, texts left out", func(t *testing.T) {
		got, err := reader.Query(t.Context(), from)
		if err != nil {
			t.Fatal(err)
		}
		first := map[string]string{"type": "backend", "service": "demo app, the=first"}
		want := []influx.Record{
			{Time: now.UTC(), Value: 1.5, Field: "scur_mean", Tags: first},
			{Time: now.UTC(), Value: 2, Field: "scur", Tags: first},
			{Time: now.UTC(), Value: 2.5, Field: "scur_mean", Tags: map[string]string{"type": "backend"}},
		}
		byValue := cmpopts.SortSlices(func(a, b influx.Record) bool { return a.Value < b.Value })
		if diff := cmp.Diff(want, got, byValue); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a query that is wrong is an error", func(t *testing.T) {
		if _, err := reader.Query(t.Context(), `from(bucket`); err == nil {
			t.Error("no error")
		}
	})
	t.Run("a server that hangs ends with the context", func(t *testing.T) {
		server.Hang()
		defer server.Resume()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := reader.Query(ctx, from); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func send(t *testing.T, cfg influx.Config, lines []byte) {
	t.Helper()
	spool, err := influx.OpenSpool(t.TempDir(), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer spool.Close()
	if err := spool.Append(lines); err != nil {
		t.Fatal(err)
	}
	if err := influx.NewSender(cfg, spool, zerolog.Nop()).Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}
