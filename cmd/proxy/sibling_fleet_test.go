package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"sluice/internal/daemon"
	"sluice/routing"
)

// fleet is some proxies of one service: their APIs, files and exchanges, without HAProxy. What is declared is in force
// at once.
type fleet struct {
	t       *testing.T
	port    int
	members []*member
}

type member struct {
	t        *testing.T
	addr     netip.Addr
	port     int
	file     string
	token    string // that it sends
	declared *declarations
	siblings *siblings
	cut      atomic.Bool // nothing comes in or goes out; whoever asks waits
	moved    atomic.Bool // every exchange is answered with a redirect
	server   *httptest.Server
	stop     func()
}

const fleetToken = "the-token"

// newFleet starts n proxies on 127.0.0.2, 127.0.0.3 … and one port.
func newFleet(t *testing.T, n int) *fleet {
	t.Helper()
	f := &fleet{t: t}
	first, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	f.port = first.Addr().(*net.TCPAddr).Port
	first.Close()
	for i := range n {
		addr := netip.AddrFrom4([4]byte{127, 0, 0, byte(2 + i)})
		f.members = append(f.members, &member{t: t, addr: addr, port: f.port, token: fleetToken, file: filepath.Join(t.TempDir(), "services.json")})
	}
	for _, m := range f.members {
		m.start(f.addresses)
	}
	t.Cleanup(func() {
		for _, m := range f.members {
			m.cut.Store(false)
			m.stop()
		}
	})
	await(t, "all know each other", func() bool {
		for _, m := range f.members {
			if m.siblings.friends() != n-1 {
				return false
			}
		}
		return true
	})
	return f
}

// friends counts the siblings whose last exchange went well.
func (s *siblings) friends() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.peers {
		if p.instance != s.instance && p.known != nil && p.failure == nil {
			n++
		}
	}
	return n
}

func (f *fleet) addresses(context.Context, string) (all []netip.Addr, err error) {
	for _, m := range f.members {
		all = append(all, m.addr)
	}
	return all, nil
}

// start runs the program anew on the member's files.
func (m *member) start(lookup func(context.Context, string) ([]netip.Addr, error)) {
	m.t.Helper()
	instance := newInstance()
	declared, err := openDeclarations(m.file, nil, instance, zerolog.Nop())
	if err != nil {
		m.t.Fatal(err)
	}
	var c controlSettings
	c.APIToken, c.Port, c.ServiceName = fleetToken, m.port, "proxy"
	s := newSiblings(c, instance, zerolog.Nop())
	s.token = m.token
	s.pace = siblingPace{first: 5 * time.Millisecond, longest: 50 * time.Millisecond, resync: time.Minute, lookup: 20 * time.Millisecond,
		timeout: time.Second, await: 4 * time.Second, known: 20 * time.Millisecond}
	s.lookup, s.shelves[servicesKind] = lookup, declared
	s.client.Transport = cutTransport{s.client.Transport, &m.cut}
	a := api{view: func() *view { return viewOf(declared) }, gather: prometheus.NewRegistry(), recent: http.NotFoundHandler(), declared: declared,
		guard: daemon.Guard{Token: fleetToken}, siblings: s, again: func() {}}
	s.again, s.inForce = a.again, a.inForce
	m.declared, m.siblings = declared, s
	listener, err := net.Listen("tcp", netip.AddrPortFrom(m.addr, uint16(m.port)).String())
	if err != nil {
		m.t.Fatal(err)
	}
	handler := a.handler()
	m.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if m.cut.Load() && r.URL.Path == siblingsPath {
			_, _ = io.Copy(io.Discard, r.Body) // until then the server does not see that the client has left
			<-r.Context().Done()
			return
		}
		if m.moved.Load() && r.URL.Path == siblingsPath {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
			return
		}
		if r.URL.Path == "/elsewhere" {
			m.t.Error("a redirect was followed")
		}
		handler.ServeHTTP(w, r)
	}))
	m.server.Listener.Close()
	m.server.Listener = listener
	m.server.Start()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { s.run(ctx); close(ended) }()
	m.stop = sync.OnceFunc(func() {
		cancel()
		<-ended
		m.server.CloseClientConnections()
		m.server.Close()
	})
}

// viewOf pretends that what is declared is routed.
func viewOf(d *declarations) *view {
	now := d.current()
	v := &view{Declared: now.version, Applied: true, HAProxyOK: true}
	for _, s := range now.services {
		v.Table.Backends = append(v.Table.Backends, routing.Backend{Service: s.Name})
	}
	return v
}

// cutTransport sends nothing while it is cut off: a request waits for its timeout.
type cutTransport struct {
	http.RoundTripper
	cut *atomic.Bool
}

func (c cutTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if c.cut.Load() {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return c.RoundTripper.RoundTrip(r)
}

// call asks the member's API; parameters are name and value in turn.
func (m *member) call(action string, parameters ...string) (code int, answer dfpAnswer) {
	m.t.Helper()
	values := url.Values{}
	for i := 0; i < len(parameters); i += 2 {
		values.Set(parameters[i], parameters[i+1])
	}
	request, err := http.NewRequest(http.MethodGet, fmt.Sprintf("%s%s%s?%s", m.server.URL, dfpPath, action, values.Encode()), nil)
	if err != nil {
		m.t.Fatal(err)
	}
	request.Header.Set("X-Api-Token", fleetToken)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		m.t.Error(err)
		return 0, answer
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		m.t.Error(err)
	}
	return response.StatusCode, answer
}

func (m *member) declare(service, path string, more ...string) (int, dfpAnswer) {
	m.t.Helper()
	return m.call("reconfigure", append([]string{"serviceName", service, "servicePath", path, "port", "80"}, more...)...)
}

// state is what the member has, removals included.
func (m *member) state() map[string]mark {
	m.declared.mu.Lock()
	defer m.declared.mu.Unlock()
	return m.declared.marks
}

// converge waits until all members have the same, and answers the services.
func (f *fleet) converge() []string {
	f.t.Helper()
	var differ string
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		differ = ""
		for _, m := range f.members[1:] {
			differ += cmp.Diff(names(f.members[0].declared), names(m.declared)) + cmp.Diff(f.members[0].state(), m.state(), cmp.AllowUnexported(mark{}))
		}
		if differ == "" {
			return names(f.members[0].declared)
		}
	}
	f.t.Fatalf("they do not converge: %s", differ)
	return nil
}

// await waits for a condition.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}
