package main

import (
	"context"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/rs/zerolog"

	"sluice/haproxystats"
	"sluice/internal/haproxy"
)

// cannedHAProxy answers what a HAProxy with 1,000 backends of 3 servers does.
type cannedHAProxy struct{ all, backends []byte }

func (c cannedHAProxy) Workers(context.Context) ([]haproxy.Worker, error) { return oneWorker(), nil }

func (c cannedHAProxy) AskInto(_ context.Context, _ int, command string, _ []byte) ([]byte, error) {
	if command == askAll {
		return c.all, nil
	}
	return c.backends, nil
}

func newCanned(b *testing.B) (c cannedHAProxy) {
	b.Helper()
	archive, err := txtar.ParseFile(filepath.Join("..", "..", "haproxystats", "testdata", "reload.txtar"))
	if err != nil {
		b.Fatal(err)
	}
	var header, server, backend string
	for l := range strings.Lines(string(archive.Files[0].Data)) {
		switch {
		case strings.HasPrefix(l, "# "):
			header = l
		case strings.HasPrefix(l, "go-demo-be8080_0,t1,"):
			server = strings.TrimPrefix(l, "go-demo-be8080_0,t1,")
		case strings.HasPrefix(l, "go-demo-be8080_0,BACKEND,"):
			backend = strings.TrimPrefix(l, "go-demo-be8080_0,")
		}
	}
	var all, backends strings.Builder
	all.WriteString(header)
	backends.WriteString(header)
	for i := range 1000 {
		name := "service-" + strconv.Itoa(i) + "-be8080_0,"
		for s := range 3 {
			all.WriteString(name + "service." + strconv.Itoa(s) + "," + server)
		}
		all.WriteString(name + backend)
		backends.WriteString(name + backend)
	}
	return cannedHAProxy{[]byte(all.String()), []byte(backends.String())}
}

// BenchmarkExporter is the work for one point and for one reading between points; a second has one and up to nine.
func BenchmarkExporter(b *testing.B) {
	for _, servers := range []bool{false, true} {
		b.Run("point/servers="+strconv.FormatBool(servers), func(b *testing.B) {
			e := newExporter(newCanned(b), exportSettings{interval: time.Second, servers: servers,
				origin: haproxystats.Origin{Host: "h", Server: "s", Owner: serviceOf}}, zerolog.Nop())
			at := time.Now()
			b.ReportAllocs()
			for b.Loop() {
				at = at.Add(time.Second)
				command := askNoServer
				if servers {
					command = askAll
				}
				workers, _, _, err := e.read(b.Context(), command)
				if err != nil {
					b.Fatal(err)
				}
				samples := e.shown.next(at, workers, true)
				e.recent.add(at, samples, serviceOf)
				b.SetBytes(int64(len(encoded(e, at, samples))))
			}
		})
	}
	b.Run("reading", func(b *testing.B) {
		e := newExporter(newCanned(b), exportSettings{interval: time.Second}, zerolog.Nop())
		b.ReportAllocs()
		for b.Loop() {
			e.look(b.Context())
		}
	})
}
