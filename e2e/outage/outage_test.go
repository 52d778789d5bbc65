//go:build linux

// Package outage takes machines away from a swarm on which Sluice serves: three nodes in network namespaces of this machine, two
// proxies, and a steady load on each, whose failed requests are counted at the client.
package outage

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"sluice/internal/swarm/swarmtest/nodes"
)

// TestOutages takes machines away from a swarm under a steady load on both proxies.
func TestOutages(t *testing.T) {
	f := newFleet(t)
	t.Run("both proxies serve the tasks of all nodes", func(t *testing.T) { f.on(t).serveAll() })
	t.Run("the leader loses its power and comes back", func(t *testing.T) { f.on(t).leaderLost() })
	t.Run("a node with a proxy is cut off and comes back", func(t *testing.T) { f.on(t).cutOff() })
	t.Run("the processes of a node are killed", func(t *testing.T) { f.on(t).killed() })
	t.Run("the node of a proxy is lost, and with it the quorum", func(t *testing.T) { f.on(t).alone() })
}

func (f *fleet) serveAll() {
	load := f.load(f.proxies()...)
	for _, n := range f.proxies() {
		f.serves(n, f.cluster.Nodes)
	}
	load.end(0)
}

// inFlight is how many requests a node may take with it, for each proxy: those that were under way to its tasks, and one for each
// connection that was kept open to them; measured are 0 to 9. What needs a new connection gets it to another node. If the routes
// waited for the swarm, more than 200 would fail.
const inFlight = 20

func (f *fleet) leaderLost() {
	leader, other := f.cluster.Nodes[0], f.cluster.Nodes[1]
	load, at := f.without(leader, (*nodes.Node).Lose, f.proxies()...)
	f.leader(f.proxies())
	f.t.Logf("another manager leads after %s", time.Since(at).Round(10*time.Millisecond))
	f.create(other, "second", "sluice/demo-app", appArgs("second", 2)...)
	for _, n := range f.proxies() {
		nodes.Await(f.t, "a service that came meanwhile is routed", func() bool { return len(f.servers(n, "second")) > 0 })
	}
	f.t.Logf("a service that came meanwhile is routed after %s", time.Since(at).Round(10*time.Millisecond))
	other.Docker(f.t, "service", "rm", "second")
	leader.Boot(f.t)
	nodes.Await(f.t, "all three are managers again", func() bool {
		out, err := other.TryDocker("node", "ls", "--format", "{{.Status}} {{.ManagerStatus}}")
		return err == nil && strings.Count(out, "Ready Reachable")+strings.Count(out, "Ready Leader") == 3
	})
	f.t.Logf("all three are managers again after %s", time.Since(at).Round(10*time.Millisecond))
	load.end(2 * inFlight)
}

func (f *fleet) cutOff() {
	other, node := f.apart()
	load, at := f.without(node, (*nodes.Node).Cut, other)
	inside := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		return node.Dial(ctx, network, address)
	}}
	var said health
	nodes.Await(f.t, "the proxy that is cut off says that it serves what it knew last", func() bool {
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
	load, _ := f.without(f.cluster.Nodes[0], (*nodes.Node).Kill, f.proxies()...)
	load.end(2 * inFlight)
}

// alone takes the second of three managers away.
func (f *fleet) alone() {
	node, other := f.apart()
	load, _ := f.without(node, (*nodes.Node).Lose, other)
	nodes.Await(f.t, "the proxy says that it serves what it knew last", func() bool { return f.health(other.Address(8080)).Status == "degraded" })
	load.end(inFlight)
}
