package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/internal/swarm"
	"sluice/internal/swarm/swarmtest/nodes"
	"sluice/loadtest/attack"
	"sluice/loadtest/scenario"
)

// fleet is a swarm of three managers: node1 has made it and leads, node2 and node3 have a proxy each, and the tasks of the
// application are spread over all of them.
type fleet struct {
	*stack
	cluster *nodes.Cluster
}

// TestOutages takes machines away from a swarm under a steady load on both proxies.
func TestOutages(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	t.Run("both proxies serve the tasks of all nodes", func(t *testing.T) { f.on(t).serveAll() })
	t.Run("the leader loses its power and comes back", func(t *testing.T) { f.on(t).leaderLost() })
	t.Run("a node with a proxy is cut off and comes back", func(t *testing.T) { f.on(t).cutOff() })
	t.Run("the processes of a node are killed", func(t *testing.T) { f.on(t).killed() })
	t.Run("the node of a proxy is lost, and with it the quorum", func(t *testing.T) { f.on(t).alone() })
}

const outageReplicas = 6

func newFleet(t *testing.T) *fleet {
	t.Helper()
	cluster := nodes.Start(t, nodes.Swarm{Name: "outages", Managers: 3, Images: []string{"sluice/proxy", "sluice/demo-app"}})
	f := &fleet{stack: &stack{t: t}, cluster: cluster}
	first := cluster.Nodes[0]
	for _, n := range cluster.Nodes[1:] {
		first.Docker(t, "node", "update", "--label-add", "proxy=true", n.Name)
	}
	first.Docker(t, "network", "create", "--driver", "overlay", "proxy")
	// A health check needs a process for each probe, which a busy machine may not start in time: the swarm would then end a
	// proxy that serves.
	f.create(first, "proxy", "sluice/proxy", "--no-healthcheck", "--mode", "global", "--constraint", "node.labels.proxy==true",
		"--publish", "mode=host,published=80,target=80", "--publish", "mode=host,published=8080,target=8080",
		"--mount", "type=bind,readonly,source=/var/run/docker.sock,target=/var/run/docker.sock", "--env", "DRAIN_TIMEOUT=1s", "--env", "TIMEOUT_CONNECT=1")
	f.create(first, "app", "sluice/demo-app", appArgs("app", outageReplicas)...)
	for _, n := range f.proxies() {
		f.await(2*time.Minute, "the proxy of "+n.Name+" is ready and has all tasks", func() bool {
			return f.health(n.Address(8080)).Status == "ok" && len(f.servers(n, "app")) == outageReplicas
		})
	}
	t.Cleanup(func() {
		if t.Failed() {
			f.tell()
		}
	})
	return f
}

// on is the same fleet for a subtest.
func (f *fleet) on(t *testing.T) *fleet { return &fleet{stack: f.in(t), cluster: f.cluster} }

func (f *fleet) proxies() []*nodes.Node { return f.cluster.Nodes[1:] }

// create creates a service from an image by its id, for which no registry is asked.
func (f *fleet) create(on *nodes.Node, name, image string, args ...string) {
	f.t.Helper()
	id := on.Docker(f.t, "image", "inspect", "--format", "{{.Id}}", image)
	on.Docker(f.t, append(append([]string{"service", "create", "--detach", "--no-resolve-image", "--name", name, "--network", "proxy",
		"--endpoint-mode", "dnsrr", "--restart-delay", "100ms"}, args...), id)...)
}

// appArgs make a service of tasks that answer after 50 ms and name their node. A node has two at most, so those of a node that
// is lost come back with it.
func appArgs(name string, replicas int) []string {
	return []string{"--replicas", fmt.Sprint(replicas), "--replicas-max-per-node", "2", "--hostname", "{{.Node.Hostname}}", "--stop-grace-period", "15s",
		"--env", "CAPACITY=50", "--env", "QUEUE=1000", "--env", "WORK=50ms", "--env", "DRAIN=3s",
		"--label", "com.df.notify=true", "--label", "com.df.port=8080", "--label", "com.df.servicePath=/" + name}
}

// health is what /readyz of a proxy says; the zero value when it does not answer.
type health struct {
	Status, Reason string
	Since          *time.Time
}

func (f *fleet) health(api string) (h health) {
	fetch(http.DefaultTransport, "http://"+api+"/readyz", &h)
	return h
}

// servers are the addresses of the tasks to which the proxy of a node sends requests of a service.
func (f *fleet) servers(n *nodes.Node, service string) (addresses []string) {
	var body struct {
		Routes []struct {
			Service string
			Servers []struct{ Addr string }
		}
	}
	fetch(http.DefaultTransport, "http://"+n.Address(8080)+"/v1/routes", &body)
	for _, r := range body.Routes {
		for _, s := range r.Servers {
			if r.Service == service {
				addresses = append(addresses, s.Addr)
			}
		}
	}
	return addresses
}

// fetch reads an answer into to, which stays as it is when there is none.
func fetch(transport http.RoundTripper, url string, to any) {
	client := http.Client{Timeout: 5 * time.Second, Transport: transport}
	response, err := client.Get(url)
	if err != nil {
		return
	}
	defer response.Body.Close()
	_ = json.NewDecoder(response.Body).Decode(to)
}

// tasksOn are the addresses of the application's tasks on a node, as another node's engine knows them.
func (f *fleet) tasksOn(n, asked *nodes.Node) (addresses []string) {
	f.t.Helper()
	client, err := swarm.Open(asked.Host())
	if err != nil {
		f.t.Fatal(err)
	}
	defer client.Close()
	app := asked.Docker(f.t, "service", "inspect", "--format", "{{.ID}}", "app")
	id := asked.Docker(f.t, "node", "inspect", "--format", "{{.ID}}", n.Name)
	tasks, err := client.Tasks(f.t.Context(), []string{app})
	if err != nil {
		f.t.Fatal(err)
	}
	for _, task := range tasks {
		for _, address := range task.Addresses {
			if task.NodeID == id && task.State == "running" {
				addresses = append(addresses, net.JoinHostPort(address.String(), "8080"))
			}
		}
	}
	return addresses
}

// follows waits until no proxy of these has a server among the addresses, and at least one other.
func (f *fleet) follows(on []*nodes.Node, gone []string) {
	f.t.Helper()
	for _, n := range on {
		f.await(2*time.Minute, "the routes of "+n.Name+" leave out the tasks that are gone", func() bool {
			servers := f.servers(n, "app")
			return len(servers) > 0 && !slices.ContainsFunc(servers, func(s string) bool { return slices.Contains(gone, s) })
		})
	}
}

// serves waits until the proxy has given requests to tasks on each of the nodes.
func (f *fleet) serves(proxy *nodes.Node, on []*nodes.Node) {
	f.t.Helper()
	seen := map[string]bool{}
	f.await(2*time.Minute, fmt.Sprintf("the proxy of %s reaches tasks on %d nodes", proxy.Name, len(on)), func() bool {
		seen[f.answeredBy(proxy)] = true
		return !slices.ContainsFunc(on, func(n *nodes.Node) bool { return !seen[n.Name] })
	})
}

// answeredBy is the node whose task answered one request, "" when none did.
func (f *fleet) answeredBy(proxy *nodes.Node) string {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + proxy.Address(80) + "/app/")
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	return response.Header.Get("X-Task")
}

// load is a steady load on the proxies of some nodes: GETs and POSTs on each, 40 requests a second.
type load struct {
	f        *fleet
	targets  []string
	schedule scenario.Schedule
	cancel   context.CancelFunc
	ended    chan struct{}
	start    time.Time
	at       time.Duration // when something was taken away
	done     time.Duration // when the routes had followed

	mu       sync.Mutex
	outcomes []attack.Outcome
}

func (f *fleet) load(on ...*nodes.Node) *load {
	f.t.Helper()
	s := &scenario.Scenario{KeepAlive: true, Timeout: scenario.DefaultTimeout, Connections: scenario.DefaultConnections}
	l := &load{f: f, ended: make(chan struct{}), start: time.Now()}
	for _, n := range on {
		for _, method := range []string{"GET", "POST"} {
			t := scenario.Target{URL: "http://" + n.Address(80) + "/app/", Method: method, Weight: map[string]int{"GET": 3, "POST": 1}[method]}
			if method == "POST" {
				t.Body = "an order"
			}
			s.Targets = append(s.Targets, t)
			l.targets = append(l.targets, method+" "+n.Name)
		}
	}
	s.Phases = []scenario.Phase{{Name: "steady", Kind: scenario.Constant, Rates: []float64{float64(40 * len(on))}, Duration: 5 * time.Minute}}
	l.schedule = scenario.NewSchedule(s.Phases)
	ctx, cancel := context.WithCancel(f.t.Context())
	l.cancel = cancel
	go func() {
		defer close(l.ended)
		_, err := attack.Run(ctx, s, l.schedule, l.start, func(o attack.Outcome) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.outcomes = append(l.outcomes, o)
		})
		if err != nil && !errors.Is(err, context.Canceled) {
			f.t.Error(err)
		}
	}()
	f.t.Cleanup(func() { cancel(); <-l.ended })
	l.answered(20 * len(on))
	return l
}

// answered waits for so many more good answers.
func (l *load) answered(n int) {
	l.f.t.Helper()
	good := func() (good int) {
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, o := range l.outcomes {
			if o.Kind == "" {
				good++
			}
		}
		return good
	}
	before := good()
	l.f.await(time.Minute, "the load is answered", func() bool { return good() >= before+n })
}

// followed notes when what was taken away was no more routed.
func (l *load) followed(at time.Time) {
	l.at, l.done = at.Sub(l.start), time.Since(l.start)
	l.f.t.Logf("the routes followed after %s", (l.done - l.at).Round(10*time.Millisecond))
}

// decided tells whether all requests that were due before the routes followed have ended.
func (l *load) decided() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	ended, due := 0, 0
	for _, o := range l.outcomes {
		if o.Due <= l.done {
			ended++
		}
	}
	for n := range l.schedule.Len() {
		if at, _ := l.schedule.Due(n); at > l.done {
			break
		}
		due++
	}
	return ended == due
}

// end stops the load and judges it: what is taken away may take some requests with it that were under way to it, but
// before and after that none may fail. Without an answer when the load ends is failed too.
func (l *load) end(lost int) {
	t := l.f.t
	t.Helper()
	l.answered(40)
	l.f.await(time.Minute, "what was due before the routes followed has ended", l.decided)
	l.cancel()
	<-l.ended
	var failed, unexplained []attack.Outcome
	slow, longest := 0, time.Duration(0)
	for _, o := range l.outcomes {
		if o.Latency() > time.Second {
			slow++
		}
		longest = max(longest, o.Latency())
		if o.Kind == "" || o.Kind == attack.Cut && o.Latency() < 3*time.Second {
			continue
		}
		failed = append(failed, o)
		if l.done == 0 || o.Done < l.at || o.Due > l.done {
			unexplained = append(unexplained, o)
		}
	}
	t.Logf("%d requests, %d failed, %d took longer than 1 s, at most %s\n%s", len(l.outcomes), len(failed), slow, longest.Round(time.Millisecond), l.describe(failed))
	if len(unexplained) > 0 {
		t.Errorf("%d requests failed that were not under way to what was taken away, which was from %s to %s:\n%s", len(unexplained), l.at, l.done, l.describe(unexplained))
	}
	if len(failed) > lost {
		t.Errorf("%d requests failed, more than %d", len(failed), lost)
	}
}

func (l *load) describe(failed []attack.Outcome) string {
	var lines []string
	for _, o := range failed {
		lines = append(lines, fmt.Sprintf("%s at %s, after %s: %s %d %v", l.targets[o.Target], o.Due.Round(time.Millisecond), o.Latency().Round(time.Millisecond), o.Kind, o.Status, o.Err))
	}
	return strings.Join(lines, "\n")
}

func (f *fleet) serveAll() {
	load := f.load(f.proxies()...)
	for _, n := range f.proxies() {
		f.serves(n, f.cluster.Nodes)
	}
	load.end(0)
}

// inFlight is how many requests a node may take with it, for each proxy: those that were under way to its tasks, and one for each
// connection that was kept open to them. What needs a new connection gets it to another node.
const inFlight = 12

func (f *fleet) leaderLost() {
	leader, other := f.cluster.Nodes[0], f.cluster.Nodes[1]
	gone := f.tasksOn(leader, other)
	load := f.load(f.proxies()...)
	at := time.Now()
	leader.Lose(f.t)
	f.follows(f.proxies(), gone)
	load.followed(at)
	f.await(2*time.Minute, "another manager leads", func() bool {
		out, err := other.TryDocker("node", "ls", "--format", "{{.ManagerStatus}}")
		return err == nil && strings.Contains(out, "Leader")
	})
	f.t.Logf("another manager leads after %s", time.Since(at).Round(10*time.Millisecond))
	f.create(other, "second", "sluice/demo-app", appArgs("second", 2)...)
	for _, n := range f.proxies() {
		f.await(2*time.Minute, "a service that came meanwhile is routed", func() bool { return len(f.servers(n, "second")) > 0 })
	}
	other.Docker(f.t, "service", "rm", "second")
	leader.Boot(f.t)
	f.whole()
	load.end(2 * inFlight)
}

// whole waits until every proxy serves the tasks of every node.
func (f *fleet) whole() {
	for _, n := range f.proxies() {
		f.await(2*time.Minute, "the proxy of "+n.Name+" has all tasks", func() bool {
			return len(f.servers(n, "app")) == outageReplicas && f.health(n.Address(8080)).Status == "ok"
		})
		f.serves(n, f.cluster.Nodes)
	}
}

func (f *fleet) cutOff() {
	node, other := f.cluster.Nodes[1], f.cluster.Nodes[2]
	gone := f.tasksOn(node, other)
	load := f.load(other)
	at := time.Now()
	node.Cut(f.t)
	f.follows([]*nodes.Node{other}, gone)
	load.followed(at)
	inside := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		return node.Dial(ctx, network, address)
	}}
	var said health
	f.await(2*time.Minute, "the proxy that is cut off says that it serves what it knew last", func() bool {
		fetch(inside, "http://"+node.Address(8080)+"/readyz", &said)
		return said.Status == "degraded"
	})
	f.t.Logf("it says so after %s: %s", time.Since(at).Round(10*time.Millisecond), said.Reason)
	client := http.Client{Transport: inside, Timeout: 20 * time.Second}
	for range 6 {
		response, err := client.Get("http://" + node.Address(80) + "/app/")
		if err != nil {
			f.t.Errorf("within the node: %v", err)
			break
		}
		response.Body.Close()
		if task := response.Header.Get("X-Task"); task != node.Name {
			f.t.Errorf("within the node: %d from a task on %q", response.StatusCode, task)
		}
	}
	node.Join(f.t)
	back := time.Now()
	f.whole()
	f.t.Logf("all tasks serve again after %s", time.Since(back).Round(10*time.Millisecond))
	load.end(inFlight)
}

func (f *fleet) killed() {
	node := f.cluster.Nodes[0]
	gone := f.tasksOn(node, f.cluster.Nodes[1])
	load := f.load(f.proxies()...)
	at := time.Now()
	node.Kill(f.t)
	f.follows(f.proxies(), gone)
	load.followed(at)
	load.end(2 * inFlight)
}

// alone takes the second of three managers away.
func (f *fleet) alone() {
	node, other := f.cluster.Nodes[2], f.cluster.Nodes[1]
	gone := f.tasksOn(node, other)
	load := f.load(other)
	at := time.Now()
	node.Lose(f.t)
	f.follows([]*nodes.Node{other}, gone)
	load.followed(at)
	f.await(2*time.Minute, "the proxy says that it serves what it knew last", func() bool { return f.health(other.Address(8080)).Status == "degraded" })
	load.end(inFlight)
}

// tell writes what the nodes have to say, for the reader of a failure.
func (f *fleet) tell() {
	for _, n := range f.cluster.Nodes {
		for _, args := range [][]string{{"node", "ls"}, {"service", "ps", "app", "proxy"}} {
			out, err := n.TryDocker(args...)
			f.t.Logf("%s: docker %s\n%s %v", n.Name, strings.Join(args, " "), out, err)
		}
		ids, _ := n.TryDocker("ps", "--quiet", "--filter", "label=com.docker.swarm.service.name=proxy")
		for id := range strings.FieldsSeq(ids) {
			out, err := n.TryDocker("logs", "--tail", "40", id)
			f.t.Logf("the proxy of %s says\n%s %v", n.Name, out, err)
		}
	}
}
