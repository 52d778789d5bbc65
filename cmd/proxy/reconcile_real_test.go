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
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"sluice/internal/haproxy"
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
	t      *testing.T
	swarm  *fakeSwarm
	loop   *reconciler
	master *haproxy.Master
	url    string
	port   int // on which all tasks listen, each on an address of its own
	log    *strings.Builder
}

func newRig(t *testing.T) *rig {
	t.Helper()
	binary, err := exec.LookPath("haproxy")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("haproxy is not installed")
		}
		t.Skip("haproxy is not installed")
	}
	r := &rig{t: t, swarm: &fakeSwarm{}, log: &strings.Builder{}, port: freePort(t)}
	entry := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	r.url = "http://" + entry
	var c controlSettings
	c.Dir, c.HAProxy, c.Network, c.DefaultPorts = t.TempDir(), binary, "proxy", entry
	for _, s := range []*seconds{&c.TimeoutConnect, &c.TimeoutClient, &c.TimeoutServer, &c.TimeoutQueue, &c.TimeoutTunnel, &c.TimeoutHTTPRequest, &c.TimeoutHTTPKeepAlive, &c.HardStopAfter} {
		*s = seconds(5 * time.Second)
	}
	store, err := startingConfig(t.Context(), c, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	args := haproxy.Args(binary, store, c.socket())
	process := exec.Command(args[0], args[1:]...)
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = process.Process.Signal(os.Interrupt); _ = process.Wait() })
	r.master = haproxy.Dial(c.socket())
	if err := awaitHAProxy(t.Context(), r.master); err != nil {
		t.Fatal(err)
	}
	r.loop = r.newLoop(c, store)
	return r
}

// newLoop is a reconciler that knows nothing yet, as after a restart of the controller.
func (r *rig) newLoop(c controlSettings, store *haproxy.Store) *reconciler {
	settings, err := c.settings(c.Dir)
	if err != nil {
		r.t.Fatal(err)
	}
	settings.User, settings.Group = "", ""
	loop := &reconciler{lister: lister{swarm: r.swarm}, engine: engine{master: r.master, store: store}, gate: newGate(), options: c.options(),
		settings: settings, log: zerolog.New(r.log), metrics: newMetrics(prometheus.NewRegistry()), refused: map[string]string{}}
	loop.view.Store(&view{})
	return loop
}

// settle steps until the swarm's wishes run, whatever the number of steps, as long as no step fails.
func (r *rig) settle() {
	r.t.Helper()
	r.loop.lister.forget()
	for deadline := time.Now().Add(5 * time.Second); ; {
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

// get answers the body of a good answer, or the status code. Each request has a connection of its own: one that was
// idle at a reload gets its next answer from the old worker.
func (r *rig) get(path string) string {
	r.t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	return r.getWith(&client, path)
}

func (r *rig) getWith(client *http.Client, path string) string {
	r.t.Helper()
	response, err := client.Get(r.url + path)
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

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

func TestANewServiceIsReloadedInAndItsTasksComeAndGoAtRuntime(t *testing.T) {
	r := newRig(t)
	r.swarm.services = []swarm.Service{r.service("web", 1, "servicePath=/web")}
	r.swarm.tasks = []swarm.Task{r.task("web", 1, "first", "127.0.0.11")}
	r.settle()
	if got := r.get("/web/x"); got != "first /web/x" {
		t.Fatalf("got %q", got)
	}
	reloads := r.reloads()

	r.swarm.change(func() {
		r.swarm.services[0].Replicas = 2
		r.swarm.tasks = append(r.swarm.tasks, r.task("web", 2, "second", "127.0.0.12"))
	})
	r.settle()
	if a, b := r.get("/web"), r.get("/web"); a == b {
		t.Errorf("two requests went to the same of two tasks: %q", a)
	}
	r.swarm.change(func() {
		r.swarm.services[0].Replicas = 1
		r.swarm.tasks = r.swarm.tasks[1:]
	})
	r.settle()
	for range 4 {
		if got := r.get("/web"); got != "second /web" {
			t.Errorf("after the first task left: got %q", got)
		}
	}
	if now := r.reloads(); now != reloads {
		t.Errorf("%d reloads for tasks that came and went, want none", now-reloads)
	}
}

func TestAReplacedTaskOfASlotTakesItsServerOver(t *testing.T) {
	r := newRig(t)
	r.swarm.services = []swarm.Service{r.service("web", 1, "servicePath=/")}
	r.swarm.tasks = []swarm.Task{r.task("web", 1, "old", "127.0.0.11")}
	r.settle()
	reloads := r.reloads()
	// While an update starts the new task first, the slot has two tasks that run and are meant to.
	replacement := r.task("web", 1, "new", "127.0.0.12")
	replacement.Since = time.Now().Add(time.Second)
	r.swarm.change(func() { r.swarm.tasks = append(r.swarm.tasks, replacement) })
	r.loop.lister.forget()
	if _, err := r.loop.step(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := r.get("/"); got != "new /" {
		t.Errorf("got %q", got)
	}
	if r.reloads() != reloads {
		t.Error("a replaced task needed a reload")
	}
}

func TestATaskGetsNoRequestBeforeItListens(t *testing.T) {
	r := newRig(t)
	r.swarm.services = []swarm.Service{r.service("web", 2, "servicePath=/")}
	r.swarm.tasks = []swarm.Task{r.task("web", 1, "first", "127.0.0.11"), runningTask("web", 2, "127.0.0.12")}
	for range 5 {
		if _, err := r.loop.step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for range 4 {
		if got := r.get("/"); got != "first /" {
			t.Errorf("got %q", got)
		}
	}
	if waiting := r.loop.view.Load().Waiting; len(waiting) != 1 {
		t.Errorf("the API shows %v as waiting, want one task", waiting)
	}
	r.task("web", 2, "second", "127.0.0.12")
	r.settle()
	if a, b := r.get("/"), r.get("/"); a == b {
		t.Errorf("the task that listens now gets nothing: %q twice", a)
	}
}

func TestABackendThatHAProxyRefusesLeavesTheOthersRouted(t *testing.T) {
	r := newRig(t)
	r.swarm.services = []swarm.Service{
		r.service("bad", 1, "servicePath=/bad", "reqPathSearchReplace=(unclosed,/x"),
		r.service("good", 1, "servicePath=/good"),
	}
	r.swarm.tasks = []swarm.Task{r.task("good", 1, "good", "127.0.0.11"), r.task("bad", 1, "bad", "127.0.0.12")}
	if _, err := r.loop.step(t.Context()); err == nil || !strings.Contains(err.Error(), "service bad") {
		t.Fatalf("the step that met the refusal says %v, want it to name the service", err)
	}
	r.settle()
	if got := r.get("/good"); got != "good /good" {
		t.Errorf("good service: got %q", got)
	}
	if got := r.get("/bad"); got != "503" {
		t.Errorf("bad service: got %q", got)
	}
	problems := r.loop.view.Load().Problems
	if len(problems) != 1 || problems[0].Service != "bad" || !strings.Contains(problems[0].Reason, "HAProxy refuses") {
		t.Errorf("problems: %v", problems)
	}
	r.swarm.change(func() {
		r.swarm.services[0] = r.service("bad", 1, "servicePath=/bad", "reqPathSearchReplace=^/bad,/mended")
	})
	r.settle()
	if got := r.get("/bad/x"); got != "bad /mended/x" {
		t.Errorf("mended service: got %q", got)
	}
}

func TestAControllerThatComesBackChangesNothing(t *testing.T) {
	r := newRig(t)
	r.swarm.services = []swarm.Service{r.service("web", 1, "servicePath=/")}
	r.swarm.tasks = []swarm.Task{r.task("web", 1, "first", "127.0.0.11")}
	r.settle()
	before, err := r.master.Processes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	successor := &reconciler{lister: lister{swarm: r.swarm}, engine: engine{master: r.master, store: r.loop.engine.store}, gate: newGate(), options: r.loop.options,
		settings: r.loop.settings, log: zerolog.Nop(), metrics: newMetrics(prometheus.NewRegistry()), refused: map[string]string{}}
	successor.view.Store(&view{})
	r.loop = successor
	r.settle()
	after, err := r.master.Processes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if before.Reloads != after.Reloads {
		t.Errorf("the new controller reloaded %d times", after.Reloads-before.Reloads)
	}
	if got := r.get("/"); got != "first /" {
		t.Errorf("got %q", got)
	}
}

func TestAnEngineThatCannotBeListedChangesNothing(t *testing.T) {
	r := newRig(t)
	r.swarm.services = []swarm.Service{r.service("web", 1, "servicePath=/")}
	r.swarm.tasks = []swarm.Task{r.task("web", 1, "first", "127.0.0.11")}
	r.settle()
	r.swarm.change(func() { r.swarm.err = errors.New("the engine is away") })
	r.loop.once(t.Context())
	if got := r.get("/"); got != "first /" {
		t.Errorf("got %q", got)
	}
	v := r.loop.view.Load()
	if !strings.Contains(v.Failure, "the engine is away") || v.FailedAt.IsZero() || !v.HAProxyOK || !v.Applied {
		t.Errorf("the view does not tell what is wrong: %+v", v)
	}
	r.swarm.change(func() { r.swarm.err = nil })
	r.loop.once(t.Context())
	if v := r.loop.view.Load(); v.Failure != "" {
		t.Errorf("still says %q", v.Failure)
	}
}

func TestManyNewServicesAreOneReload(t *testing.T) {
	r := newRig(t)
	r.swarm.services = []swarm.Service{r.service("web", 1, "servicePath=/web")}
	r.swarm.tasks = []swarm.Task{r.task("web", 1, "web", "127.0.0.11")}
	r.settle()
	before := r.reloads()
	for i := range 20 {
		r.swarm.change(func() {
			r.swarm.services = append(r.swarm.services, r.service(fmt.Sprintf("s%d", i), 0, fmt.Sprintf("servicePath=/s%d", i)))
		})
		r.loop.lister.forget()
		if _, err := r.loop.step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	r.settle()
	if n := r.reloads() - before; n > 2 {
		t.Errorf("%d reloads for 20 services, want at most 2", n)
	}
	if got := len(r.loop.view.Load().Table.Backends); got != 21 {
		t.Errorf("%d backends are routed, want 21", got)
	}
}

func TestAPendingReloadDoesNotHoldUpALeavingTask(t *testing.T) {
	r := newRig(t)
	r.swarm.services = []swarm.Service{r.service("web", 2, "servicePath=/web")}
	r.swarm.tasks = []swarm.Task{r.task("web", 1, "stays", "127.0.0.11"), r.task("web", 2, "leaves", "127.0.0.12")}
	r.settle()
	r.loop.lastReload = time.Now().Add(time.Hour) // no reload may happen now
	r.swarm.change(func() {
		r.swarm.services = append(r.swarm.services, r.service("new", 0, "servicePath=/new"))
		r.swarm.tasks = r.swarm.tasks[:1]
	})
	r.loop.lister.forget()
	if _, err := r.loop.step(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		if got := r.get("/web"); got != "stays /web" {
			t.Errorf("got %q", got)
		}
	}
}

func TestADrainingWorkerSendsNothingToATaskThatLeft(t *testing.T) {
	r := newRig(t)
	r.swarm.services = []swarm.Service{r.service("web", 2, "servicePath=/web")}
	r.swarm.tasks = []swarm.Task{r.task("web", 1, "stays", "127.0.0.11"), r.task("web", 2, "leaves", "127.0.0.12")}
	r.settle()
	// Idle connections make the old worker wait: it answers one more request on each.
	clients := make([]*http.Client, 6)
	for i := range clients {
		clients[i] = &http.Client{Transport: &http.Transport{}}
		r.getWith(clients[i], "/web")
	}
	r.swarm.change(func() { r.swarm.services = append(r.swarm.services, r.service("new", 0, "servicePath=/new")) })
	r.settle()
	workers, err := r.master.Workers(t.Context())
	if err != nil || len(workers) != 2 {
		t.Fatalf("workers %v, error %v: want a draining one beside the current one", workers, err)
	}
	r.swarm.change(func() {
		r.swarm.services[0].Replicas = 1
		r.swarm.tasks = r.swarm.tasks[:1]
	})
	r.settle()
	for _, client := range clients {
		if got := r.getWith(client, "/web"); got != "stays /web" {
			t.Errorf("got %q", got)
		}
	}
}

func TestAConnectionThatWasIdleAtTheReloadReachesANewService(t *testing.T) {
	r := newRig(t)
	r.settle()
	client := &http.Client{Transport: &http.Transport{}}
	if got := r.getWith(client, "/new"); got != "503" {
		t.Fatalf("got %q", got)
	}
	r.swarm.services = []swarm.Service{r.service("new", 1, "servicePath=/new")}
	r.swarm.tasks = []swarm.Task{r.task("new", 1, "new", "127.0.0.11")}
	r.settle()
	response, err := client.Get(r.url + "/new")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if from := response.Header.Get("Client"); response.StatusCode != http.StatusOK || from != "127.0.0.1" {
		t.Errorf("status %d, X-Forwarded-For %q: want 200 and the client's address once", response.StatusCode, from)
	}
}
