package conformance

import (
	"fmt"
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

// TestDerivedTCP has one declaration for its cases.
func TestDerivedTCP(t *testing.T) {
	t.Parallel()
	p := start(t)
	ports := freePorts(t, 9)
	src := func(i int) string { return fmt.Sprintf("srcPort=%d", ports[i]) }
	to := func(name string) string { return fmt.Sprintf("port=%d", banner(t, name)) }
	group := func(name string, more ...string) service {
		return svc(name, append(more, "reqMode=tcp", src(2), "serviceGroup=g", "balanceGroup=roundrobin", to(name))...)
	}
	cases := []testCase{
		{number: "http and tcp of one service", services: []service{svc("t-both", "servicePath.1=/t-both", "port.1=@t-both", "reqMode.2=tcp", fmt.Sprintf("srcPort.2=%d", ports[0]), fmt.Sprintf("port.2=%d", banner(t, "t-both-2")))}, requests: []request{get("/t-both", "t-both")}},
		{number: "two ports of one service", services: []service{svc("t-two", "reqMode=tcp", fmt.Sprintf("srcPort.1=%d", ports[1]), fmt.Sprintf("port.1=%d", banner(t, "t-two-1")), fmt.Sprintf("srcPort.2=%d", ports[3]), fmt.Sprintf("port.2=%d", banner(t, "t-two-2")), "checkTcp=True", "clitcpka=true", "timeoutClient=60")}},
		{number: "a group of three", services: []service{group("t-g1"), group("t-g2"), group("t-g3")}},
		{number: "an http entry is not taken", services: []service{svc("t-http", "reqMode=tcp", "srcPort={P}", to("t-http"))}, refused: map[string]int{"t-http": 400}, reported: []string{"com.df.srcPort"}},
		{number: "what protects requests is not passed over", services: []service{svc("t-users", "reqMode=tcp", src(4), "users=a:b", to("t-users"))}, refused: map[string]int{"t-users": 400}, reported: []string{"com.df.users"}},
		{number: "a path has no meaning", services: []service{svc("t-path", "reqMode=tcp", src(5), "servicePath=/x", to("t-path"))}},
		{number: "the port of the API is the proxy's own", services: []service{svc("t-api", "reqMode=tcp", fmt.Sprintf("srcPort=%d", p.api), to("t-api"))}, refused: map[string]int{"t-api": 400}, reported: []string{"com.df.srcPort"}},
		{number: "reqMode is one of three", services: []service{svc("t-mode", "reqMode=udp", src(6), to("t-mode"))}, refused: map[string]int{"t-mode": 409}}, {number: "reqMode is one of three also with a path", services: []service{svc("t-mode-b", "reqMode=HTTPS", "servicePath=/t-mode-b", to("t-mode-b"))}, refused: map[string]int{"t-mode-b": 400}, requests: []request{get("/t-mode-b", "503")}, reported: []string{"com.df.reqMode"}},
		{number: "names without decryption", services: []service{svc("t-name", "reqMode=tcp", src(7), "serviceDomain=a.test", "serviceDomainAlgo=req.ssl_sni", fmt.Sprintf("port=%d", serveTLS(t, "a.test")))}},
	}
	runTogether(t, p, cases)
	t.Run("derived: what tcp says", func(t *testing.T) {
		for port, want := range map[int]string{0: "t-both-2", 1: "t-two-1", 3: "t-two-2", 5: "t-path"} {
			if got := hear(ports[port]); got != want {
				t.Errorf("%s: got %q", want, got)
			}
		}
		heard := map[string]int{}
		for range 6 {
			heard[hear(ports[2])]++
		}
		if heard["t-g1"] != 2 || heard["t-g2"] != 2 || heard["t-g3"] != 2 {
			t.Errorf("the group says %v", heard)
		}
		if got := visit(ports[7], "a.test"); got != "a.test a.test" {
			t.Errorf("t-name: %q", got)
		}
	})
	t.Run("derived: a port that is given back", func(t *testing.T) {
		if err := p.remove([]string{"t-both"}); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) { // the old worker's socket goes a moment later
			conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", ports[0]))
			if err != nil {
				break
			}
			conn.Close()
			if time.Now().After(deadline) {
				t.Fatal("the port is still open")
			}
		}
		if got := hear(ports[1]); got != "t-two-1" {
			t.Errorf("another port says %q", got)
		}
	})
}

// TestDerivedAPI are what the API takes and how.
func TestDerivedAPI(t *testing.T) {
	t.Parallel()
	p := start(t)
	port := serve(t, "svc")
	send := func(t *testing.T, method, query, kind, body string) int {
		t.Helper()
		request, err := http.NewRequest(method, fmt.Sprintf("http://127.0.0.1:%d/v1/docker-flow-proxy/%s", p.api, query), strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if kind != "" {
			request.Header.Set("Content-Type", kind)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		return response.StatusCode
	}
	form := url.Values{"serviceName": {"svc"}, "servicePath": {"/form"}, "users": {"a:b"}, "outboundHostname": {"127.0.0.1"}, "port": {fmt.Sprint(port)}}
	var wait sync.WaitGroup
	for path, ask := range map[string]func() int{
		"/form": func() int {
			return send(t, http.MethodPost, "reconfigure", "application/x-www-form-urlencoded", form.Encode())
		},
		"/query": func() int {
			return send(t, http.MethodPost, fmt.Sprintf("reconfigure?serviceName=query&servicepath=/query&PORT=%d&outboundHostname=127.0.0.1&distribute=false&servicePathExclude=&userAgent=", port), "", "")
		},
		"/put": func() int {
			return send(t, http.MethodPut, fmt.Sprintf("reconfigure?serviceName=put&servicePath=/put&port=%d&outboundHostname=127.0.0.1", port), "", "")
		},
	} {
		wait.Go(func() {
			if got := ask(); got != http.StatusOK {
				t.Errorf("%s: %d", path, got)
			}
		})
	}
	wait.Wait()
	p.want(t, "/form", "401")
	p.want(t, "/query", "svc")
	p.want(t, "/put", "svc")
	for query, want := range map[string]int{"remove": 400, "remove?serviceName=": 400, "remove?serviceName=nobody": 200, "reconfigure?serviceName=": 400, "reconfigure?serviceName=x&isDefaultBackend=true&port=1": 409,
		"reconfigure?serviceName=x&servicePath=/x&port=": 400, "reconfigure?serviceName=x&servicePath=&port=1": 409, "reconfigure?serviceName=x&servicePath=/x&servicePath=/y&port=1": 400} {
		if got := send(t, http.MethodGet, query, "", ""); got != want {
			t.Errorf("%s: got %d, want %d", query, got, want)
		}
	}
	if got := send(t, http.MethodPost, "reconfigure", "application/json", `{"serviceName":"j","servicePath":"/j","port":"80"}`); got != http.StatusBadRequest {
		t.Errorf("JSON: %d", got)
	}
	p.must(t, "svc", port, "serviceDomain=again.test") // nothing of what it was stays
	p.want(t, "/form", "503")
	testCase{}.ask(t, p, get("again.test/form", "svc"))
}

// TestDerivedTasks are how requests find the tasks of a service; two addresses stand for two tasks.
func TestDerivedTasks(t *testing.T) {
	t.Parallel()
	p := start(t)
	port := serve(t, "first")
	serveAt(t, "second", fmt.Sprintf("127.0.0.2:%d", port))
	sick := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(map[bool]int{true: 500, false: 503}[strings.HasSuffix(r.URL.Path, "/health")])
	})}
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.3:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	go sick.Serve(listener)
	t.Cleanup(func() { sick.Close() })
	whole := fmt.Sprintf("port=%d", port)
	two, three := "outboundHostname=127.0.0.1,127.0.0.2", "outboundHostname=127.0.0.1,127.0.0.2,127.0.0.3"
	services := []service{
		svc("k-turn", "servicePath=/k-turn", two, whole), svc("k-sticky", "servicePath=/k-sticky", "sessionType=sticky-server", two, whole),
		svc("k-check", "servicePath=/k-check", "checkPath=/health", "checkInterval=200ms", three, whole),
		svc("k-retry", "servicePath=/k-retry", "retryOn=503", "retries=3", three, whole), svc("k-none", "servicePath=/k-none", three, whole),
		svc("k-source", "servicePath=/k-source", "loadBalance=source", two, whole), svc("k-queue", "servicePath=/k-queue", "maxConn=1", "outboundHostname=127.0.0.1", whole),
	}
	for name, r := range p.declare(t, services) {
		if r.Code != http.StatusOK {
			t.Fatalf("%s: %+v", name, r)
		}
	}
	count := func(path string, n int) map[string]int {
		heard := map[string]int{}
		for range n {
			heard[p.ask(t, path)]++
		}
		return heard
	}
	t.Run("derived: in turn", func(t *testing.T) {
		if got := count("/k-turn", 4); got["first"] != 2 || got["second"] != 2 {
			t.Errorf("got %v", got)
		}
	})
	t.Run("derived: by the client's address", func(t *testing.T) {
		if got := count("/k-source", 4); len(got) != 1 {
			t.Errorf("got %v", got)
		}
	})
	t.Run("derived: a task that is sick gets nothing", func(t *testing.T) {
		for deadline := time.Now().Add(time.Minute); ; {
			if got := count("/k-check", 6); got["503"] == 0 {
				return
			} else if time.Now().After(deadline) {
				t.Fatalf("got %v", got)
			}
		}
	})
	t.Run("derived: what is tried again", func(t *testing.T) {
		if got := count("/k-retry", 6); got["503"] > 0 {
			t.Errorf("with retryOn=503: %v", got)
		}
		if got := count("/k-none", 6); got["503"] != 2 {
			t.Errorf("without: %v", got)
		}
	})
	t.Run("derived: the excess waits", func(t *testing.T) {
		var served atomic.Int64
		var wait sync.WaitGroup
		began := time.Now()
		for range 4 {
			wait.Go(func() {
				if s := p.do(t, request{path: "/k-queue", header: []string{"X-Fixture-Pause: 200ms"}}); s.code == http.StatusOK {
					served.Add(1)
				}
			})
		}
		wait.Wait()
		if took := time.Since(began); served.Load() != 4 || took < 750*time.Millisecond {
			t.Errorf("%d served in %s", served.Load(), took)
		}
	})
	t.Run("derived: a client stays over a reload", func(t *testing.T) {
		s := p.do(t, request{path: "/k-sticky"})
		cookie, _, _ := strings.Cut(s.header.Get("Set-Cookie"), ";")
		p.must(t, "k-more", port, "servicePath=/k-more")
		for range 3 {
			if again := p.do(t, request{path: "/k-sticky", header: []string{"Cookie: a=b; " + cookie}}); again.answer.Service != s.answer.Service || again.header.Get("Set-Cookie") != "" {
				t.Errorf("%s after %s with %s", again.answer.Service, s.answer.Service, cookie)
			}
		}
	})
}

// TestDerivedWithoutPrivileges runs the program as a user who may nothing, with settings by flags.
func TestDerivedWithoutPrivileges(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root can become somebody else; as anybody else every test is this one")
	}
	const nobody = 65534
	program := binary(t)
	dir := enterable(t)
	if err := os.Chmod(filepath.Dir(program), 0o755); err != nil {
		t.Fatal(err)
	}
	a := newAuthority(t, "Conformance")
	ports := freePorts(t, 4)
	p := &proxy{entry: ports[0], second: ports[1], api: ports[2], tls: ports[3], authority: a, dir: dir}
	p.put(t, "certs/a.test.pem", a.issue(t, "a.test").pem)
	p.put(t, "secrets/dfp_users", []byte("a:b\n"))
	if err := filepath.Walk(dir, func(path string, _ os.FileInfo, err error) error { return os.Chown(path, nobody, nobody) }); err != nil {
		t.Fatal(err)
	}
	haproxy, err := exec.LookPath("haproxy")
	if err != nil {
		t.Fatal(err)
	}
	p.command = exec.Command(program, "run", "--swarm=false", "--dir", dir, "--haproxy", haproxy, "--ip", "127.0.0.1", "--port", fmt.Sprint(p.api), "--default-ports", fmt.Sprintf("%d,%d:ssl", p.entry, p.tls), "--bind-ports", fmt.Sprintf("127.0.0.1:%d", p.second), "--drain-timeout", "1s")
	p.command.Env, p.command.Dir = []string{"PATH=/nowhere"}, "/"
	p.command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	p.begin(t)
	src := freePorts(t, 1)[0]
	runTogether(t, p, []testCase{
		{number: "without privileges", services: []service{svc("u-svc", "servicePath=/u-svc"), svc("u-tcp", "reqMode=tcp", fmt.Sprintf("srcPort=%d", src), fmt.Sprintf("port=%d", banner(t, "u-tcp"))), svc("u-low", "reqMode=tcp", "srcPort=79", "port=1")}, reported: []string{"cannot be bound"},
			requests: []request{get("/u-svc", "401"), get("/u-svc", "u-svc", user("a:b")), get("a.test/u-svc", "u-svc", user("a:b"), secure), get("/u-svc", "u-svc", user("a:b"), second)}},
	})
	if got := hear(src); got != "u-tcp" {
		t.Errorf("tcp: %q", got)
	}
}
