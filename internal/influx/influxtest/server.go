// Package influxtest starts the real InfluxDB 1.8 for tests: on a loopback port of the kernel's choice, with its data in
// a directory of the test, and stopped with it.
package influxtest

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Database is the database that Start makes.
const Database = "telegraf"

// Server is a running InfluxDB.
type Server struct {
	URL    string // http://127.0.0.1:port; the same after a restart
	DB     string // Database
	Bucket string // Database with its retention policy, as the API of 2.x wants it

	t      testing.TB
	flux   bool
	binary string
	dir    string
	cmd    *exec.Cmd
}

// Start runs an InfluxDB with Flux switched on and an empty Database. It skips the test when there is no influxd, and
// fails it where CI is set. Loading Flux takes InfluxDB some seconds of CPU: share the server between subtests, or use
// StartWriteOnly.
func Start(t testing.TB) *Server {
	t.Helper()
	return start(t, true)
}

// StartWriteOnly is Start without Flux: it takes a fraction of a second and answers InfluxQL.
func StartWriteOnly(t testing.TB) *Server {
	t.Helper()
	return start(t, false)
}

func start(t testing.TB, flux bool) *Server {
	t.Helper()
	s := &Server{DB: Database, Bucket: Database + "/autogen", t: t, flux: flux, binary: Tool(t, "influxd"), dir: t.TempDir()}
	t.Cleanup(s.Kill)
	s.run("127.0.0.1:0")
	s.InfluxQL(`CREATE DATABASE "` + Database + `"`)
	return s
}

// Other is the same InfluxDB with another database, an empty one: for subtests that must not see each other's points.
func (s *Server) Other(t testing.TB, database string) *Server {
	t.Helper()
	other := *s
	other.t, other.DB, other.Bucket = t, database, database+"/autogen"
	other.InfluxQL(`CREATE DATABASE "` + database + `"`)
	return &other
}

// Tool finds a program that the set-up scripts build: in the directory SLUICE_TOOLS, or in .tools/bin of the module. It
// skips the test when it is not there, and fails it where CI is set.
func Tool(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv("SLUICE_TOOLS")
	if dir == "" {
		dir = filepath.Join(moduleRoot(t), ".tools", "bin")
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is missing: %v", name, err)
		}
		t.Skipf("%s is missing, run the set-up scripts: %v", name, err)
	}
	return path
}

func moduleRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
	}
	t.Fatal("no go.mod above the test")
	return ""
}

// listening finds the address in the log line of the HTTP service.
var listening = regexp.MustCompile(`Listening on HTTP.* addr=(\S+)`)

// startTimeout is generous: loading Flux on a busy machine takes long.
const startTimeout = 5 * time.Minute

func (s *Server) run(addr string) {
	s.t.Helper()
	cmd, url, err := Launch(s.binary, s.dir, addr, s.flux)
	if err != nil {
		s.t.Fatal(err)
	}
	s.cmd, s.URL = cmd, url
}

// Launch starts influxd with its data below dir, listening on an address whose port may be 0, and answers its URL once it listens. It
// knows no test: the benchmarks use it too. Who calls it ends it; it does not outlive the caller.
func Launch(binary, dir, addr string, flux bool) (cmd *exec.Cmd, url string, err error) {
	cmd = exec.Command(binary, "run")
	cmd.Env = []string{
		"HOME=" + dir,
		"INFLUXDB_REPORTING_DISABLED=true",
		"INFLUXDB_BIND_ADDRESS=127.0.0.1:0", // of backups
		"INFLUXDB_META_DIR=" + filepath.Join(dir, "meta"),
		"INFLUXDB_DATA_DIR=" + filepath.Join(dir, "data"),
		"INFLUXDB_DATA_WAL_DIR=" + filepath.Join(dir, "wal"),
		"INFLUXDB_DATA_QUERY_LOG_ENABLED=false",
		"INFLUXDB_MONITOR_STORE_ENABLED=false",
		"INFLUXDB_HTTP_BIND_ADDRESS=" + addr,
		fmt.Sprintf("INFLUXDB_HTTP_FLUX_ENABLED=%t", flux),
		"INFLUXDB_HTTP_LOG_ENABLED=false",
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, "", err
	}
	if err := cmd.Start(); err != nil {
		return nil, "", fmt.Errorf("start influxd: %w", err)
	}
	found := make(chan string, 1)
	go watch(stderr, found)
	select {
	case at, ok := <-found:
		if ok {
			return cmd, "http://" + at, nil
		}
		err = errors.New("start influxd: it ended before it listened")
	case <-time.After(startTimeout):
		err = fmt.Errorf("start influxd: it does not listen after %s", startTimeout)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	return nil, "", err
}

// watch reads the log to its end and hands over the first address that it names.
func watch(log io.Reader, found chan<- string) {
	var once sync.Once
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		if m := listening.FindStringSubmatch(lines.Text()); m != nil {
			once.Do(func() { found <- m[1] })
		}
	}
	close(found)
}

// Stop ends InfluxDB as an operator would, and waits for it.
func (s *Server) Stop() { s.end(syscall.SIGTERM) }

// Kill ends it with SIGKILL. It may be called again.
func (s *Server) Kill() { s.end(syscall.SIGKILL) }

func (s *Server) end(sig syscall.Signal) {
	if s.cmd == nil {
		return
	}
	s.cmd.Process.Signal(sig)
	s.cmd.Wait()
	s.cmd = nil
}

// Again starts it on the same address with the same data.
func (s *Server) Again() {
	s.t.Helper()
	s.run(strings.TrimPrefix(s.URL, "http://"))
}

// Hang stops the process in its tracks: connections are accepted and nothing answers.
func (s *Server) Hang() { s.cmd.Process.Signal(syscall.SIGSTOP) }

// Resume ends Hang.
func (s *Server) Resume() { s.cmd.Process.Signal(syscall.SIGCONT) }

// Series is one series of an answer to InfluxQL.
type Series struct {
	Name    string            `json:"name"`
	Tags    map[string]string `json:"tags"`
	Columns []string          `json:"columns"`
	Values  [][]any           `json:"values"`
}

// InfluxQL runs a statement on DB and gives the series of its answer; any error ends the test.
func (s *Server) InfluxQL(statement string) []Series {
	s.t.Helper()
	series, err := s.ask(statement)
	if err != nil {
		s.t.Fatalf("%s: %v", statement, err)
	}
	return series
}

// Count is the number of points of a measurement that have the field.
func (s *Server) Count(measurement, field string) int {
	s.t.Helper()
	series := s.InfluxQL(fmt.Sprintf(`SELECT count(%q) FROM %q`, field, measurement))
	if len(series) == 0 {
		return 0
	}
	return int(series[0].Values[0][1].(float64))
}

func (s *Server) ask(statement string) ([]Series, error) {
	client := http.Client{Timeout: time.Minute}
	defer client.CloseIdleConnections()
	resp, err := client.PostForm(s.URL+"/query", url.Values{"db": {s.DB}, "q": {statement}, "epoch": {"ns"}})
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var answer struct {
		Error   string
		Results []struct {
			Error  string
			Series []Series
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return nil, err
	}
	var all []Series
	for _, r := range answer.Results {
		answer.Error += r.Error
		all = append(all, r.Series...)
	}
	if answer.Error != "" {
		return nil, fmt.Errorf("InfluxDB: %s", answer.Error)
	}
	return all, nil
}
