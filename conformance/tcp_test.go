package conformance

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// banner starts a tcp server that says its name and hangs up.
func banner(t *testing.T, name string) int {
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
			_, _ = io.WriteString(conn, name)
			conn.Close()
		}
	}()
	return listener.Addr().(*net.TCPAddr).Port
}

// hear answers what a server says to whoever connects.
func hear(port int) string {
	conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), time.Minute)
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	said, _ := io.ReadAll(conn) // a connection that is reset says nothing
	return string(said)
}

// serveTLS starts a TLS server with a certificate for a host, which is all that it answers, and answers its port.
func serveTLS(t *testing.T, host string) int {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, &about, &about, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, host) })}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return listener.Addr().(*net.TCPAddr).Port
}

// visit asks a port for a host by TLS and answers whose certificate and whose body came; "closed" for neither.
func visit(port int, host string) string {
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: time.Minute}, "tcp", fmt.Sprintf("127.0.0.1:%d", port), &tls.Config{ServerName: host, InsecureSkipVerify: true})
	if err != nil {
		return "closed"
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host); err != nil {
		return err.Error()
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err.Error()
	}
	body, _ := io.ReadAll(response.Body)
	return conn.ConnectionState().PeerCertificates[0].Subject.CommonName + " " + string(body)
}

// TestSNI has the cases of reqMode=sni.
func TestSNI(t *testing.T) {
	t.Parallel()
	p := start(t)
	ports := freePorts(t, 2)
	t.Run("54", func(t *testing.T) {
		src := fmt.Sprintf("srcPort=%d", ports[0])
		for _, name := range []string{"a", "b"} {
			p.must(t, name, serveTLS(t, name+".test"), "reqMode=sni", src, "pathType=req_ssl_sni -i -m beg", "servicePath="+name+".")
		}
		for host, want := range map[string]string{"a.test": "a.test a.test", "B.TEST": "b.test b.test", "b.test": "b.test b.test", "c.test": "closed"} {
			if got := visit(ports[0], host); got != want {
				t.Errorf("%s: got %q, want %q", host, got, want)
			}
		}
	})
	t.Run("55", func(t *testing.T) {
		p.must(t, "c", serveTLS(t, "a.test"), "reqMode=sni", fmt.Sprintf("srcPort=%d", ports[1]), "serviceDomain=a.test")
		for host, want := range map[string]string{"a.test": "a.test a.test", "b.test": "closed"} {
			if got := visit(ports[1], host); got != want {
				t.Errorf("%s: got %q, want %q", host, got, want)
			}
		}
	})
}

// TestTCP has the cases of reqMode=tcp.
func TestTCP(t *testing.T) {
	t.Parallel()
	p := start(t)
	ports := freePorts(t, 3)
	t.Run("48", func(t *testing.T) {
		p.must(t, "svc", banner(t, "svc"), "reqMode=tcp", fmt.Sprintf("srcPort=%d", ports[0]))
		if got := hear(ports[0]); got != "svc" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("50", func(t *testing.T) {
		if r, err := p.reconfigure("none", "reqMode=tcp", "port=80", "outboundHostname=127.0.0.1"); err != nil || r.Code != http.StatusBadRequest || !strings.Contains(r.Message, "srcPort") {
			t.Errorf("got %+v, %v", r, err)
		}
	})
	t.Run("51", func(t *testing.T) {
		src := fmt.Sprintf("srcPort=%d", ports[1])
		p.must(t, "a", banner(t, "a"), "reqMode=tcp", src)
		if _, err := p.reconfigure("b", "reqMode=tcp", src, "outboundHostname=127.0.0.1", fmt.Sprintf("port=%d", banner(t, "b"))); err != nil {
			t.Fatal(err)
		}
		if got := hear(ports[1]); got != "a" {
			t.Errorf("got %q", got)
		}
		if problems := fmt.Sprintf("%+v", p.problems(t)); !strings.Contains(problems, "Service:b") {
			t.Errorf("the conflict is not reported: %s", problems)
		}
	})
	t.Run("53", func(t *testing.T) {
		for _, name := range []string{"r1", "r2"} {
			p.must(t, name, banner(t, name), "reqMode=tcp", fmt.Sprintf("srcPort=%d", ports[2]), "serviceGroup=g", "balanceGroup=roundrobin")
		}
		first, second, third := hear(ports[2]), hear(ports[2]), hear(ports[2])
		if first == second || first != third || !strings.HasPrefix(first, "r") {
			t.Errorf("got %s, %s, %s", first, second, third)
		}
	})
}
