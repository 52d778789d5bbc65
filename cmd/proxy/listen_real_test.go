package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"sluice/internal/haproxy/haproxytest"
	"sluice/internal/swarm"
	"sluice/routing"
)

// echo is a task that says its name to whoever connects and then repeats what it hears.
func (r *rig) echo(service string, slot int, address string) swarm.Task {
	r.t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(address, fmt.Sprint(r.port)))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				fmt.Fprintf(conn, "%s.%d\n", service, slot)
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	return runningTask(service, slot, address)
}

// dial connects and answers what is said first, or the error.
func dial(t *testing.T, address, first string) (conn net.Conn, heard string) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, "refused"
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	_, _ = io.WriteString(conn, first) // a connection that is reset says nothing
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return conn, "closed"
	}
	return conn, strings.TrimSpace(line)
}

func hear(t *testing.T, address, first string) string {
	conn, heard := dial(t, address, first)
	if conn != nil {
		conn.Close()
	}
	return heard
}

// hello is what a client sends first that asks for a host.
func hello(host string) string {
	var sent bytes.Buffer
	_ = tls.Client(halfConn{&sent}, &tls.Config{ServerName: host}).Handshake() // nobody answers it
	return sent.String()
}

type halfConn struct{ *bytes.Buffer }

func (halfConn) Read([]byte) (int, error)         { return 0, io.EOF }
func (halfConn) Close() error                     { return nil }
func (halfConn) LocalAddr() net.Addr              { return nil }
func (halfConn) RemoteAddr() net.Addr             { return nil }
func (halfConn) SetDeadline(time.Time) error      { return nil }
func (halfConn) SetReadDeadline(time.Time) error  { return nil }
func (halfConn) SetWriteDeadline(time.Time) error { return nil }

// port asks for a mode on an address that the test has reserved.
func port(mode, address string, more ...string) []string {
	addr := netip.MustParseAddrPort(address)
	return append([]string{"reqMode=" + mode, "srcAddr=" + addr.Addr().String(), fmt.Sprintf("srcPort=%d", addr.Port())}, more...)
}

func TestTasksAndNamesOfPortsComeAndGoAtRuntime(t *testing.T) {
	r := newRig(t)
	tcp, sni := haproxytest.Address(t), haproxytest.Address(t)
	r.swarm.services = []swarm.Service{
		r.service("redis", 1, port("tcp", tcp)...), r.service("names", 1, port("sni", sni, "serviceDomain=a.test")...),
		r.service("g1", 1, port("tcp", haproxytest.Address(t), "serviceGroup=g", "weight=3", "checkTcp=true")...),
	}
	r.swarm.tasks = []swarm.Task{r.echo("redis", 1, "127.0.0.11"), r.echo("names", 1, "127.0.0.21"), r.echo("g1", 1, "127.0.0.31")}
	r.settle()
	if a, b := hear(t, tcp, ""), hear(t, sni, hello("a.test")); a != "redis.1" || b != "names.1" {
		t.Fatalf("got %s and %s", a, b)
	}
	reloads := r.reloads()
	r.swarm.change(func() {
		r.swarm.services[0].Replicas, r.swarm.services[2].Replicas = 2, 2
		r.swarm.tasks = append(r.swarm.tasks, r.echo("redis", 2, "127.0.0.12"), r.echo("g1", 2, "127.0.0.32"))
		r.swarm.services[1].Labels["com.df.serviceDomain"] = "a.test,b.test"
	})
	r.settle()
	if a, b := hear(t, tcp, ""), hear(t, tcp, ""); a == b {
		t.Errorf("two connections went to the same of two tasks: %s", a)
	}
	for _, host := range []string{"a.test", "b.test"} {
		if got := hear(t, sni, hello(host)); got != "names.1" {
			t.Errorf("%s: got %s", host, got)
		}
	}
	r.swarm.change(func() {
		r.swarm.services[0].Replicas = 1
		r.swarm.tasks = r.swarm.tasks[1:]
		r.swarm.services[1].Labels["com.df.serviceDomain"] = "b.test"
	})
	r.settle()
	for range 3 {
		if got := hear(t, tcp, ""); got != "redis.2" {
			t.Errorf("after the first task left: got %s", got)
		}
	}
	if got := hear(t, sni, hello("a.test")); got != "closed" {
		t.Errorf("a name that left: got %s", got)
	}
	if now := r.reloads(); now != reloads {
		t.Errorf("%d reloads for tasks and names that came and went, want none", now-reloads)
	}
}

func TestAConnectionOutlivesAReload(t *testing.T) {
	r := newRig(t)
	address := haproxytest.Address(t)
	r.swarm.services = []swarm.Service{r.service("redis", 1, port("tcp", address)...)}
	r.swarm.tasks = []swarm.Task{r.echo("redis", 1, "127.0.0.11")}
	r.settle()
	conn, heard := dial(t, address, "")
	if heard != "redis.1" {
		t.Fatalf("got %s", heard)
	}
	reloads := r.reloads()
	r.swarm.change(func() { r.swarm.services = append(r.swarm.services, r.service("new", 0, "servicePath=/new")) })
	r.settle()
	if r.reloads() == reloads {
		t.Fatal("there was no reload")
	}
	fmt.Fprintln(conn, "still there")
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || line != "still there\n" {
		t.Errorf("got %q, %v", line, err)
	}
	if got := hear(t, address, ""); got != "redis.1" {
		t.Errorf("a new connection: got %s", got)
	}
}

// occupied is an address that another program has.
func occupied(t *testing.T) net.Listener {
	t.Helper()
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Close() })
	return other
}

func TestAPortThatCannotBeBoundHoldsUpNobody(t *testing.T) {
	r := newRig(t)
	other := occupied(t)
	taken := other.Addr().String()
	r.swarm.services = []swarm.Service{
		r.service("redis", 1, port("tcp", taken)...),
		r.service("away", 0, "reqMode=sni", "srcAddr=192.0.2.1", "srcPort=443", "serviceDomain=a.test"),
		r.service("web", 1, "servicePath=/"),
	}
	r.swarm.tasks = []swarm.Task{r.echo("redis", 1, "127.0.0.11"), r.task("web", 1, "web", "127.0.0.12")}
	r.settle()
	if got := r.get("/"); got != "web /" {
		t.Errorf("got %q", got)
	}
	problems := fmt.Sprint(r.loop.view.Load().Problems)
	for _, part := range []string{"redis: com.df.reqMode com.df.srcPort com.df.srcAddr: cannot be bound", "bind " + taken + ": address already in use", "bind 192.0.2.1:443: cannot assign"} {
		if !strings.Contains(problems, part) {
			t.Errorf("no problem says %q: %s", part, problems)
		}
	}
	other.Close()
	r.settle()
	if got := hear(t, taken, ""); got != "redis.1" {
		t.Errorf("when the port is free: got %q", got)
	}
}

func TestAWorkerThatCannotStartLeavesTheOldOneServing(t *testing.T) {
	r := newRig(t)
	r.swarm.services = []swarm.Service{r.service("web", 1, "servicePath=/")}
	r.swarm.tasks = []swarm.Task{r.task("web", 1, "web", "127.0.0.12")}
	r.settle()
	taken := occupied(t).Addr().String()
	redis := r.service("redis", 0, port("tcp", taken)...)
	table, _ := routing.BuildTable([]routing.Service{{Name: "redis", Labels: redis.Labels, Networks: []string{"proxy"}}}, r.loop.options)
	want, err := routing.Render(table, r.loop.settings)
	if err != nil {
		t.Fatal(err)
	}
	// as if the port was taken between the look at it and the reload
	failure := r.loop.engine.reload(t.Context(), want)
	if failure == nil {
		t.Fatal("the reload did not fail")
	}
	if failure = r.loop.listens.accuse(failure, table, r.loop.settings); !strings.Contains(failure.Error(), "bind "+taken+": address already in use") {
		t.Errorf("the failure does not name the address: %v", failure)
	}
	if got := r.get("/"); got != "web /" {
		t.Errorf("got %q", got)
	}
	kept, problems, release := r.loop.listens.try(table, map[string]bool{"tcp_" + strings.Replace(taken, ":", "_", 1): true})
	release()
	if len(kept.Listeners) > 0 || len(problems) != 1 {
		t.Errorf("what is said to run is not tried after a failure: %v", problems)
	}
	r.settle()
	if got := r.get("/"); got != "web /" {
		t.Errorf("after another step: got %q", got)
	}
}

// unreserved is an address that nobody has, the test neither.
func unreserved(t *testing.T) string {
	t.Helper()
	other := occupied(t)
	other.Close()
	return other.Addr().String()
}

// occupy takes an address as soon as the last worker of HAProxy has given it up.
func occupy(t *testing.T, address string) (taken net.Listener) {
	t.Helper()
	await(t, "the address is free", func() (ok bool) {
		var err error
		taken, err = net.Listen("tcp", address)
		return err == nil
	})
	t.Cleanup(func() { taken.Close() })
	return taken
}

func TestAStartWithAPortThatIsTakenLeavesOutThatListener(t *testing.T) {
	r := newRig(t)
	taken, free := unreserved(t), haproxytest.Address(t)
	r.swarm.services = []swarm.Service{r.service("redis", 1, port("tcp", taken)...), r.service("free", 1, port("tcp", free)...), r.service("web", 1, "servicePath=/")}
	r.swarm.tasks = []swarm.Task{r.echo("redis", 1, "127.0.0.11"), r.echo("free", 1, "127.0.0.12"), r.task("web", 1, "web", "127.0.0.13")}
	r.settle()
	r.end()
	other := occupy(t, taken)
	r.start()
	if got, heard := r.get("/"), hear(t, free, ""); got != "web /" || heard != "free.1" {
		t.Errorf("before the swarm is read: got %q and %q", got, heard)
	}
	r.settle()
	if problems := fmt.Sprint(r.loop.view.Load().Problems); !strings.Contains(problems, "bind "+taken+": address already in use") {
		t.Errorf("problems: %s", problems)
	}
	r.end()
	r.start()
	other.Close()
	r.settle()
	if got, heard := r.get("/"), hear(t, taken, ""); got != "web /" || heard != "redis.1" {
		t.Errorf("when the port is free: got %q and %q", got, heard)
	}
}

func TestAListenerThatComesFreeWhileHAProxyStartsIsTakenUp(t *testing.T) {
	r := newRig(t)
	taken := unreserved(t)
	r.swarm.services = []swarm.Service{r.service("redis", 1, port("tcp", taken)...)}
	r.swarm.tasks = []swarm.Task{r.echo("redis", 1, "127.0.0.11")}
	r.settle()
	r.end()
	other := occupy(t, taken)
	r.start()
	other.Close() // what is wanted has the shape that was saved
	r.settle()
	if heard := hear(t, taken, ""); heard != "redis.1" {
		t.Errorf("got %q", heard)
	}
}

func TestUntilTheSwarmIsReadConnectionsAreRefused(t *testing.T) {
	r := newRig(t)
	if got := r.get("/"); got != "refused" {
		t.Errorf("before: %s", got)
	}
	r.settle()
	if got := r.get("/"); got != "503" {
		t.Errorf("of a swarm without services: %s", got)
	}
	r.end()
	r.start()
	if got := r.get("/"); got != "503" {
		t.Errorf("with a saved configuration: %s", got)
	}
}

func TestAnEntryThatIsTakenIsSaidByHAProxyWhenItStarts(t *testing.T) {
	c := startSettings(t)
	other := occupied(t)
	c.DefaultPorts = other.Addr().String()
	for _, bound := range []bool{true, false} {
		store, err := startingConfig(t.Context(), c, zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(store.ConfigFile())
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(content), "bind "+c.DefaultPorts) != bound {
			t.Errorf("the address is taken: %v; HAProxy starts with\n%s", bound, content)
		}
		other.Close()
		if err := os.RemoveAll(c.configDir()); err != nil {
			t.Fatal(err)
		}
	}
}

// A worker with an abstract socket ends when a reload fails.
func TestNoWorkerHasAnAbstractSocket(t *testing.T) {
	var c controlSettings
	c.DefaultPorts = "80,443:ssl"
	settings, err := c.settings("/var/lib/sluice")
	if err != nil {
		t.Fatal(err)
	}
	config, err := routing.Render(routing.Table{}, settings)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(config.Text, "abns@") || strings.Count(config.Text, "bind unix@/var/lib/sluice/next.sock") != 2 {
		t.Errorf("%s", config.Text)
	}
}

func TestTheServersOfAGroupCarryTheirServices(t *testing.T) {
	table, _ := routing.BuildTable([]routing.Service{
		{Name: "st_a", Stack: "st", Networks: []string{"proxy"}, Labels: labels{"com.df.notify": "true", "com.df.reqMode": "tcp", "com.df.port": "80", "com.df.srcPort": "90", "com.df.serviceGroup": "g"},
			Tasks: []routing.Task{{Name: "st_a.1", Addresses: map[string]netip.Addr{"proxy": netip.MustParseAddr("10.0.0.1")}}}},
		{Name: "st_a.b", Stack: "st", Networks: []string{"proxy"}, Labels: labels{"com.df.notify": "true", "com.df.reqMode": "tcp", "com.df.port": "80", "com.df.srcPort": "90", "com.df.serviceGroup": "g"},
			Tasks: []routing.Task{{Name: "st_a.b.1", Addresses: map[string]netip.Addr{"proxy": netip.MustParseAddr("10.0.0.2")}}}},
	}, routing.Options{Network: "proxy"})
	found := owners(table)
	want := map[string]owner{"g-be90_group/st_a.1": {"st_a", "st"}, "g-be90_group/st_a.b.1": {"st_a.b", "st"}}
	if fmt.Sprint(found) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", found, want)
	}
}

func TestTheAPIShowsWhatLeadsToPortsAndNames(t *testing.T) {
	table, problems := routing.BuildTable([]routing.Service{
		{Name: "a", Networks: []string{"proxy"}, Labels: labels{"com.df.notify": "true", "com.df.reqMode": "tcp", "com.df.port": "80", "com.df.srcPort": "90", "com.df.srcAddr": "10.0.0.5", "com.df.serviceGroup": "g"}},
		{Name: "b", Networks: []string{"proxy"}, Labels: labels{"com.df.notify": "true", "com.df.reqMode": "tcp", "com.df.port": "80", "com.df.srcPort": "90", "com.df.srcAddr": "10.0.0.5", "com.df.serviceGroup": "g"}},
		{Name: "n", Networks: []string{"proxy"}, Labels: labels{"com.df.notify": "true", "com.df.reqMode": "sni", "com.df.port": "80", "com.df.srcPort": "91", "com.df.serviceDomain": "*.x.test"}},
	}, routing.Options{Network: "proxy"})
	answer := httptest.NewRecorder()
	api{view: func() *view { return &view{Table: table, Problems: problems} }}.routes(answer, nil)
	for _, part := range []string{`"routes":[{"mode":"tcp","bind":{"port":90,"addr":"10.0.0.5"},"host":""`, `"group":["a","b"]`, `"routes":[{"mode":"sni","bind":{"port":91},"host":"*.x.test"`, `"problems":[]`} {
		if !strings.Contains(strings.Join(strings.Fields(answer.Body.String()), ""), part) {
			t.Errorf("the answer lacks %s: %s", part, answer.Body)
		}
	}
}

// TestASocketThatWorkersCannotReachIsAbstract stands for a folder that only root may enter.
func TestASocketThatWorkersCannotReachIsAbstract(t *testing.T) {
	dir := t.TempDir()
	if enterable(dir) {
		t.Fatal("the folder of a test is closed to others: has that changed?")
	}
	var c controlSettings
	c.DefaultPorts = "80"
	settings, err := c.settings(dir)
	if err != nil {
		t.Fatal(err)
	}
	if closed := settings.User != "" && !strings.HasPrefix(settings.Handover, "abns@"); closed {
		t.Errorf("workers of user %s are sent to %s", settings.User, settings.Handover)
	}
}
