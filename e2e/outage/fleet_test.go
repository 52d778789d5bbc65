//go:build linux

package outage

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/internal/swarm"
	"sluice/internal/swarm/swarmtest/nodes"
)

// fleet is a swarm of three managers: node1 has made it and leads, node2 and node3 have a proxy each, and the tasks of the
// application are spread over all of them.
type fleet struct {
	t       *testing.T
	cluster *nodes.Cluster
}

const replicas = 6 // of the application

func newFleet(t *testing.T) *fleet {
	t.Helper()
	cluster := nodes.Start(t, nodes.Swarm{Name: "outages", Managers: 3, Images: []string{"sluice/proxy", "sluice/demo-app"}})
	f := &fleet{t: t, cluster: cluster}
	t.Cleanup(func() {
		if t.Failed() {
			f.tell()
		}
	})
	first := cluster.Nodes[0]
	for _, n := range cluster.Nodes[1:] {
		nodes.Await(t, n.Name+" has its label", func() bool { // the swarm writes to a node that has just joined
			_, err := first.TryDocker("node", "update", "--label-add", "proxy=true", n.Name)
			return err == nil
		})
	}
	first.Docker(t, "network", "create", "--driver", "overlay", "proxy")
	// A health check needs a process for each probe, which a busy machine may not start in time: the swarm would then end a
	// proxy that serves.
	f.create(first, "proxy", "sluice/proxy", "--no-healthcheck", "--mode", "global", "--constraint", "node.labels.proxy==true",
		"--publish", "mode=host,published=80,target=80", "--publish", "mode=host,published=8080,target=8080",
		"--mount", "type=bind,readonly,source=/var/run/docker.sock,target=/var/run/docker.sock", "--env", "DRAIN_TIMEOUT=1s", "--env", "TIMEOUT_CONNECT=1")
	f.create(first, "app", "sluice/demo-app", appArgs("app", replicas)...)
	for _, n := range f.proxies() {
		nodes.Await(f.t, "the proxy of "+n.Name+" is ready and has all tasks", func() bool {
			return f.health(n.Address(8080)).Status == "ok" && len(f.servers(n, "app")) == replicas
		})
	}
	return f
}

// on is the same fleet for a subtest.
func (f *fleet) on(t *testing.T) *fleet { return &fleet{t: t, cluster: f.cluster} }

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
		nodes.Await(f.t, "the routes of "+n.Name+" leave out the tasks that are gone", func() bool {
			servers := f.servers(n, "app")
			return len(servers) > 0 && !slices.ContainsFunc(servers, func(s string) bool { return slices.Contains(gone, s) })
		})
	}
}

// without takes a node away while proxies are under load, and waits until their routes have followed. It answers the load, which
// goes on, and when the node went.
func (f *fleet) without(node *nodes.Node, way func(*nodes.Node, testing.TB), proxies ...*nodes.Node) (*load, time.Time) {
	f.t.Helper()
	gone := f.tasksOn(node, proxies[0])
	load := f.load(proxies...)
	at := time.Now()
	way(node, f.t)
	f.follows(proxies, gone)
	load.followed(at)
	return load, at
}

// serves waits until the proxy has given requests to tasks on each of the nodes.
func (f *fleet) serves(proxy *nodes.Node, on []*nodes.Node) {
	f.t.Helper()
	seen := map[string]bool{}
	nodes.Await(f.t, fmt.Sprintf("the proxy of %s reaches tasks on %d nodes", proxy.Name, len(on)), func() bool {
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

// whole waits until every proxy serves the tasks of every node.
func (f *fleet) whole() {
	for _, n := range f.proxies() {
		nodes.Await(f.t, "the proxy of "+n.Name+" has all tasks", func() bool {
			return len(f.servers(n, "app")) == replicas && f.health(n.Address(8080)).Status == "ok"
		})
		f.serves(n, f.cluster.Nodes)
	}
}

// leader waits until a manager leads and answers which of the nodes that is, or their last one.
func (f *fleet) leader(among []*nodes.Node) (leader *nodes.Node) {
	f.t.Helper()
	nodes.Await(f.t, "a manager leads", func() bool {
		out, err := f.cluster.Nodes[1].TryDocker("node", "ls", "--format", "{{.Hostname}} {{.ManagerStatus}}")
		for _, n := range among {
			leader = n
			if strings.Contains(out, n.Name+" Leader") {
				break
			}
		}
		return err == nil && strings.Contains(out, "Leader")
	})
	return leader
}

// apart answers the leader's node, if that has a proxy, and the one of the other proxy. A leader that is cut off goes on
// answering from its memory for 10 to 20 s, until it has missed the others for long enough; the others hang at once.
func (f *fleet) apart() (leader, other *nodes.Node) {
	f.t.Helper()
	leader, other = f.leader(f.proxies()), f.proxies()[0]
	if leader == other {
		other = f.proxies()[1]
	}
	return leader, other
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
