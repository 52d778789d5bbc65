package routing_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"sluice/internal/haproxy/haproxytest"
	"sluice/routing"
)

// TestTheModelSpeaksLikeHAProxy sends the same commands to the model of the Diff tests and to HAProxy.
func TestTheModelSpeaksLikeHAProxy(t *testing.T) {
	config := configOf(t, "service web\n notify true\n port 80\n servicePath /a;b\n task web.1 10.0.0.1\n task web.2 fd00::2", haproxytest.Address(t))
	h := haproxytest.Start(t, config.Files())
	pretended := load(config)
	for _, line := range []string{
		"add server web-be80_0/web.3 10.0.0.3:80 weight 1",
		"add server web-be80_0/web.3 10.0.0.3:80 weight 1",
		"add server web-be80_0/web.4 [fd00::4]:80 weight 1",
		"set server web-be80_0/web.3 state ready",
		"set server web-be80_0/web.3 state ready",
		"set server web-be80_0/none state ready",
		"set server none/none state ready",
		"del server web-be80_0/web.3",
		"set server web-be80_0/web.1 addr 10.0.0.9 port 80",
		"set server web-be80_0/web.1 addr 10.0.0.9 port 81",
		"set server web-be80_0/web.1 addr 10.0.0.9 port 81",
		"set server web-be80_0/web.2 addr fd00::3 port 82",
		"set server web-be80_0/web.3 state maint",
		"del server web-be80_0/web.3",
		"del server web-be80_0/web.3",
		`set map routes.map /a\;b/ other`,
		`add map routes.map x.test/it's/ web-be80_0`,
		`add map routes.map /~!$&'()*+=:@%/ web-be80_0`,
		`del map routes.map /a\;b/`,
		`del map routes.map /a\;b/`,
		`set map routes.map /a\;b/ web-be80_0`,
		`add map wildcards.map a.test/ web-be80_0`,
		`add map none.map / web-be80_0`,
	} {
		if diff := cmp.Diff(strings.TrimSpace(pretended.execute(line)), strings.TrimSpace(h.Ask(line))); diff != "" {
			t.Errorf("%s: -model +HAProxy:\n%s", line, diff)
		}
	}
	if diff := cmp.Diff(pretended.running(), observe(t, h), cmpopts.EquateComparable(netip.AddrPort{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("-model +HAProxy:\n%s", diff)
	}
}

// TestPlansWorkOnHAProxy draws a few changes of tasks and routes and carries them out.
func TestPlansWorkOnHAProxy(t *testing.T) {
	address := haproxytest.Address(t)
	h := haproxytest.Start(t, configOf(t, "", address).Files())
	rounds := 0
	rapid.Check(t, func(rt *rapid.T) {
		if rounds++; rounds > 15 {
			return
		}
		services := drawServices(rt)
		before, after := configFrom(rt, services, address), configFrom(rt, redrawTasks(rt, services), address)
		h.Put(before.Files())
		if plan := routing.Diff(observe(t, h), before); plan.Reload != "" || len(plan.Commands) > 0 {
			rt.Fatalf("after a reload something is left to do: %+v", plan)
		}
		plan := routing.Diff(observe(t, h), after)
		for _, c := range plan.Commands {
			answer := h.Ask(c.Line)
			if ok, _ := c.Succeeded(answer); !ok {
				rt.Fatalf("%q is answered %q", c.Line, answer)
			}
		}
		if plan := routing.Diff(observe(t, h), after); plan.Reload != "" || len(plan.Commands) > 0 {
			rt.Fatalf("something is left to do: %+v", plan)
		}
	})
}

func TestLeavingServerFinishesItsRequestAndIsGone(t *testing.T) {
	old, fresh := listen(t), listen(t)
	address := haproxytest.Address(t)
	s := patient(address)
	services := cases(t, "svc servicePath=/")
	table, _ := build(services)
	with := func(addr ...netip.AddrPort) routing.Config {
		table.Backends[0].Servers = nil
		for i, a := range addr {
			table.Backends[0].Servers = append(table.Backends[0].Servers, routing.Server{Name: fmt.Sprintf("svc.%d", i+1), Addr: a})
		}
		return render(t, table, s)
	}
	h := haproxytest.Start(t, with(addrOf(old)).Files())

	first := request(t, address)
	held := accept(t, old)
	// the task is replaced while a request is in flight: the next request goes to the new one
	send(t, h, routing.Diff(observe(t, h), with(addrOf(fresh))), 0)
	second := request(t, address)
	alsoHeld := accept(t, fresh)
	reply(t, held, "old")
	if got := body(t, first); got != "old" {
		t.Errorf("the request in flight got %q", got)
	}
	// the task leaves while a request is in flight: it waits, and nothing new reaches it
	none := with()
	send(t, h, routing.Diff(observe(t, h), none), 1)
	third, err := http.Get("http://" + address + "/")
	if err != nil || third.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("without servers: %v, %v", third, err)
	}
	plan := routing.Diff(observe(t, h), none)
	if len(plan.Commands) != 1 || plan.Leaving != 1 {
		t.Errorf("while it waits the plan is %+v", plan)
	}
	reply(t, alsoHeld, "fresh")
	if got := body(t, second); got != "fresh" {
		t.Errorf("the request of the leaving task got %q", got)
	}
	h.Until("the server is gone", func() bool {
		for _, c := range routing.Diff(observe(t, h), none).Commands {
			c.Succeeded(h.Ask(c.Line))
		}
		return len(routing.Diff(observe(t, h), none).Commands) == 0
	})
}

// send carries out a plan of which waiting commands are to be asked for patience.
func send(t *testing.T, h *haproxytest.HAProxy, plan routing.Plan, waiting int) {
	t.Helper()
	if plan.Reload != "" || len(plan.Commands) == 0 {
		t.Fatalf("got the plan %+v", plan)
	}
	for _, c := range plan.Commands {
		answer := tell(t, h, c)
		ok, later := c.Succeeded(answer)
		if later {
			waiting--
		} else if !ok {
			t.Errorf("%q is answered %q", c.Line, answer)
		}
	}
	if waiting != 0 {
		t.Errorf("%d more commands should wait", waiting)
	}
}

// observe reads what HAProxy runs, as cmd/proxy does.
func observe(t *testing.T, h *haproxytest.HAProxy) routing.Running {
	t.Helper()
	running := routing.Running{
		Shape:    routing.ParseShape([]byte(h.Ask("get var proc.sluice_shape"))),
		Backends: routing.ParseBackends([]byte(h.Ask("show backend"))),
		Maps:     map[string]map[string]string{},
	}
	var err error
	if running.Servers, err = routing.ParseServers([]byte(h.Ask("show servers state"))); err != nil {
		t.Fatal(err)
	}
	for _, name := range routing.ParseMapNames([]byte(h.Ask("show map"))) {
		if running.Maps[name], err = routing.ParseMap([]byte(h.Ask("show map " + name))); err != nil {
			t.Fatal(err)
		}
	}
	running.Certificates = observeCertificates(t, h)
	return running
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func addrOf(l net.Listener) netip.AddrPort { return netip.MustParseAddrPort(l.Addr().String()) }

func request(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	return conn
}

// accept waits until a request has reached the listener.
func accept(t *testing.T, l net.Listener) net.Conn {
	t.Helper()
	_ = l.(*net.TCPListener).SetDeadline(time.Now().Add(time.Minute))
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func reply(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
	conn.Close() // an idle connection would keep its server from being deleted for another five seconds
}

func body(t *testing.T, conn net.Conn) string {
	t.Helper()
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	content, _ := io.ReadAll(response.Body)
	return string(content)
}
