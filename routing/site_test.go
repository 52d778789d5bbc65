package routing_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sluice/internal/haproxy/haproxytest"
	"sluice/internal/label"
	"sluice/routing"
)

// site is a HAProxy with services behind it that answer who they are.
type site struct {
	address string
	haproxy *haproxytest.HAProxy
	behind  map[string]netip.AddrPort // backend -> where it answers
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{address: haproxytest.Address(t), behind: map[string]netip.AddrPort{}}
	s.haproxy = haproxytest.Start(t, render(t, routing.Table{}, s.settings()).Files())
	return s
}

func (s *site) settings() routing.Settings {
	settings := patient(s.address)
	settings.Handover = "abns@sluice-" + s.address
	return settings
}

// serve routes the services, each backend to a server of its own.
func (s *site) serve(t *testing.T, services []routing.Service) []label.Problem {
	t.Helper()
	table, problems := build(services)
	for i, b := range table.Backends {
		addr, started := s.behind[b.Name]
		if !started {
			addr = startService(t, b)
			s.behind[b.Name] = addr
			t.Cleanup(func() { delete(s.behind, b.Name) })
		}
		table.Backends[i].Servers = []routing.Server{{Name: b.Service + ".1", Addr: addr}}
	}
	s.haproxy.Put(render(t, table, s.settings()).Files())
	return problems
}

func startService(t *testing.T, b routing.Backend) netip.AddrPort {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Service", b.Service)
		w.Header().Set("Backend", b.Name)
		w.Header().Set("Port", fmt.Sprint(b.Port))
		w.Header().Set("Saw-X-Forwarded-For", strings.Join(r.Header.Values("X-Forwarded-For"), ","))
		w.Header().Set("Saw-Host", r.Host)
		_, _ = io.WriteString(w, r.RequestURI)
	}))
	t.Cleanup(server.Close)
	return netip.MustParseAddrPort(server.Listener.Addr().String())
}

// answer is what a client gets.
type answer struct {
	status int
	header http.Header
	target string
}

func (a answer) String() string {
	if service := a.header.Get("Service"); service != "" {
		return service + " " + a.target
	}
	return fmt.Sprint(a.status)
}

func (a answer) withPort() string {
	return a.header.Get("Service") + ":" + a.header.Get("Port") + " " + a.target
}

func (s *site) ask(t *testing.T, request string) answer {
	t.Helper()
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%.100q: %v", request, err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("%.100q: %v", request, err)
	}
	return answer{status: response.StatusCode, header: response.Header, target: string(body)}
}

// cases reads services as TestRequestsReachTheirServices writes them.
func cases(t *testing.T, text string) []routing.Service {
	t.Helper()
	var services []routing.Service
	for line := range strings.Lines(strings.TrimSpace(text)) {
		fields := strings.Fields(line)
		s := routing.Service{Name: fields[0], Networks: []string{"proxy"}, Replicas: 1, Labels: map[string]string{
			label.Prefix + "notify": "true", label.Prefix + "port": "8080"}}
		for _, field := range fields[1:] {
			key, value, _ := strings.Cut(field, "=")
			s.Labels[label.Prefix+key] = value
		}
		s.Tasks = []routing.Task{{Name: s.Name + ".1", Addresses: map[string]netip.Addr{"proxy": netip.MustParseAddr("127.0.0.1")}}}
		services = append(services, s)
	}
	return services
}
