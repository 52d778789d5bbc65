package haproxystats_test

import (
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/haproxystats"
)

const allColumns = `global
  stats socket %s/s.sock
defaults
  mode http
  timeout connect 1s
  timeout client 1s
  timeout server 1s
frontend f
  bind unix@%s/f.sock
  default_backend b
backend b
  option httpchk
  server s1 127.0.0.1:1 check agent-check agent-port 1
  server s2 127.0.0.1:1 track b/s1 cookie c
`

// TestColumnsAgreeWithHAProxy asks the real HAProxy what kind of value each column is: a gauge is added up, a counter
// counted, a maximum kept, an average averaged.
func TestColumnsAgreeWithHAProxy(t *testing.T) {
	nature := map[string]map[haproxystats.Merge]bool{ // second letter of `show stat typed`
		"G": {haproxystats.Sum: true, haproxystats.Current: true, haproxystats.AsTag: true}, // gauge; states are gauges too
		"C": {haproxystats.Count: true, haproxystats.CountOnce: true},
		"M": {haproxystats.Max: true},
		"R": {haproxystats.Sum: true},
		"a": {haproxystats.Mean: true, haproxystats.Current: true}, // weights are averages too
		"A": {haproxystats.Current: true, haproxystats.Youngest: true},
		"D": {haproxystats.Current: true},
		"L": {haproxystats.Current: true},
		"O": {haproxystats.Current: true, haproxystats.LeftOut: true},
		"N": {haproxystats.Current: true, haproxystats.AsTag: true},
		"S": {haproxystats.Current: true},
	}
	// HAProxy calls these gauges in backends, though they are what their rows of servers and frontends say.
	exceptions := map[string]bool{"rate_max": true, "algo": true}
	known := map[string]haproxystats.Column{}
	for _, c := range haproxystats.Columns() {
		known[c.Name] = c
	}
	seen := map[string]bool{}
	for line := range strings.Lines(askHAProxy(t, "show stat typed\n")) {
		// F.2.0.4.scur.1:MGP:u32:0
		parts := strings.SplitN(strings.TrimSpace(line), ":", 4)
		if len(parts) < 4 {
			continue
		}
		name := strings.Split(parts[0], ".")[4]
		c, ok := known[name]
		if !ok {
			t.Errorf("column %s (%s %s) is not in the table", name, parts[1], parts[2])
			continue
		}
		seen[name] = true
		if !nature[parts[1][1:2]][c.Merge] && !exceptions[name] {
			t.Errorf("%s: HAProxy says %s, the table %s", name, parts[1], c.Merge)
		}
		if isText := parts[2] == "str"; isText != (c.Kind == haproxystats.Text) && c.Merge != haproxystats.AsTag {
			t.Errorf("%s: HAProxy says %s, the table %s", name, parts[2], c.Kind)
		}
	}
	if len(seen) < 90 {
		t.Errorf("HAProxy named only %d columns", len(seen))
	}
	rows, err := haproxystats.Parse(strings.NewReader(askHAProxy(t, "show stat\n")))
	if err != nil || len(rows) != 4 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

// askHAProxy starts a HAProxy, asks it one question, and ends it.
func askHAProxy(t *testing.T, command string) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "haproxy.cfg")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(allColumns, "%s", dir)), 0o600); err != nil {
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
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	for deadline := time.Now().Add(time.Minute); ; {
		conn, err := net.Dial("unix", filepath.Join(dir, "s.sock"))
		if err == nil {
			defer conn.Close()
			io.WriteString(conn, command)
			answer, err := io.ReadAll(conn)
			if err != nil {
				t.Fatal(err)
			}
			return string(answer)
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		<-time.After(5 * time.Millisecond)
	}
}
