package main

import (
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"sluice/internal/haproxy/haproxytest"
	"sluice/internal/influx/influxtest"
	"sluice/policy"
)

// startRealProxy builds and runs the proxy, which writes to InfluxDB; the answers are the addresses of its API, its entry and of
// one port more.
func startRealProxy(t *testing.T, server *influxtest.Server) (api, entry, other string) {
	t.Helper()
	haproxytest.Binary(t)
	dir, err := os.MkdirTemp("", "scaled") // HAProxy's user must enter it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "proxy")
	if output, err := exec.Command("go", "build", "-buildvcs=false", "-o", binary, "sluice/cmd/proxy").CombinedOutput(); err != nil {
		t.Fatalf("build the proxy: %v: %s", err, output)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0") // unlike HAProxy, the API shares its port with nobody
	if err != nil {
		t.Fatal(err)
	}
	free.Close()
	api, entry, other = free.Addr().String(), haproxytest.Address(t), haproxytest.Address(t)
	host, port, _ := net.SplitHostPort(api)
	cmd := exec.Command(binary, "run", "--swarm=false", "--dir", dir)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "IP=" + host, "PORT=" + port, "DEFAULT_PORTS=" + entry, "DRAIN_TIMEOUT=1s", "HARD_STOP_AFTER=3",
		"INFLUX_URL=" + server.URL, "INFLUX_BUCKET=" + server.Bucket, "STATS_INSTANCE=real"}
	var output strings.Builder
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the proxy's output:\n%s", &output)
		}
	})
	until(t, "the proxy is ready", func() bool {
		response, err := http.Get("http://" + api + "/readyz")
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	return api, entry, other
}

func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(4 * time.Minute); !holds(); {
		if time.Now().After(deadline) {
			t.Fatalf("not after four minutes: %s", what)
		}
		<-time.After(100 * time.Millisecond)
	}
}

// declare gives the proxy a service outside of the swarm that answers at address.
func declare(t *testing.T, api, name, address, parameters string) {
	t.Helper()
	host, port, _ := net.SplitHostPort(address)
	query := url.Values{"serviceName": {name}, "outboundHostname": {host}, "port": {port}}.Encode()
	response, err := http.Get("http://" + api + "/v1/docker-flow-proxy/reconfigure?" + query + "&" + parameters)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, _ := io.ReadAll(response.Body); response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", name, body)
	}
}

// bothSourcesAgree feeds one HAProxy to InfluxDB and to /v1/stats, with services over HTTP, over TCP and in a group.
func bothSourcesAgree(t *testing.T, server *influxtest.Server) {
	api, entry, other := startRealProxy(t, server)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-time.After(20 * time.Millisecond)
		if r.URL.Path == "/http/broken" {
			w.WriteHeader(http.StatusInternalServerError)
		}
		fmt.Fprint(w, strings.Repeat("x", 1000))
	}))
	defer app.Close()
	_, otherPort, _ := net.SplitHostPort(other)
	_, groupPort, _ := net.SplitHostPort(haproxytest.Address(t))
	declare(t, api, "over_http", app.Listener.Addr().String(), "servicePath=/http")
	declare(t, api, "over_tcp", app.Listener.Addr().String(), "reqMode=tcp&srcPort="+otherPort)
	declare(t, api, "member_one", app.Listener.Addr().String(), "reqMode=tcp&serviceGroup=g&balanceGroup=roundrobin&srcPort="+groupPort)
	declare(t, api, "member_two", app.Listener.Addr().String(), "reqMode=tcp&serviceGroup=g&balanceGroup=roundrobin&srcPort="+groupPort)

	fromInflux := realFeed(t, server)
	fromProxy := newFeed(nil, "", time.Minute, zerolog.Nop())
	fromProxy.direct = newDirect([]string{api})
	all := metricWishes(t, "over_http", "over_tcp", "member_one", "member_two")
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	load := func() error {
		for _, address := range []string{entry + "/http", entry + "/http/broken", "127.0.0.1:" + otherPort + "/", "127.0.0.1:" + groupPort + "/", "127.0.0.1:" + groupPort + "/"} {
			response, err := client.Get("http://" + address)
			if err != nil {
				return err
			}
			_, _ = io.Copy(io.Discard, response.Body)
			response.Body.Close()
		}
		return nil
	}
	var missing string // what is not there yet, for the log of a failure
	defer func() { t.Logf("missing at the end: %q", missing) }()
	until(t, "both sources have points of every metric that are not zero", func() bool {
		if err := load(); err != nil { // a reload is on its way to HAProxy
			missing = err.Error()
			return false
		}
		fromInflux.pull(t.Context(), all)
		fromProxy.pull(t.Context(), all)
		if missing = fromInflux.trouble + fromProxy.trouble; missing == "" {
			missing = compare(t, fromInflux, fromProxy, all)
		}
		return missing == ""
	})
	fallsBackAndReturns(t, server, api, load, all)
}

// compare looks at the points that both have, and says what there is too little of.
func compare(t *testing.T, a, b *feed, all []wish) (missing string) {
	t.Helper()
	for _, w := range all {
		other := map[string]policy.Point{} // by metric and time
		key := func(s policy.Series, p policy.Point) string {
			return fmt.Sprint(s.Metric, " ", s.Proxy, " ", s.Backend, " ", p.At.UnixMilli())
		}
		for _, s := range b.samples.of(w.service) {
			for _, p := range s.Points {
				other[key(s, p)] = p
			}
		}
		both := map[string]int{}
		for _, s := range a.samples.of(w.service) {
			for i, p := range s.Points {
				o, found := other[key(s, p)]
				if !found || i == 0 { // the first of a rate has nothing before it in one of them
					continue
				}
				if !same(p.Value, o.Value) || !same(p.Weight, o.Weight) {
					t.Fatalf("%s of %s: InfluxDB says %+v, the proxy %+v", s.Metric, w.service, p, o)
				}
				if p.Value != 0 || s.Metric == "queue" || s.Metric == "errorRate" && w.service != "over_http" {
					both[s.Metric]++
				}
			}
		}
		for _, metric := range haproxyMetrics {
			if metric == "sessions" && w.grouped { // what is open when servers are read may be nothing
				continue
			}
			if metric == "responseTime" && w.service != "over_http" { // 0 ms to connect to loopback
				continue
			}
			if both[metric] < 3 {
				missing += fmt.Sprintf("%s of %s: %d; ", metric, w.service, both[metric])
			}
		}
	}
	return missing
}

// same forgives what the proxy loses by keeping 32 bits of a mean.
func same(a, b float64) bool { return math.Abs(a-b) <= 1e-6*max(math.Abs(a), math.Abs(b)) }
