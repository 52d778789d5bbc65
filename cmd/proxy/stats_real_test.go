package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"sluice/haproxystats"
	"sluice/internal/haproxy"
	"sluice/internal/influx"
	"sluice/internal/influx/influxtest"
)

// statsHAProxy is a real HAProxy in master-worker mode with one backend, whose requests wait until release is closed.
type statsHAProxy struct {
	*haproxy.Master
	url     string
	release chan struct{}
}

func startStatsHAProxy(t *testing.T, config string) *statsHAProxy {
	t.Helper()
	h := &statsHAProxy{release: make(chan struct{})}
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hold" {
			<-h.release
		}
		io.WriteString(w, "ok")
	}))
	t.Cleanup(app.Close)
	// HAProxy is handed an open socket, so that the port of the kernel's choice stays ours.
	entry, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	file, err := entry.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	h.url = "http://" + entry.Addr().String()
	entry.Close()
	dir := t.TempDir()
	config = fmt.Sprintf(`global
  nbthread 1
defaults
  mode http
  option contstats
  option idle-close-on-response
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend http
  bind fd@3
  default_backend app
backend app
  # HAProxy closes idle connections every 5 s, which columns tell: at rest nothing shall change
  server app.1 %s pool-purge-delay 1h
%s`, app.Listener.Addr(), config)
	path := filepath.Join(dir, "haproxy.cfg")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "m.sock")
	cmd := exec.Command("haproxy", "-W", "-S", socket, "-f", path)
	cmd.ExtraFiles = []*os.File{file}
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if testing.Verbose() {
		cmd.Stdout = os.Stderr
	} else {
		cmd.Stderr = nil
	}
	if err := cmd.Start(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skipf("haproxy does not start: %v", err)
	}
	file.Close()
	t.Cleanup(func() { cmd.Process.Signal(syscall.SIGTERM); cmd.Wait() })
	h.Master = haproxy.Dial(socket)
	eventually(t, "HAProxy answers", func() bool {
		workers, err := h.Workers(t.Context())
		if err != nil || len(workers) == 0 {
			return false
		}
		_, err = h.Ask(t.Context(), workers[0].PID, askAll)
		return err == nil
	})
	return h
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !condition(); {
		if time.Now().After(deadline) {
			t.Fatalf("not after a minute: %s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// scur is what one worker says of backend app.
func (h *statsHAProxy) scur(t *testing.T, pid int) int64 {
	t.Helper()
	answer, err := h.Ask(t.Context(), pid, askBackends)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := haproxystats.Parse(strings.NewReader(string(answer)))
	if err != nil {
		t.Fatal(err)
	}
	v, _ := rows[0].Int("scur")
	return v
}

func TestExporterKeepsTheSumAcrossAReload(t *testing.T) {
	h := startStatsHAProxy(t, "")
	server := influxtest.StartWriteOnly(t)
	e := newExporter(h, exportSettings{
		interval: 200 * time.Millisecond,
		servers:  true,
		origin: haproxystats.Origin{Host: "node-1", Server: "proxy-1",
			Owner: func(string) (string, string) { return "demo_app", "demo" }},
		influx: influx.Config{URL: server.URL, Bucket: server.Bucket},
		dir:    t.TempDir(),
		limit:  8 << 20,
	}, zerolog.Nop())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { e.run(ctx); close(done) }()

	const held = 20
	answers := make(chan error, held)
	for range held {
		go func() {
			resp, err := http.Get(h.url + "/hold")
			if err == nil {
				resp.Body.Close()
			}
			answers <- err
		}()
	}
	old, err := h.Workers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "all requests are held", func() bool { return h.scur(t, old[0].PID) == held })
	points := func(since time.Time) []reading { return readings(t, e, since) }
	start := time.Now()
	eventually(t, "a whole point is of these", func() bool {
		p := points(start)
		return len(p) > 1 && p[len(p)-1].mean == held
	})
	since := time.Now()
	fresh, err := h.Reload(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := h.scur(t, fresh.PID); got != 0 {
		t.Fatalf("the new worker alone says %d sessions: nothing to prove", got)
	}
	eventually(t, "points are made after the reload", func() bool { return len(points(since)) > 5 })
	for _, p := range points(since) {
		if p.mean != held || p.max != held {
			t.Errorf("mean %v, max %v of open sessions across the reload, want %d", p.mean, p.max, held)
		}
	}
	close(h.release)
	for range held {
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}
	eventually(t, "all sessions have ended", func() bool { p := points(since); return p[len(p)-1].mean == 0 })
	cancel()
	<-done

	series := server.InfluxQL(`SELECT last(stot), last(scur) FROM haproxy WHERE type='backend' AND service='demo_app' AND proxy='app' GROUP BY host,server,stack,sv`)
	if len(series) != 1 || series[0].Values[0][1] != float64(held) {
		t.Errorf("stot in InfluxDB: %v, want %d although the worker that counted them is gone", series, held)
	}
	if n := server.Count("sluice_proxy", "workers"); n < 6 {
		t.Errorf("InfluxDB has %d points of sluice_proxy", n)
	}
}

// reading is what the handler serves of one point.
type reading struct{ mean, max float64 }

func readings(t *testing.T, e *exporter, since time.Time) (points []reading) {
	t.Helper()
	for _, p := range getRecent(t, e.recent, fmt.Sprintf("?since=%d", since.UnixMilli())).Backends["app"].Points {
		points = append(points, reading{*p[1], *p[2]})
	}
	return points
}
