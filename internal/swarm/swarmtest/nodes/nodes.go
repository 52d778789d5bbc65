//go:build linux

// Package nodes is a swarm of several machines on this one, for tests that take a machine away.
//
//	cluster := nodes.Start(t, nodes.Swarm{Name: "outages", Managers: 3, Images: []string{"sluice/proxy"}})
//	leader := cluster.Nodes[0]
//	leader.Docker(t, "service", "create", …)
//	leader.Cut(t)                                  // nothing goes in or out; Join plugs it in again
//	leader.Lose(t)                                 // as without power; Boot starts it with what its disk holds
//	http.Get("http://" + leader.Address(80) + "/") // a port that is published in mode host
//
// A node is a process tree in namespaces of its own with a dockerd that nothing else uses: the test holds a pipe to its first
// process, and when that pipe ends, the kernel removes processes, mounts, network and rules. The nodes' wires end in a bridge,
// in a network namespace of its own too, so no rule of the machine's firewall is needed:
//
//	test ── sluiceN ┬ node 1   198.18.N.11
//	   198.18.N.1   ├ node 2   198.18.N.12
//	                └ node 3   198.18.N.13
//
// What a killed test leaves are folders and empty cgroups, which the next run of the same name removes.
package nodes

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// patience is how long an engine gets for one thing before a test fails.
const patience = 4 * time.Minute

// Swarm is what to start. Managers come first in Cluster.Nodes; the first one has made the swarm and leads it.
type Swarm struct {
	Name     string // of the files that it leaves when the test is killed; a second run with it waits for the first
	Managers int    // at least 1
	Workers  int
	Images   []string // of the engine of this machine, which every node shall have
}

// Cluster is a running swarm.
type Cluster struct {
	Nodes []*Node

	dir    string // of its files
	cgroup string // parent of the containers' cgroups
	wires  *wires
}

// Start makes the swarm and removes it at the end of the test. It needs root, dockerd and the engine of this machine for the
// images; without them the test is skipped, or fails where CI is set.
func Start(t testing.TB, s Swarm) *Cluster {
	t.Helper()
	need(t)
	root, err := project()
	if err != nil {
		t.Fatal(err)
	}
	images, err := identify(s.Images)
	if err != nil {
		miss(t, fmt.Sprintf("the images are not there, `make ready` builds them: %v", err))
	}
	began := time.Now()
	c := &Cluster{dir: filepath.Join(root, ".sluice", "nodes", s.Name)}
	c.cgroup = cgroupName(c.dir)
	unlock, err := lock(c.dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(unlock)
	if err := c.sweep(); err != nil {
		t.Fatalf("remove what an earlier run left: %v", err)
	}
	t.Cleanup(func() {
		if err := c.end(); err != nil {
			t.Errorf("remove the nodes: %v", err)
		}
	})
	if err := c.start(s, filepath.Join(root, ".build", "nodes"), images); err != nil {
		t.Fatalf("start the nodes: %v", err)
	}
	t.Logf("%d nodes after %s", len(c.Nodes), time.Since(began).Round(100*time.Millisecond))
	return c
}

func (c *Cluster) start(s Swarm, seeds string, images []string) (err error) {
	if c.wires, err = plugIn(s.Name); err != nil {
		return err
	}
	for i := range s.Managers + s.Workers {
		c.Nodes = append(c.Nodes, c.node(i+1, fmt.Sprintf("node%d", i+1)))
	}
	if err := c.fill(seeds, images); err != nil {
		return err
	}
	var boots errgroup.Group
	for _, n := range c.Nodes {
		boots.Go(n.boot)
	}
	if err := boots.Wait(); err != nil {
		return err
	}
	return c.form(s.Managers)
}

// form makes a swarm of the nodes.
func (c *Cluster) form(managers int) error {
	first := c.Nodes[0]
	if _, err := first.docker("swarm", "init", "--advertise-addr", first.IP); err != nil {
		return err
	}
	for i, n := range c.Nodes[1:] {
		role := "manager"
		if i+1 >= managers {
			role = "worker"
		}
		token, err := first.docker("swarm", "join-token", "--quiet", role)
		if err != nil {
			return err
		}
		if _, err := n.docker("swarm", "join", "--token", token, "--advertise-addr", n.IP, first.IP+":2377"); err != nil {
			return err
		}
	}
	return nil
}

// end powers all nodes off and removes what they left.
func (c *Cluster) end() error {
	for _, n := range c.Nodes {
		n.off()
	}
	if c.wires != nil {
		c.wires.remove()
	}
	return c.sweep()
}

// need skips the test where nodes cannot be started, and says what is missing.
func need(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		miss(t, "a swarm of several nodes needs root")
	}
	for _, program := range []string{"bash", "cat", "docker", "dockerd", "hostname", "ip", "iptables", "mount", "nsenter"} {
		if _, err := exec.LookPath(program); err != nil {
			miss(t, fmt.Sprintf("a swarm of several nodes needs %s (scripts/setup installs it)", program))
		}
	}
}

func miss(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// project is the folder of go.mod, above the test's own.
func project() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("find go.mod above %s: there is none", start)
		}
	}
}

// lock waits until no other run uses the folder. The kernel gives the lock up with the process.
func lock(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(dir+".lock", os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return func() { file.Close() }, nil
}

// run runs a program of the machine and answers what it wrote.
func run(name string, args ...string) (string, error) {
	output, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, output)
	}
	return strings.TrimSpace(string(output)), nil
}

// Await asks done until it is true. After four minutes the test fails, and says what it waited for.
func Await(t testing.TB, what string, done func() bool) {
	t.Helper()
	if err := within(patience, what, done); err != nil {
		t.Fatal(err)
	}
}

// within asks done until it is true; why says what was waited for in vain.
func within(limit time.Duration, why string, done func() bool) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(limit); !done(); <-tick.C {
		if time.Now().After(deadline) {
			return fmt.Errorf("not within %s: %s", limit, why)
		}
	}
	return nil
}
