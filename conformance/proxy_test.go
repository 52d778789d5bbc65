package conformance

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// proxy is a `proxy run --swarm=false` with a real HAProxy, a folder and ports of its own.
type proxy struct {
	entry, second, api int // ports: http, one more http entry (BIND_PORTS), API
	tls                int // port of an entry with TLS; 0 without one
	authority          *authority
	dir                string
	output             *safeBuffer // what it wrote since it was started
	command            *exec.Cmd
	declared           []string // services of the case before
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
	flag.Parse()
	if err := flag.Set("test.parallel", "6"); err != nil { // proxies mostly wait for the pause between two reloads
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
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
	p := &proxy{entry: ports[0], second: ports[1], api: ports[2], dir: enterable(t)}
	p.run(t, environment...)
	return p
}

// enterable makes a folder that HAProxy's user may enter, as /var/lib is: that is how a proxy runs that root has started. It
// stands in one of its own, so that nobody else writes beside it.
func enterable(t *testing.T) string {
	t.Helper()
	parent, err := os.MkdirTemp("", "proxy")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(parent) })
	dir := filepath.Join(parent, "data")
	for _, err := range []error{os.Chmod(parent, 0o755), os.Mkdir(dir, 0o755)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// startSecure runs a proxy with an entry for TLS, whose files (certs/…, secrets/…) are there before it starts.
func startSecure(t *testing.T, a *authority, files map[string][]byte, environment ...string) *proxy {
	t.Helper()
	ports := freePorts(t, 4)
	p := &proxy{entry: ports[0], second: ports[1], api: ports[2], tls: ports[3], authority: a, dir: enterable(t)}
	for name, content := range files {
		p.put(t, name, content)
	}
	p.run(t, environment...)
	return p
}

// run starts the program; a proxy that was killed is started again on the same folder.
func (p *proxy) run(t *testing.T, environment ...string) {
	t.Helper()
	p.command = exec.Command(binary(t), "run", "--swarm=false", "--dir", p.dir)
	bind := fmt.Sprintf("BIND_PORTS=127.0.0.1:%d", p.second)
	if p.tls != 0 {
		bind += fmt.Sprintf(",127.0.0.1:%d:ssl", p.tls)
	}
	p.command.Env = append([]string{"PATH=" + os.Getenv("PATH"), "IP=127.0.0.1", fmt.Sprintf("PORT=%d", p.api),
		fmt.Sprintf("DEFAULT_PORTS=127.0.0.1:%d", p.entry), bind, "DRAIN_TIMEOUT=1s", "HARD_STOP_AFTER=3"}, environment...)
	p.begin(t)
}

// begin starts p.command and waits until its first configuration is in force.
func (p *proxy) begin(t *testing.T) {
	t.Helper()
	output := &safeBuffer{}
	p.command.Stdout, p.command.Stderr, p.output = output, output, output
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
	for deadline := time.Now().Add(2 * time.Minute); ; {
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

// body is what the API answers to a GET.
func (p *proxy) body(t *testing.T, path string) string {
	t.Helper()
	response, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/%s", p.api, path))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("GET /%s: %d %s %v", path, response.StatusCode, body, err)
	}
	return string(body)
}

func stop(command *exec.Cmd) {
	_ = command.Process.Signal(syscall.SIGTERM)
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	select {
	case <-ended:
	case <-time.After(time.Minute):
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
	// refusal is why the proxy ended the TLS connection; "" when it did not.
	refusal string
}

// do sends a request through the entry, over a connection of its own.
func (p *proxy) do(t *testing.T, r request) seen {
	t.Helper()
	if r.raw != "" {
		return p.write(t, r)
	}
	port, scheme := p.entry, "http"
	if r.second {
		port = p.second
	}
	if r.secure {
		port, scheme = p.tls, "https"
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	method := r.method
	if method == "" {
		method = http.MethodGet
	}
	q, err := http.NewRequestWithContext(ctx, method, fmt.Sprintf("%s://127.0.0.1:%d%s", scheme, port, r.path), nil)
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
	transport := &http.Transport{DisableKeepAlives: true, DisableCompression: true}
	if r.secure {
		transport.TLSClientConfig = &tls.Config{RootCAs: p.authority.trust, ServerName: cmp.Or(r.name, q.Host)}
		if r.certificate != nil { // also to a proxy that would not take it
			transport.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return r.certificate, nil }
		}
	}
	client := http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(q)
	if refused := (*net.OpError)(nil); r.secure && errors.As(err, &refused) && refused.Op == "remote error" {
		return seen{entry: port, refusal: err.Error()}
	}
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

// handed is the port that freePorts gave last. Two HAProxies may bind one port (SO_REUSEPORT), so none is given twice; and
// they are below those that the kernel gives to clients and to fixture servers.
var handed = func() *atomic.Int32 {
	var port atomic.Int32
	port.Store(10_000 + rand.Int32N(15_000)) // other runs of these tests begin elsewhere
	return &port
}()

// freePorts answers ports that nobody had a moment ago and nobody else is given.
func freePorts(t *testing.T, n int) (ports []int) {
	t.Helper()
	for range 10 * n {
		port := int(handed.Add(1))
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		listener.Close()
		if ports = append(ports, port); len(ports) == n {
			return ports
		}
	}
	t.Fatal("there are no free ports")
	return nil
}
