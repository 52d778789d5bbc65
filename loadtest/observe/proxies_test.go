package observe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// itself is the lookup of a name that is an address.
func itself(_ context.Context, host string) ([]string, error) { return []string{host}, nil }

// proxyAt is a proxy's API at an address of loopback, where demo_app has so many connections in second 1000; port "0" is any.
func proxyAt(t *testing.T, ip, port, instance string, connections int) (server *httptest.Server, bound string) {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(ip, port))
	if err != nil {
		t.Fatal(err)
	}
	server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"instance":%q,"workers":[[1000000,1,0,4]],"backends":{"web":{"service":"demo_app","points":[[1000000, %d, 9, 1, 0, 0]]}}}`, instance, connections)
	}))
	server.Listener.Close()
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	_, bound, _ = net.SplitHostPort(listener.Addr().String())
	return server, bound
}

// connections is what a watcher with this source alone knows of second 0, which is Unix second 1000, after one look.
func connections(t *testing.T, p Proxy) (total float64, proxies int, gaps []Gap) {
	t.Helper()
	start := time.Unix(1000, 0)
	w := NewWatcher(start, p)
	r, err := p.Look(t.Context())
	w.Add(start, 0, r, err)
	line := w.Timeline(1)
	if loads := line.Services["demo_app"].Total(); len(loads) > 0 && loads[0] != nil {
		total = *loads[0].Connections
	}
	return total, len(line.Proxies), line.Gaps
}

func TestConnectionsOfSeveralProxiesAreAddedUp(t *testing.T) {
	one, port := proxyAt(t, "127.0.0.1", "0", "one", 5)
	two, _ := proxyAt(t, "127.0.0.2", port, "two", 7)
	tasks := func(_ context.Context, host string) ([]string, error) {
		if host == "tasks.proxy" {
			return []string{"127.0.0.1", "127.0.0.2", "::1"}, nil // the last one is one of them, seen otherwise
		}
		return []string{host}, nil
	}
	for name, urls := range map[string][]string{
		"a list": {one.URL, two.URL}, "a name of several addresses": {"http://tasks.proxy:" + port}, "both": {one.URL, "http://tasks.proxy:" + port},
	} {
		total, proxies, gaps := connections(t, Proxy{URLs: urls, Services: []string{"demo_app"}, Client: one.Client(), Lookup: tasks})
		if total != 12 || proxies != 2 || gaps != nil {
			t.Errorf("%s: %g connections at %d proxies, gaps %v; want 12 at 2", name, total, proxies, gaps)
		}
	}
}

func TestAProxyThatIsSilentBesideOthersIsNamed(t *testing.T) {
	one, port := proxyAt(t, "127.0.0.1", "0", "one", 5)
	two, _ := proxyAt(t, "127.0.0.2", port, "two", 7)
	two.Close()
	p := Proxy{URLs: []string{one.URL, two.URL}, Services: []string{"demo_app"}, Client: one.Client(), Lookup: itself}
	total, proxies, gaps := connections(t, p)
	if total != 5 || proxies != 1 || len(gaps) != 1 || gaps[0].Source != "proxy 127.0.0.2:"+port || !strings.Contains(gaps[0].Reason, "refused") {
		t.Errorf("%g connections at %d proxies, gaps %v; want 5 at 1 and a gap of the other", total, proxies, gaps)
	}
	p.URLs = []string{"http://tasks.proxy:80"}
	p.Lookup = func(context.Context, string) ([]string, error) { return nil, errors.New("no such host") }
	if _, _, gaps := connections(t, p); len(gaps) != 1 || gaps[0].Source != "proxy" || gaps[0].Reason != "no such host" {
		t.Errorf("of a name without an address: gaps %v", gaps)
	}
}

func TestWhatASourceSaysOfAllProxiesIsNotAddedToWhatEachSays(t *testing.T) {
	start := time.Unix(1000, 0)
	w := NewWatcher(start, fakeSource{name: "proxy"}, fakeSource{name: "InfluxDB"})
	of := func(instance string, second int, n float64) Load {
		return Load{Service: "app", Backend: "b", Instance: instance, At: start.Add(time.Duration(second) * time.Second), Connections: &n}
	}
	w.Add(start, 0, Reading{Loads: []Load{of("one", 0, 5), of("two", 0, 7)}}, nil)
	w.Add(start, 1, Reading{Loads: []Load{of("", 0, 11), of("", 4, 30)}}, nil)
	var got []float64
	for _, load := range w.Timeline(5).Services["app"].Total() {
		if load == nil {
			got = append(got, -1)
			continue
		}
		got = append(got, *load.Connections)
	}
	if diff := cmp.Diff([]float64{12, 12, 12, -1, 30}, got); diff != "" {
		t.Errorf("connections (-want +got):\n%s", diff)
	}
}
