package conformance

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"sluice/routing"
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
	conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), time.Second)
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	said, _ := io.ReadAll(conn) // a connection that is reset says nothing
	return string(said)
}

// TestTCP has the cases of reqMode=tcp.
func TestTCP(t *testing.T) {
	for _, name := range []string{"reqMode", "srcPort", "serviceGroup", "balanceGroup"} {
		if _, known := routing.Labels.Lookup(name); !known {
			t.Logf("not built: 48 50 51 53 (com.df.%s)", name)
			return
		}
	}
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
