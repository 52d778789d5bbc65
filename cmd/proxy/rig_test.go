package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"sluice/internal/haproxy"
	"sluice/internal/haproxy/haproxytest"
	"sluice/internal/swarm"
)

// fakeSwarm is a swarm that the test changes by hand.
type fakeSwarm struct {
	mu       sync.Mutex
	services []swarm.Service
	tasks    []swarm.Task
	err      error
}

func (f *fakeSwarm) change(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fakeSwarm) Services(context.Context, swarm.Filter) ([]swarm.Service, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]swarm.Service(nil), f.services...), f.err
}

func (f *fakeSwarm) Tasks(context.Context, []string) ([]swarm.Task, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]swarm.Task(nil), f.tasks...), f.err
}

func (f *fakeSwarm) Networks(context.Context) ([]swarm.Network, error) {
	return []swarm.Network{{ID: "net1", Name: "proxy"}}, nil
}

// rig is a real HAProxy with a reconciler on a fake swarm.
type rig struct {
	t       testing.TB
	swarm   *fakeSwarm
	loop    *reconciler
	master  *haproxy.Master
	config  controlSettings
	process *exec.Cmd
	url     string
	port    int // on which all tasks listen, each on an address of its own
	log     *strings.Builder
}

func newRig(t testing.TB) *rig { return newRigAt(t, "") }

// newRigAt binds more entries than the usual one, in the words of BIND_PORTS.
func newRigAt(t testing.TB, bind string) *rig {
	t.Helper()
	r := &rig{t: t, swarm: &fakeSwarm{}, log: &strings.Builder{}, port: portOf(t, haproxytest.Address(t)), config: startSettings(t)}
	r.config.BindPorts = bind
	r.url = "http://" + r.config.DefaultPorts
	t.Cleanup(r.end)
	r.start()
	return r
}

// startSettings are those of a proxy with a folder and one entry of its own.
func startSettings(t testing.TB) (c controlSettings) {
	t.Helper()
	c.HAProxy = haproxytest.Binary(t)
	c.Dir, c.Network, c.DefaultPorts = openDir(t), "proxy", haproxytest.Address(t)
	for _, s := range []*seconds{&c.TimeoutConnect, &c.TimeoutClient, &c.TimeoutServer, &c.TimeoutQueue, &c.TimeoutTunnel, &c.TimeoutHTTPRequest, &c.TimeoutHTTPKeepAlive, &c.HardStopAfter} {
		*s = seconds(time.Minute)
	}
	return c
}

// start starts HAProxy with what is there, and a reconciler that knows nothing.
func (r *rig) start() {
	r.t.Helper()
	store, err := startingConfig(r.t.Context(), r.config, zerolog.Nop())
	if err != nil {
		r.t.Fatal(err)
	}
	args := haproxy.Args(r.config.HAProxy, store, r.config.socket())
	r.process = exec.Command(args[0], args[1:]...)
	if err := r.process.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.master = haproxy.Dial(r.config.socket())
	if err := awaitHAProxy(r.t.Context(), r.master); err != nil {
		r.t.Fatal(err)
	}
	r.loop = r.newLoop(r.config, store)
}

// end ends HAProxy.
func (r *rig) end() {
	if r.process != nil {
		_ = r.process.Process.Signal(os.Interrupt)
		_ = r.process.Wait()
	}
	r.process = nil
}

// newLoop is a reconciler that knows nothing yet, as after a restart of the controller.
func (r *rig) newLoop(c controlSettings, store *haproxy.Store) *reconciler {
	r.config = c
	settings, err := c.settings(c.Dir)
	if err != nil {
		r.t.Fatal(err)
	}
	settings.User, settings.Group = "", ""
	loop := &reconciler{lister: lister{swarm: r.swarm}, files: newTLSFiles(c.routeSettings, c.place), declared: &declarations{}, resolver: newResolver(), engine: engine{master: r.master, store: store}, gate: newGate(), options: c.options(c.Dir),
		settings: settings, log: zerolog.New(r.log), metrics: newMetrics(prometheus.NewRegistry()), refused: map[string]quarantined{}}
	loop.view.Store(&view{})
	return loop
}

// settle steps until the swarm's wishes run, whatever the number of steps, as long as no step fails.
func (r *rig) settle() {
	r.t.Helper()
	r.loop.lister.forget()
	for deadline := time.Now().Add(time.Minute); ; {
		pause, err := r.loop.step(r.t.Context())
		if err != nil {
			r.t.Fatal(err)
		}
		if r.loop.change.shape == "" && pause >= pauseSlow {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("not settled: %+v", r.loop.view.Load())
		}
	}
}

func (r *rig) reloads() int {
	r.t.Helper()
	p, err := r.master.Processes(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return p.Reloads
}

// get answers the body of a good answer, or the status code, or that the connection was refused. Each request has a connection of its own: one that was
// idle at a reload gets its next answer from the old worker.
func (r *rig) get(path string) string {
	r.t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	return r.getWith(&client, path)
}

func (r *rig) getWith(client *http.Client, path string) string {
	r.t.Helper()
	response, err := client.Get(r.url + path)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return "refused"
	}
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Sprint(response.StatusCode)
	}
	return string(body)
}

// task starts a server on an address of 127.0.0.0/8 that answers name and path.
func (r *rig) task(service string, slot int, name, address string) swarm.Task {
	r.t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(address, fmt.Sprint(r.port)))
	if err != nil {
		r.t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Client", strings.Join(q.Header.Values("X-Forwarded-For"), " and "))
		fmt.Fprintf(w, "%s %s", name, q.URL.Path)
	})}
	go server.Serve(listener)
	r.t.Cleanup(func() { server.Close() })
	return runningTask(service, slot, address)
}

func runningTask(service string, slot int, address string) swarm.Task {
	return swarm.Task{ID: fmt.Sprintf("%s-%d-%s", service, slot, address), ServiceID: service, Slot: slot, Desired: "running", State: "running",
		Since: time.Now(), Addresses: map[string]netip.Addr{"net1": netip.MustParseAddr(address)}}
}

func (r *rig) service(name string, replicas int, labels ...string) swarm.Service {
	s := swarm.Service{ID: name, Name: name, Mode: swarm.Replicated, Replicas: replicas, Networks: []string{"net1"},
		Labels: map[string]string{"com.df.notify": "true", "com.df.port": fmt.Sprint(r.port)}}
	for _, l := range labels {
		key, value, _ := strings.Cut(l, "=")
		s.Labels["com.df."+key] = value
	}
	return s
}

func portOf(t testing.TB, address string) int {
	t.Helper()
	addr, err := netip.ParseAddrPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return int(addr.Port())
}

// openDir is a folder of the test that HAProxy's user may enter, as /var/lib is.
func openDir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}
