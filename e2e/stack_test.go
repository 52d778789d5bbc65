// Package e2e runs the main job on a real swarm: the stack is deployed as a user would, load is driven through the
// published port, and what happens is read from the outside.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/internal/swarm"
	"sluice/internal/swarm/swarmtest"
)

// stack is Sluice and the sample application, deployed for one test under names and ports of its own.
type stack struct {
	t                          *testing.T
	root                       string
	env                        []string
	swarm                      *swarm.Client
	loadtest                   string // the program
	http, api, scaler, influxd string // addresses
}

const (
	stackName = "sluice-e2e"
	appStack  = "sluice-e2e-app"
	appName   = appStack + "_app"
)

// TestMain has the tests run side by side, also where there are fewer processors: they wait for the swarm most of the time.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "6"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	dir, err := os.MkdirTemp("", "e2e")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	program.path = filepath.Join(dir, "loadtest")
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

var turn sync.Mutex

// inTurn waits for the other short tests: they have time while the long ones run, and all at once would ask more of a small
// machine than it has.
func inTurn(t *testing.T) {
	turn.Lock()
	t.Cleanup(turn.Unlock)
}

// program is the load test, built once for all tests.
var program struct {
	once sync.Once
	path string
	err  error
}

// build answers the path of the load test.
func (s *stack) build() string {
	s.t.Helper()
	program.once.Do(func() { program.err = s.try("go", "build", "-buildvcs=false", "-o", program.path, "./loadtest") })
	if program.err != nil {
		s.t.Fatal(program.err)
	}
	return program.path
}

func deploy(t *testing.T) *stack {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	s := &stack{t: t, root: root, swarm: swarmtest.Need(t),
		http: swarmtest.FreeAddress(t), api: swarmtest.FreeAddress(t), scaler: swarmtest.FreeAddress(t), influxd: swarmtest.FreeAddress(t)}
	// A folder that stays: what a run that was interrupted left is removed by the next one.
	s.env = append(os.Environ(), "SLUICE_STATE="+filepath.Join(root, ".sluice", "e2e"), "SLUICE_NETWORK="+stackName,
		"SLUICE_HTTP_PORT="+port(s.http), "SLUICE_HTTPS_PORT="+port(swarmtest.FreeAddress(t)), "SLUICE_API_PORT="+port(s.api), "SLUICE_SCALER_PORT="+port(s.scaler), "SLUICE_INFLUX_PORT="+port(s.influxd),
		// Other tests have services of their own to scale on this swarm.
		"SLUICE_SERVICE="+appName, "SLUICE_SCALER_FILTER=com.docker.stack.namespace="+appStack,
		// As many connections as in the demo, of fewer requests: a small machine has the swarm to do beside.
		"SLUICE_DEMO_WORK=200ms", "SLUICE_DEMO_DRAIN=8s")
	if os.Getenv("CI") == "" && s.try("docker", "image", "inspect", "sluice/proxy", "sluice/scaler", "sluice/demo-app") != nil {
		t.Skip("the images are not built: run `make ready` first")
	}
	s.loadtest = s.build()
	s.run("scripts/down")
	t.Cleanup(func() {
		if t.Failed() {
			s.tell()
		}
		s.run("scripts/down")
	})
	s.run("scripts/deploy", stackName, "deploy/tick/stack.yml", "deploy/demo/observe.yml", "deploy/demo/patient.yml")
	s.run("scripts/deploy", appStack, "deploy/demo/stack.yml")
	s.await(patience, "the application answers through the proxy", func() bool { return s.status() == http.StatusOK })
	// On a busy machine InfluxDB passes its first health check late.
	s.await(patience, "the scaler sees the application's connections", func() bool {
		d := s.decision()
		return d.Service == appName && len(d.Metrics) > 0 && d.Metrics[0].Missing == ""
	})
	return s
}

// in is the same stack for a subtest, which then is the one to fail.
func (s *stack) in(t *testing.T) *stack {
	inner := *s
	inner.t = t
	return &inner
}

// run runs a program of the project in its root and fails the test with what it wrote.
func (s *stack) run(name string, args ...string) {
	s.t.Helper()
	if err := s.try(name, args...); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stack) try(name string, args ...string) error {
	output, err := s.command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, output)
	}
	return nil
}

func (s *stack) command(name string, args ...string) *exec.Cmd {
	if strings.HasPrefix(name, "scripts/") {
		name = filepath.Join(s.root, name)
	}
	c := exec.Command(name, args...)
	c.Dir, c.Env = s.root, s.env
	return c
}

// tell writes what the parts have to say, for the reader of a failure.
func (s *stack) tell() {
	for _, args := range [][]string{
		{"service", "ls"}, {"stack", "ps", "--no-trunc", stackName}, {"stack", "ps", "--no-trunc", appStack},
	} {
		output, _ := s.command("docker", args...).CombinedOutput()
		s.t.Logf("docker %s\n%s", strings.Join(args, " "), output)
	}
	s.quote(stackName + "_proxy")
	s.quote(stackName + "_scaler")
}

// quote writes the last words of a service of ours, and those of HAProxy about requests that failed.
func (s *stack) quote(service string) {
	output := swarmtest.Log(s.t, service, 5000)
	var own, failed []string
	for line := range strings.Lines(output) {
		switch {
		case strings.Contains(line, `"reason":"is not attached to the network`): // the services of other tests
		case strings.HasPrefix(line, "{"):
			own = append(own, line)
		case lost.MatchString(line):
			failed = append(failed, line)
		}
	}
	s.t.Logf("%s says\n%s\n%d requests failed, such as\n%s", service, strings.Join(own[max(0, len(own)-40):], ""), len(failed), strings.Join(failed[:min(len(failed), 20)], ""))
}

// lost is a line of HAProxy's log about a request that it answered with an error of its own, or not at all.
var lost = regexp.MustCompile(` (5\d\d|-1) \d+ - - [A-Z]`)

func (s *stack) await(limit time.Duration, what string, holds func() bool) {
	s.t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(limit); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			s.t.Fatalf("not within %s: %s", limit, what)
		}
	}
}

// status is the answer's code of one request to the application, on a connection of its own; 0 when there is none.
func (s *stack) status() int {
	client := http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + s.http + "/demo/")
	if err != nil {
		return 0
	}
	response.Body.Close()
	return response.StatusCode
}

// decision is what the scaler's API says about the application.
type decision struct {
	Service, Verdict, Reason  string
	Current, Desired, Running int
	Metrics                   []struct {
		Metric        string
		Value, Target float64
		Missing       string
	}
}

func (s *stack) decision() (d decision) {
	client := http.Client{Timeout: 2 * time.Second}
	response, err := client.Get("http://" + s.scaler + "/v1/services/" + appName)
	if err != nil {
		return d
	}
	defer response.Body.Close()
	_ = json.NewDecoder(response.Body).Decode(&d) // the zero value is "not yet"
	return d
}

// container is the process id of the container that runs a service's only task on this machine.
func (s *stack) container(service string) int {
	s.t.Helper()
	ids, err := s.command("docker", "ps", "--quiet", "--filter", "label=com.docker.swarm.service.name="+stackName+"_"+service).Output()
	if err != nil || len(strings.Fields(string(ids))) != 1 {
		return 0
	}
	pid, err := s.command("docker", "inspect", "--format", "{{.State.Pid}}", strings.TrimSpace(string(ids))).Output()
	if err != nil {
		return 0
	}
	n, _ := strconv.Atoi(strings.TrimSpace(string(pid)))
	return n
}

// child is the process below parent whose command line holds the words; 0 when there is none.
func child(parent int, words string) int {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", parent)) // each thread lists those that it started
	var children strings.Builder
	for _, file := range threads {
		list, _ := os.ReadFile(file)
		children.Write(list)
	}
	for field := range strings.FieldsSeq(children.String()) {
		line, _ := os.ReadFile("/proc/" + field + "/cmdline")
		if strings.Contains(string(bytes.ReplaceAll(line, []byte{0}, []byte{' '})), words) {
			pid, _ := strconv.Atoi(field)
			return pid
		}
	}
	return 0
}

func (s *stack) replicas() int {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	services, err := s.swarm.Services(ctx, swarm.Filter{Label: "com.df.notify"})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, service := range services {
		if service.Name == appName {
			return service.Replicas
		}
	}
	return 0
}

func port(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}
