package haproxystats_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/haproxystats"
)

const exporting = `global
  stats socket DIR/s.sock
defaults
  mode http
  timeout connect 1s
  timeout client 1s
  timeout server 1s
frontend metrics
  bind unix@DIR/m.sock
  http-request use-service prometheus-exporter if { path /metrics }
  default_backend app
backend app
  server app.1 127.0.0.1:1 check
  server app.2 127.0.0.1:1 disabled
backend empty
`

// TestMetricsAreThoseOfHAProxysExporter lets the real HAProxy show its own metrics and compares names and labels with
// what becomes of its `show stat`, and values where they do not move while one asks.
func TestMetricsAreThoseOfHAProxysExporter(t *testing.T) {
	dir := startExporting(t)
	theirs := scrape(t, dir)
	rows, err := haproxystats.Parse(strings.NewReader(ask(t, filepath.Join(dir, "s.sock"), "show stat\n")))
	if err != nil {
		t.Fatal(err)
	}
	ours := map[string]float64{}
	for m := range haproxystats.Metrics(haproxystats.NewSampler().Next(time.Now(), []haproxystats.Worker{{PID: 1, Rows: rows}}), nil) {
		var labels []string
		for _, l := range m.Labels {
			if l.Key != "service" {
				labels = append(labels, fmt.Sprintf("%s=%q", l.Key, l.Value))
			}
		}
		ours[m.Name+"{"+strings.Join(labels, ",")+"}"] = m.Value
	}
	for id, value := range theirs {
		switch {
		case strings.HasPrefix(id, "haproxy_process_"), strings.Contains(id, "agg_"), math.IsNaN(value),
			strings.Contains(id, "_server_check_status"), // a number for a word
			strings.Contains(id, "_server_check_code"):   // 0 where `show stat` has nothing
			delete(theirs, id)
		case strings.HasPrefix(id, "haproxy_frontend_"), strings.Contains(id, "last_change"), strings.Contains(id, "downtime"), strings.Contains(id, "_check_duration"):
			if _, there := ours[id]; there {
				theirs[id] = ours[id] // it moves while one asks
			}
		}
	}
	for id := range theirs {
		if _, there := ours[id]; !there {
			t.Errorf("HAProxy shows %s", id)
		}
	}
	maps.DeleteFunc(ours, func(id string, _ float64) bool { _, there := theirs[id]; return !there }) // HAProxy leaves out more
	if diff := cmp.Diff(theirs, ours); diff != "" {
		t.Errorf("-HAProxy +Sluice:\n%s", diff)
	}
	if len(theirs) < 100 {
		t.Errorf("only %d metrics were compared: %v", len(theirs), slices.Sorted(maps.Keys(theirs)))
	}
}

func startExporting(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	path := filepath.Join(dir, "haproxy.cfg")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(exporting, "DIR", dir)), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("haproxy", "-db", "-f", path)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skipf("haproxy does not start: %v", err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	for deadline := time.Now().Add(time.Minute); ; {
		answer := ask(t, filepath.Join(dir, "s.sock"), "show servers state app\n")
		if strings.Contains(answer, "app.1") {
			return dir
		}
		if time.Now().After(deadline) {
			t.Fatalf("haproxy does not start: %s", answer)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// ask answers "" while nobody listens.
func ask(t *testing.T, socket, command string) string {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return ""
	}
	defer conn.Close()
	io.WriteString(conn, command)
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

// scrape reads HAProxy's metrics: name{labels} -> value.
func scrape(t *testing.T, dir string) map[string]float64 {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(dir, "m.sock"))
	}}}
	response, err := client.Get("http://haproxy/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatal(response.Status, err)
	}
	metrics := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		if id, value, found := strings.Cut(strings.TrimSpace(line), "} "); found {
			if metrics[id+"}"], err = strconv.ParseFloat(value, 64); err != nil {
				t.Fatal(err)
			}
		}
	}
	return metrics
}
