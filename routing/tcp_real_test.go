package routing_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sluice/internal/haproxy/haproxytest"
	"sluice/internal/label"
	"sluice/routing"
)

// portSite is a HAProxy with ports of its own for services behind it, which say their backend's name to whoever
// connects.
type portSite struct {
	haproxy *haproxytest.HAProxy
	http    string
	ports   map[string]string // words of the services, "{1}", and the ports they stand for
	address map[string]string // the same, as addresses
	behind  map[string]netip.AddrPort
}

func newPortSite(t *testing.T, ports int) *portSite {
	t.Helper()
	s := &portSite{http: haproxytest.Address(t), ports: map[string]string{}, address: map[string]string{}, behind: map[string]netip.AddrPort{}}
	for n := range ports {
		word := fmt.Sprintf("{%d}", n+1)
		s.address[word] = haproxytest.Address(t)
		s.ports[word] = netip.MustParseAddrPort(s.address[word]).String()[len("127.0.0.1:"):]
	}
	s.haproxy = haproxytest.Start(t, render(t, routing.Table{}, s.settings()).Files())
	return s
}

func (s *portSite) settings() routing.Settings {
	settings := patient(s.http)
	settings.Handover = "abns@sluice-" + s.http
	settings.Timeouts.HTTPRequest = 500 * time.Millisecond
	return settings
}

// services reads them as cases does; all their ports are of 127.0.0.1 unless they say otherwise.
func (s *portSite) services(t *testing.T, text string) []routing.Service {
	t.Helper()
	for word, port := range s.ports {
		text = strings.ReplaceAll(text, word, port)
	}
	services := cases(t, text)
	for _, service := range services {
		if service.Labels[label.Prefix+"srcAddr"] == "" {
			service.Labels[label.Prefix+"srcAddr"] = "127.0.0.1"
		}
	}
	return services
}

// table gives each backend a server for each of its services.
func (s *portSite) table(t *testing.T, services []routing.Service) (routing.Table, []label.Problem) {
	t.Helper()
	table, problems := build(services)
	for i, b := range table.Backends {
		for j, server := range b.Servers {
			if _, started := s.behind[b.Name+server.Name]; !started {
				name, _, _ := strings.Cut(server.Name, ".")
				s.behind[b.Name+server.Name] = speaker(t, name)
			}
			table.Backends[i].Servers[j].Addr = s.behind[b.Name+server.Name]
		}
	}
	return table, problems
}

func (s *portSite) serve(t *testing.T, text string) []label.Problem {
	t.Helper()
	table, problems := s.table(t, s.services(t, text))
	s.haproxy.Put(render(t, table, s.settings()).Files())
	return problems
}

// speaker is a server that says its name and ends the connection when the client does.
func speaker(t testing.TB, name string) netip.AddrPort {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.WriteString(conn, name+"\n")
				_, _ = io.Copy(io.Discard, conn)
			}()
		}
	}()
	return netip.MustParseAddrPort(listener.Addr().String())
}

// hear connects, sends and answers the name of who answers, "closed" when nobody does.
func hear(t testing.TB, address string, send []byte, pieces int) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return "refused"
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	for i := range pieces {
		if _, err := conn.Write(send[len(send)*i/pieces : len(send)*(i+1)/pieces]); err != nil {
			return "closed"
		}
	}
	var said [64]byte
	n, err := conn.Read(said[:])
	if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || err != nil && !isTimeout(err) {
		return "closed"
	} else if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(said[:n]))
}

func isTimeout(err error) bool {
	timeout := net.Error(nil)
	return errors.As(err, &timeout) && timeout.Timeout()
}

// hello is what a client sends first that asks for a host; "" asks for none.
func hello(t testing.TB, host string) []byte {
	t.Helper()
	var sent bytes.Buffer
	client := tls.Client(halfConn{&sent}, &tls.Config{ServerName: host, InsecureSkipVerify: true})
	if err := client.Handshake(); err == nil || sent.Len() == 0 {
		t.Fatalf("%q: sent %d bytes, %v", host, sent.Len(), err)
	}
	return sent.Bytes()
}

// halfConn keeps what is written to it and has nothing to read.
type halfConn struct{ *bytes.Buffer }

func (halfConn) Read([]byte) (int, error)         { return 0, io.EOF }
func (halfConn) Close() error                     { return nil }
func (halfConn) LocalAddr() net.Addr              { return nil }
func (halfConn) RemoteAddr() net.Addr             { return nil }
func (halfConn) SetDeadline(time.Time) error      { return nil }
func (halfConn) SetReadDeadline(time.Time) error  { return nil }
func (halfConn) SetWriteDeadline(time.Time) error { return nil }

func TestPortsLeadToTheirServices(t *testing.T) {
	site := newPortSite(t, 3)
	problems := site.serve(t, `
		48 reqMode=tcp srcPort={1}
		first reqMode=tcp srcPort={2} port=80
		second reqMode=tcp srcPort={2}
		r1 reqMode=tcp srcPort={3} serviceGroup=g balanceGroup=roundrobin weight=2
		r2 reqMode=tcp srcPort={3} serviceGroup=g balanceGroup=roundrobin`)
	if text := list(problems); strings.Count(text, "\n") != 1 || !strings.Contains(text, "second: com.df.reqMode com.df.srcPort com.df.srcAddr: first has the port") {
		t.Errorf("problems: %s", text)
	}
	for word, want := range map[string]string{"{1}": "48", "{2}": "first"} {
		if got := hear(t, site.address[word], nil, 1); got != want {
			t.Errorf("port %s leads to %s, want %s", word, got, want)
		}
	}
	shares := map[string]int{}
	for range 9 {
		shares[hear(t, site.address["{3}"], nil, 1)]++
	}
	if shares["r1"] != 6 || shares["r2"] != 3 {
		t.Errorf("shares of the group are %v, want 6 of r1 with weight 2 and 3 of r2", shares)
	}
}

func TestAccessIsDeniedWithoutHTTPToo(t *testing.T) {
	site := newPortSite(t, 3)
	site.serve(t, `
		in reqMode=tcp srcPort={1} allowFrom=10.0.0.0/8
		out reqMode=tcp srcPort={2} denyFrom=127.0.0.1
		all reqMode=tcp srcPort={3} allowFrom=127.0.0.0/8 denyFrom=10.0.0.0/8`)
	for word, want := range map[string]string{"{1}": "closed", "{2}": "closed", "{3}": "all"} {
		if got := hear(t, site.address[word], nil, 1); got != want {
			t.Errorf("port %s: %s, want %s", word, got, want)
		}
	}
}

func TestASilentConnectionEndsAfterTheTimeoutOfTheService(t *testing.T) {
	site := newPortSite(t, 2)
	site.serve(t, `
		short reqMode=tcp srcPort={1} timeoutClient=300ms
		long reqMode=tcp srcPort={2} timeoutServer=5m`)
	for word, ends := range map[string]bool{"{1}": true, "{2}": false} {
		conn, err := net.Dial("tcp", site.address[word])
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		wait := 1500 * time.Millisecond // for nothing
		if ends {
			wait = 30 * time.Second
		}
		_ = conn.SetReadDeadline(time.Now().Add(wait))
		_, err = io.ReadAll(conn)
		if ended := !isTimeout(err); ended != ends {
			t.Errorf("port %s: the silent connection ended: %v (%v), want %v", word, ended, err, ends)
		}
	}
}

func TestNamesLeadToTheirServices(t *testing.T) {
	site := newPortSite(t, 1)
	site.serve(t, `
		exact reqMode=sni srcPort={1} serviceDomain=a.test,b.test
		wild reqMode=sni srcPort={1} serviceDomain=*.a.test
		deep reqMode=sni srcPort={1} serviceDomain=*.x.a.test
		closed reqMode=sni srcPort={1} serviceDomain=closed.test denyFrom=127.0.0.1`)
	for host, want := range map[string]string{"a.test": "exact", "A.TEST": "exact", "b.test": "exact", "x.a.test": "wild", "y.x.a.test": "deep", "z.y.x.a.test": "deep",
		"z.y.a.test": "wild", "xa.test": "closed", "c.test": "closed", "closed.test": "closed", "": "closed"} {
		if got := hear(t, site.address["{1}"], hello(t, host), 1); got != want {
			t.Errorf("%q leads to %s, want %s", host, got, want)
		}
	}
	if got := hear(t, site.address["{1}"], hello(t, "a.test"), 7); got != "exact" {
		t.Errorf("a hello in pieces leads to %s", got)
	}
	if got := hear(t, site.address["{1}"], []byte("GET / HTTP/1.0\r\n\r\n"), 1); got != "closed" {
		t.Errorf("what is no TLS leads to %s", got)
	}
	began := time.Now()
	if got := hear(t, site.address["{1}"], hello(t, "a.test")[:20], 1); got != "closed" || time.Since(began) > 30*time.Second {
		t.Errorf("half a hello leads to %s after %s", got, time.Since(began))
	}
}

// TestHAProxyTakesTheFirstNameThatMatches compares the lookups with the plain meaning of the table, as for hosts.
func TestHAProxyTakesTheFirstNameThatMatches(t *testing.T) {
	site := newPortSite(t, 1)
	hosts := rapid.SampledFrom([]string{"a.test", "A.test", "b.test", "x.a.test", "y.x.a.test", "z.y.x.a.test", "q.test", "test", "aa.test", ""})
	names := rapid.SliceOfN(rapid.SampledFrom([]string{"a.test", "b.test", "*.a.test", "*.test", "*.x.a.test", "B.TEST", "q.test."}), 1, 3)
	rounds := 0
	rapid.Check(t, func(rt *rapid.T) {
		if rounds++; rounds > 12 { // each costs a reload
			return
		}
		var services []routing.Service
		for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c", "d", "e"}), 1, 5, rapid.ID[string]).Draw(rt, "services") {
			s := site.services(t, name+" reqMode=sni srcPort={1}")[0]
			if rapid.IntRange(0, 2).Draw(rt, "path") == 0 {
				s.Labels[label.Prefix+"pathType"] = "req_ssl_sni -i -m " + rapid.SampledFrom([]string{"str", "beg", "end", "sub", "reg"}).Draw(rt, "matcher")
				s.Labels[label.Prefix+"servicePath"] = rapid.SampledFrom([]string{"a", "x.", "b.test", "test,q"}).Draw(rt, "part")
			} else {
				s.Labels[label.Prefix+"serviceDomain"] = strings.Join(names.Draw(rt, "names"), ",")
			}
			if addr := rapid.SampledFrom([]string{"127.0.0.1", "127.0.0.1", "127.0.0.2"}).Draw(rt, "address"); addr != "" {
				s.Labels[label.Prefix+"srcAddr"] = addr
			}
			s.Labels[label.Prefix+"priority"] = rapid.SampledFrom([]string{"0", "0", "0", "5", "-1"}).Draw(rt, "priority")
			services = append(services, s)
		}
		table, _ := site.table(t, services)
		site.haproxy.Put(render(t, table, site.settings()).Files())
		var routes []routing.Route
		for _, l := range table.Listeners {
			routes = append(routes, l.Routes...)
		}
		for range 15 {
			host, want := hosts.Draw(rt, "host"), "closed"
			at := slices.IndexFunc(routes, func(r routing.Route) bool {
				return r.Bind.Addr.String() == "127.0.0.1" && host != "" && namesMatch(r, host)
			})
			if at >= 0 {
				want = routes[at].Service
			} else if !slices.ContainsFunc(routes, func(r routing.Route) bool { return r.Bind.Addr.String() == "127.0.0.1" }) {
				want = "refused" // nobody asked for the address
			}
			if got := hear(t, site.address["{1}"], hello(t, host), 1); got != want {
				rt.Fatalf("%q leads to %s, want %s of\n%s", host, got, want, plain(routes))
			}
		}
	})
}

// namesMatch says in plain words what a name takes.
func namesMatch(r routing.Route, host string) bool {
	switch host = strings.ToLower(host); r.HostMatch {
	case "beg":
		return strings.HasPrefix(host, r.Host)
	case "sub":
		return strings.Contains(host, r.Host)
	}
	r.Path = "/"
	return matches(r, host, "/", "")
}
