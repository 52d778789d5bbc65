package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// proxy is a `proxy run --swarm=false` with a real HAProxy, a folder and ports of its own.
type proxy struct {
	entry, second, api int // ports: http, one more http entry (BIND_PORTS), API
	dir                string
	command            *exec.Cmd
	declared           []string // services of the case before
	output             *safeBuffer
}

var build struct {
	once   sync.Once
	binary string
	err    error
}

// TestMain removes what the tests built.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "conformance")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	build.binary = filepath.Join(dir, "proxy")
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

func binary(t *testing.T) string {
	t.Helper()
	build.once.Do(func() {
		if output, err := exec.Command("go", "build", "-buildvcs=false", "-o", build.binary, "sluice/cmd/proxy").CombinedOutput(); err != nil {
			build.err = fmt.Errorf("build the proxy: %w: %s", err, output)
		}
	})
	if build.err != nil {
		t.Fatal(build.err)
	}
	if _, err := exec.LookPath("haproxy"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("haproxy is not installed")
		}
		t.Skip("haproxy is not installed")
	}
	return build.binary
}

// start runs a proxy until the test ends; environment is added to the usual one.
func start(t *testing.T, environment ...string) *proxy {
	t.Helper()
	ports := freePorts(t, 3)
	p := &proxy{entry: ports[0], second: ports[1], api: ports[2], dir: t.TempDir()}
	p.run(t, environment...)
	return p
}

// run starts the program; a proxy that was killed is started again on the same folder.
func (p *proxy) run(t *testing.T, environment ...string) {
	t.Helper()
	p.command = exec.Command(binary(t), "run", "--swarm=false", "--dir", p.dir)
	p.command.Env = append([]string{"PATH=" + os.Getenv("PATH"), "IP=127.0.0.1", fmt.Sprintf("PORT=%d", p.api),
		fmt.Sprintf("DEFAULT_PORTS=127.0.0.1:%d", p.entry), fmt.Sprintf("BIND_PORTS=127.0.0.1:%d", p.second), "DRAIN_TIMEOUT=1s", "HARD_STOP_AFTER=3"}, environment...)
	output := &safeBuffer{}
	p.output = output
	p.command.Stdout, p.command.Stderr = output, output
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	running := p.command
	t.Cleanup(func() {
		stop(running)
		if t.Failed() {
			t.Logf("the proxy's output:\n%s", output.String())
		}
	})
	for deadline := time.Now().Add(20 * time.Second); ; {
		if response, err := http.Get(p.url("successfulinitreload", nil)); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("the proxy does not start:\n%s", output.String())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func stop(command *exec.Cmd) {
	_ = command.Process.Signal(syscall.SIGTERM)
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		_ = command.Process.Kill()
		<-ended
	}
}

// safeBuffer is written by the program and read by the test.
type safeBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func (p *proxy) url(action string, parameters url.Values) string {
	return fmt.Sprintf("http://127.0.0.1:%d/v1/docker-flow-proxy/%s?%s", p.api, action, parameters.Encode())
}

// reply is an answer of the API.
type reply struct {
	Code                         int
	Status, Message, ServiceName string
}

func (p *proxy) call(action string, parameters url.Values) (r reply, err error) {
	response, err := http.Get(p.url(action, parameters))
	if err != nil {
		return r, err
	}
	defer response.Body.Close()
	r.Code = response.StatusCode
	return r, json.NewDecoder(response.Body).Decode(&r)
}

// reconfigure declares a service; parameters are `servicePath=/a` and the like.
func (p *proxy) reconfigure(service string, parameters ...string) (reply, error) {
	values := url.Values{"serviceName": {service}}
	for _, parameter := range parameters {
		key, value, _ := strings.Cut(parameter, "=")
		values.Set(key, value)
	}
	return p.call("reconfigure", values)
}

// remove takes services back, all with one reload.
func (p *proxy) remove(names []string) error {
	failures := make([]error, len(names))
	var wait sync.WaitGroup
	for i, name := range names {
		wait.Go(func() {
			r, err := p.call("remove", url.Values{"serviceName": {name}})
			if err == nil && r.Code != http.StatusOK {
				err = fmt.Errorf("remove %s: %+v", name, r)
			}
			failures[i] = err
		})
	}
	wait.Wait()
	return errors.Join(failures...)
}

// problem is one line of what /v1/routes reports.
type problem struct{ Service, Label, Value, Reason string }

func (p *proxy) problems(t *testing.T) []problem {
	t.Helper()
	response, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/v1/routes", p.api))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var body struct{ Problems []problem }
	if err := json.NewDecoder(response.Body).Decode(&body); err != nil {
		t.Fatal(err)
	}
	return body.Problems
}

// seen is the outcome of a request: what the client got, and what the fixture server got when one was reached.
type seen struct {
	code   int
	header http.Header
	body   string
	answer answer
	entry  int // the port that was asked
}

// do sends a request through the entry, over a connection of its own.
func (p *proxy) do(t *testing.T, r request) seen {
	t.Helper()
	port := p.entry
	if r.second {
		port = p.second
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	method := r.method
	if method == "" {
		method = http.MethodGet
	}
	q, err := http.NewRequestWithContext(ctx, method, fmt.Sprintf("http://127.0.0.1:%d%s", port, r.path), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range r.header {
		name, value, _ := strings.Cut(line, ": ")
		q.Header.Add(name, value)
	}
	if q.Host = r.host; r.host == "" {
		q.Host = "any.test"
	}
	if r.user != "" {
		name, password, _ := strings.Cut(r.user, ":")
		q.SetBasicAuth(name, password)
	}
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	s := seen{entry: port, code: response.StatusCode, header: response.Header, body: string(body)}
	_ = json.Unmarshal(body, &s.answer) // HAProxy's own answers are no JSON
	return s
}

// freePorts answers ports that nobody had a moment ago.
func freePorts(t *testing.T, n int) (ports []int) {
	t.Helper()
	for range n {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	return ports
}
