package routing_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/internal/haproxy/haproxytest"
	"sluice/routing"
)

// tlsTask is a server with a certificate of its own that answers every request with its name.
func tlsTask(t testing.TB, name string) netip.AddrPort {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{newCertificate(t, name).client()}})
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, name) })}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return netip.MustParseAddrPort(listener.Addr().String())
}

// secureSite is a HAProxy with an https entry.
type secureSite struct {
	t       *testing.T
	haproxy *haproxytest.HAProxy
	address string
	port    int
	cert    routing.Certificate
	behind  map[string]netip.AddrPort
	plain   netip.AddrPort // of the http service
}

func newSecureSite(t *testing.T) *secureSite {
	s := &secureSite{t: t, address: haproxytest.Address(t), cert: newCertificate(t, "proxy").named("proxy.pem"), behind: map[string]netip.AddrPort{}}
	s.port = int(netip.MustParseAddrPort(s.address).Port())
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "web for "+r.Header.Get("X-Forwarded-For"))
	})}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	s.plain = netip.MustParseAddrPort(listener.Addr().String())
	s.haproxy = haproxytest.Start(t, s.files(""))
	return s
}

func (s *secureSite) files(text string) map[string][]byte {
	s.t.Helper()
	services := cases(s.t, "web servicePath=/ srcPort="+fmt.Sprint(s.port)+"\n"+strings.ReplaceAll(text, "{S}", fmt.Sprint(s.port)))
	table, problems := routing.BuildTable(services, routing.Options{Network: "proxy", EntryPorts: []int{s.port}, TLSPorts: []int{s.port}})
	if len(problems) > 0 {
		s.t.Fatal(problems)
	}
	for i, b := range table.Backends {
		if b.Service == "web" {
			table.Backends[i].Servers[0].Addr = s.plain
			continue
		}
		if _, started := s.behind[b.Service]; !started {
			s.behind[b.Service] = tlsTask(s.t, b.Service)
		}
		table.Backends[i].Servers[0].Addr = s.behind[b.Service]
	}
	settings := patient()
	settings.Entries = []routing.HTTPEntry{{Address: s.address, Port: s.port, TLS: true}}
	settings.TLS.Certificates = []routing.Certificate{s.cert}
	settings.Handover = "abns@sluice-" + s.address
	return render(s.t, table, settings).Files()
}

// get answers the host of the certificate and the body.
func (s *secureSite) get(host string) (string, error) {
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: time.Minute}, "tcp", s.address, &tls.Config{ServerName: host, InsecureSkipVerify: true})
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host); err != nil {
		return "", err
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(response.Body)
	return conn.ConnectionState().PeerCertificates[0].DNSNames[0] + ": " + string(body), err
}

func TestNamesArePassedOnBesideHTTPS(t *testing.T) {
	site := newSecureSite(t)
	site.haproxy.Put(site.files("a reqMode=sni srcPort={S} serviceDomain=a.test,*.a.test"))
	for host, want := range map[string]string{"a.test": "a: a", "x.a.test": "a: a", "b.test": "proxy: web for 127.0.0.1", "": "proxy: web for 127.0.0.1"} {
		if got, err := site.get(host); err != nil || got != want {
			t.Errorf("%q: got %q, %v, want %q", host, got, err, want)
		}
	}
}

// TestNamesComeAndGoBesideHTTPSWithoutALoss moves the port between the listener and the entry while clients connect.
func TestNamesComeAndGoBesideHTTPSWithoutALoss(t *testing.T) {
	site := newSecureSite(t)
	names := site.files("a reqMode=sni srcPort={S} serviceDomain=a.test")
	none := site.files("")
	var stop atomic.Bool
	var asked atomic.Int64
	var clients sync.WaitGroup
	for range 3 {
		clients.Go(func() {
			for !stop.Load() {
				got, err := site.get("b.test")
				if asked.Add(1); err != nil || got != "proxy: web for 127.0.0.1" {
					t.Errorf("got %q, %v", got, err)
				}
			}
		})
	}
	// a client that connects while the names are there and says its own when they are gone
	site.haproxy.Put(names)
	slow, err := net.Dial("tcp", site.address)
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	site.haproxy.Until("the listener has the connection", func() bool {
		return strings.Contains(site.haproxy.Ask("show sess"), fmt.Sprintf("fe=sni_%d", site.port))
	})
	site.haproxy.Put(none)
	if err := tls.Client(slow, &tls.Config{ServerName: "b.test", InsecureSkipVerify: true}).HandshakeContext(t.Context()); err != nil {
		t.Errorf("the slow client: %v", err)
	}
	for range 2 {
		site.haproxy.Put(names)
		site.haproxy.Put(none)
	}
	stop.Store(true)
	clients.Wait()
	t.Logf("%d connections through 6 reloads", asked.Load())
}
