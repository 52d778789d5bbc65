package routing_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"sluice/internal/haproxy/haproxytest"
	"sluice/routing"
)

func tlsCases() []httpCase {
	return []httpCase{
		{name: "75 tasks are told of TLS what is true", requests: `
			S GET a.test/ X-Forwarded-Proto:http => 200 saw:X-Forwarded-Proto:https
			S GET a.test/ => 200 saw:X-Forwarded-Proto:https
			P GET a.test/ X-Forwarded-Proto:https => 200 saw:X-Forwarded-Proto:http
			P GET a.test/ => 200 saw:X-Forwarded-Proto:http`},
		{name: "75 a trusted proxy knows for itself", trusted: loopback(), requests: `
			S GET a.test/ X-Forwarded-Proto:http => 200 saw:X-Forwarded-Proto:https
			P GET a.test/ X-Forwarded-Proto:https => 200 saw:X-Forwarded-Proto:https
			P GET a.test/ X-Forwarded-Proto:http X-Forwarded-For:192.0.2.1 => 200 saw:X-Forwarded-Proto:http
			P GET a.test/ => 200 -saw:X-Forwarded-Proto`},
		{name: "81 82 clients with a certificate", labels: "servicePath.1 /closed\nverifyClientSsl.1 true\nservicePath.2 /open", requests: `
			C GET a.test/closed => 200
			S GET a.test/closed => 403
			P GET a.test/closed => 403
			C GET a.test/open => 200
			S GET a.test/open => 200
			P GET a.test/open => 200`},
		{name: "conditions of TLS", labels: "setReqHeader X-S %[ssl_fc],X-C %[ssl_c_used],X-A a if { ssl_fc },X-B b unless { ssl_c_used } or !{ ssl_fc },X-I %[ssl_fc,iif(yes,no)]", requests: `
			P GET a.test/ => 200 saw:X-S:0 saw:X-C:0 -saw:X-A -saw:X-B saw:X-I:no
			S GET a.test/ => 200 saw:X-S:1 saw:X-C:0 saw:X-A:a saw:X-B:b saw:X-I:yes
			C GET a.test/ => 200 saw:X-S:1 saw:X-C:1 saw:X-A:a -saw:X-B saw:X-I:yes`},
		{name: "another port for TLS", labels: "httpsPort 8443\nsetReqHeader X-Be %[be_name]", requests: `
			P GET a.test/ => 200 saw:X-Be:svc-be8080_0
			S GET a.test/ => 200 saw:X-Be:https-svc-be8443_0`},
		{name: "another port for TLS does not change which route wins", labels: `
			service a
			notify true
			port 80
			httpsPort 443
			servicePath /a
			setReqHeader X-Be %[be_name]
			service b
			notify true
			port 80
			servicePath /a/b
			setReqHeader X-Be %[be_name]
			service c
			notify true
			port 80
			httpsPort 443
			aclName z
			isDefaultBackend true
			setReqHeader X-Be %[be_name]`, requests: `
			P GET a.test/a/x => 200 saw:X-Be:a-be80_0
			S GET a.test/a/x => 200 saw:X-Be:https-a-be443_0
			S GET a.test/a/b => 200 saw:X-Be:b-be80_0
			P GET a.test/ => 200 saw:X-Be:z-be80_0
			S GET a.test/ => 200 saw:X-Be:https-z-be443_0`},
	}
}

func TestPortsOfTheProxyLeadToPortsOfTheTasks(t *testing.T) {
	e := newEntries(t)
	_, plain, _ := net.SplitHostPort(e.plain)
	_, secure, _ := net.SplitHostPort(e.secure)
	for _, row := range []struct{ labels, requests string }{
		{"httpsPort 443\nsrcPort " + plain + "\nsrcHttpsPort " + secure, "P => svc-be80_0\nS => https-svc-be443_0"},
		{"httpsPort 443\nsrcPort " + plain, "P => svc-be80_0\nS => "},
		{"httpsPort 443\nsrcHttpsPort " + secure, "P => svc-be80_0\nS => https-svc-be443_0"},
		{"httpsPort 443\nsrcPort " + secure + "\nsrcHttpsPort " + secure, "P => \nS => https-svc-be443_0"},
		{"srcPort " + plain + "\nsrcHttpsPort " + secure, "P => svc-be80_0\nS => svc-be80_0"},
	} {
		e.serve(t, "service svc\nnotify true\nport 80\nservicePath /\nsetReqHeader X-Be %[be_name]\n"+row.labels, routing.Options{Network: "proxy"}, nil)
		for line := range strings.Lines(row.requests) {
			entry, want, _ := strings.Cut(strings.TrimRight(line, "\n"), " => ")
			if _, saw := e.ask(t, entry+" GET a.test/"); saw.Get("X-Be") != want {
				t.Errorf("%q: %s reaches %q, want %q", row.labels, entry, saw.Get("X-Be"), want)
			}
		}
	}
}

// TestOldWorkerTellsItsSuccessorOfTLS sends a request on connections that were idle while HAProxy was reloaded.
func TestOldWorkerTellsItsSuccessorOfTLS(t *testing.T) {
	e := newEntries(t)
	const labels = "service svc\nnotify true\nport 80\nservicePath.1 /secure\nhttpsOnly.1 true\nservicePath.2 /client\nverifyClientSsl.2 true\nservicePath.3 /\n" +
		"setReqHeader X-C %[ssl_c_used] if { ssl_fc }\n"
	options := routing.Options{Network: "proxy", ClientCA: true}
	for _, row := range []struct{ entry, path, status, proto, used string }{
		{"P", "/", "200", "http", ""},
		{"S", "/", "200", "https", "0"},
		{"C", "/", "200", "https", "1"},
		{"P", "/secure", "302", "", ""},
		{"S", "/secure", "200", "https", "0"},
		{"P", "/client", "403", "", ""},
		{"S", "/client", "403", "", ""},
		{"C", "/client", "200", "https", "1"},
	} {
		t.Run(row.entry+row.path, func(t *testing.T) {
			e.serve(t, labels+"addResHeader X-Generation first", options, nil)
			conn := e.dial(t, row.entry)
			first := exchange(t, conn, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
			_, _ = io.ReadAll(first.Body)
			e.serve(t, labels+"addResHeader X-Generation second", options, nil)
			// what the client says of TLS counts for nothing
			response := exchange(t, conn, "GET "+row.path+" HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-Proto: nonsense\r\n\r\n")
			saw := sawOf(t, response)
			got := []string{response.Status[:3], saw.Get("X-Forwarded-Proto"), saw.Get("X-C")}
			if want := []string{row.status, row.proto, row.used}; strings.Join(got, " ") != strings.Join(want, " ") {
				t.Errorf("got %q, want %q", got, want)
			}
			if row.status == "200" && (first.Header.Get("X-Generation") != "first" || response.Header.Get("X-Generation") != "second" || saw.Get("X-Forwarded-For") != "127.0.0.1") {
				t.Errorf("answered by %q after %q, from %q", response.Header.Get("X-Generation"), first.Header.Get("X-Generation"), saw.Get("X-Forwarded-For"))
			}
		})
	}
}

func TestResumedSessionsKeepTheirClientCertificate(t *testing.T) {
	e := newEntries(t)
	e.serve(t, "service svc\nnotify true\nport 80\nservicePath /\nverifyClientSsl true", routing.Options{Network: "proxy", ClientCA: true}, nil)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		config := &tls.Config{InsecureSkipVerify: true, ServerName: "a.test", Certificates: []tls.Certificate{e.client}, MaxVersion: version, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
		for _, resumed := range []bool{false, true} {
			conn, err := tls.Dial("tcp", e.secure, config)
			if err != nil {
				t.Fatal(err)
			}
			response := exchange(t, conn, "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
			_, _ = io.ReadAll(response.Body) // tickets of TLS 1.3 come with it
			if got := conn.ConnectionState().DidResume; got != resumed || response.StatusCode != 200 {
				t.Errorf("%s: resumed %v, status %d", tls.VersionName(version), got, response.StatusCode)
			}
			conn.Close()
		}
	}
}

func TestClientsWithoutAVerifiedCertificateAreTurnedAway(t *testing.T) {
	e := newEntries(t)
	e.serve(t, "service svc\nnotify true\nport 80\nservicePath /", routing.Options{Network: "proxy", ClientCA: true}, nil)
	stranger := newCertificate(t, "client")
	conn, err := tls.Dial("tcp", e.secure, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { c := stranger.client(); return &c, nil }})
	if err == nil {
		conn.Close()
		t.Error("a stranger's certificate is taken")
	}
}

func TestEntriesAgreeOnHTTP2(t *testing.T) {
	address := haproxytest.Address(t)
	s := secured(address, newCertificate(t, "a.test").named("a.pem"))
	h := haproxytest.Start(t, render(t, routing.Table{}, s).Files())
	for _, row := range []struct {
		h2   bool
		want string
	}{{true, "h2"}, {false, "http/1.1"}} {
		s.TLS.H2 = row.h2
		h.Put(render(t, routing.Table{}, s).Files())
		conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}})
		if err != nil {
			t.Fatal(err)
		}
		if got := conn.ConnectionState().NegotiatedProtocol; got != row.want {
			t.Errorf("with H2 %v the protocol is %q, want %q", row.h2, got, row.want)
		}
		conn.Close()
	}
	if _, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 is taken")
	}
}

// sawOf reads what the task saw of a request that was answered.
func sawOf(t *testing.T, response *http.Response) http.Header {
	t.Helper()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return headersOf(content)
}

// TestServiceCertificatesAnswerTheirHosts is case 79 of the public list, with its neighbours.
func TestServiceCertificatesAnswerTheirHosts(t *testing.T) {
	address := haproxytest.Address(t)
	operator, c, wide := newCertificate(t, "a.test"), newCertificate(t, "c.test"), newCertificate(t, "wide", "*.w.test", "*.x.w.test", "a.test", "evil.test")
	services := scene(t, fmt.Sprintf("service c\nnotify true\nport 80\nserviceDomain c.test,d.test\nserviceCert %s\n"+
		"service w\nnotify true\nport 80\nserviceDomain.1 *.w.test\nserviceDomain.2 a.test\nserviceCert %s", oneLine(c), oneLine(wide)))
	table, problems := build(services)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	config := render(t, table, secured(address, operator.named("a.pem")))
	haproxytest.Start(t, config.Files())
	for host, want := range map[string]issued{"c.test": c, "d.test": c, "x.w.test": wide, "y.x.w.test": wide, "z.y.x.w.test": operator, "a.test": operator, "evil.test": operator, "": operator} {
		if got := shown(t, address, host); got != want.label() {
			t.Errorf("%q is answered by %s, want %s", host, got, want.label())
		}
	}
}

// oneLine is the certificate as a label has it.
func oneLine(i issued) string { return strings.ReplaceAll(string(i.pem()), "\n", `\n`) }
