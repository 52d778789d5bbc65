package main

import (
	"bytes"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/rs/zerolog"

	"sluice/haproxystats"
	"sluice/internal/influx/influxtest"
)

// TestPointsAreTelegrafs gives the same answer of a real HAProxy to the real Telegraf and to the exporter. Everything that
// Telegraf writes must be there with the same name, type and value; beyond it stand only the tags and fields of Sluice.
func TestPointsAreTelegrafs(t *testing.T) {
	telegraf := influxtest.Tool(t, "telegraf")
	archive, err := txtar.ParseFile(filepath.Join("..", "..", "haproxystats", "testdata", "reload.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	answer := append(bytes.TrimRight(archive.Files[0].Data, "\n"), "\n\n"...)
	theirs := pointsByRow(t, runTelegraf(t, telegraf, serveAnswer(t, answer)))

	rows, err := haproxystats.Parse(bytes.NewReader(answer))
	if err != nil {
		t.Fatal(err)
	}
	server := theirs["http FRONTEND"]["tag server"] // Telegraf names the socket, Sluice its instance
	e := newExporter(nil, exportSettings{interval: time.Second,
		origin: haproxystats.Origin{Host: "node-1", Server: server, Owner: func(string) (string, string) { return "svc", "stk" }}}, zerolog.Nop())
	samples := e.shown.next(time.Now(), []haproxystats.Worker{{PID: 1, Rows: rows}}, true)
	ours := pointsByRow(t, encoded(e, time.Now(), samples))

	if len(theirs) != len(rows) || len(ours) != len(rows) {
		t.Fatalf("Telegraf made %d points, we %d, of %d rows", len(theirs), len(ours), len(rows))
	}
	for row, want := range theirs {
		got := ours[row]
		for _, extra := range []string{"tag service", "tag stack", "scur_mean", "scur_max", "req_rate_mean"} {
			delete(got, extra)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-Telegraf +Sluice):\n%s", row, diff)
		}
	}
}

// encoded is what the exporter makes of samples.
func encoded(e *exporter, at time.Time, samples []haproxystats.Sample) string {
	var lines strings.Builder
	e.encode(at, samples, func(more []byte) { lines.Write(more) })
	return lines.String()
}

// serveAnswer is a stats socket that has one answer.
func serveAnswer(t *testing.T, answer []byte) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "stats.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			io.ReadFull(conn, make([]byte, len("show stat\n")))
			conn.Write(answer)
			conn.Close()
		}
	}()
	return path
}

func runTelegraf(t *testing.T, binary, socket string) string {
	t.Helper()
	config := filepath.Join(t.TempDir(), "telegraf.conf")
	text := "[agent]\n  hostname = \"node-1\"\n[[inputs.haproxy]]\n  servers = [\"" + socket + "\"]\n[[outputs.file]]\n  files = [\"stdout\"]\n  data_format = \"influx\"\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary, "--once", "--config", config)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("telegraf: %v\n%s", err, &stderr)
	}
	return string(out)
}

// pointsByRow reads line protocol: for each row `proxy sv` its tags (as `tag name`) and fields, with the type's suffix.
func pointsByRow(t *testing.T, lines string) map[string]map[string]string {
	t.Helper()
	points := map[string]map[string]string{}
	for line := range strings.Lines(lines) {
		parts := splitOutside(strings.TrimSpace(line), ' ')
		if len(parts) != 3 {
			t.Fatalf("no line: %q", line)
		}
		series := splitOutside(parts[0], ',')
		if series[0] != "haproxy" {
			continue
		}
		p := map[string]string{}
		for _, tag := range series[1:] {
			name, value, _ := strings.Cut(tag, "=")
			p["tag "+name] = strings.NewReplacer(`\,`, ",", `\ `, " ", `\=`, "=").Replace(value)
		}
		for _, field := range splitOutside(parts[1], ',') {
			name, value, _ := strings.Cut(field, "=")
			p[name] = value
		}
		points[p["tag proxy"]+" "+p["tag sv"]] = maps.Clone(p)
	}
	return points
}

// splitOutside splits where the separator is neither quoted nor escaped.
func splitOutside(s string, sep byte) (parts []string) {
	quoted, start := false, 0
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == sep && !quoted:
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:])
}
