//go:build linux

package nodes

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// left is set for the test binary that is started to be killed.
const left = "SLUICE_NODES_LEFT"

func TestANodeComesBackWithWhatItsDiskHolds(t *testing.T) {
	c := Start(t, Swarm{Name: "disk", Managers: 1})
	n := c.Nodes[0]
	n.Docker(t, "network", "create", "--driver", "overlay", "kept")
	before := n.Docker(t, "info", "--format", "{{.Swarm.NodeID}} {{.Swarm.NodeAddr}} {{.Name}}")
	n.Lose(t)
	if out, err := n.TryDocker("version"); err == nil {
		t.Errorf("a node without power answers %s", out)
	}
	n.Boot(t)
	var after string
	if err := within(patience, "the node is a manager again", func() bool {
		out, err := n.TryDocker("network", "ls", "--filter", "name=kept", "--quiet")
		after, _ = n.TryDocker("info", "--format", "{{.Swarm.NodeID}} {{.Swarm.NodeAddr}} {{.Name}}")
		return err == nil && out != ""
	}); err != nil {
		t.Fatal(err)
	}
	if after != before {
		t.Errorf("it is %q, not %q", after, before)
	}
}

// TestAKilledTestLeavesNothingThatRuns starts a test of a node and kills it.
func TestAKilledTestLeavesNothingThatRuns(t *testing.T) {
	const name = "killed"
	if os.Getenv(left) != "" {
		c := Start(t, Swarm{Name: name, Managers: 1})
		_, _ = os.Stdout.WriteString("\nnode " + c.Nodes[0].first.pid() + " " + c.wires.end() + "\n")
		<-t.Context().Done() // it is killed before
		return
	}
	need(t)
	victim := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$")
	victim.Env = append(os.Environ(), left+"=1")
	said, err := victim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	var pid, wire, words string
	for lines := bufio.NewScanner(said); pid == "" && lines.Scan(); {
		words += lines.Text() + "\n"
		if fields := strings.Fields(lines.Text()); len(fields) == 3 && fields[0] == "node" {
			pid, wire = fields[1], fields[2]
		}
	}
	_ = victim.Process.Kill()
	_ = victim.Wait()
	if _, err := strconv.Atoi(pid); err != nil {
		t.Fatalf("it started no node, its first process is %q; it said\n%s", pid, words)
	}
	root, err := project()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, ".sluice", "nodes", name)
	if err := within(patience, "processes and wires are gone", func() bool {
		_, process := os.Stat("/proc/" + pid)
		_, link := net.InterfaceByName(wire)
		return process != nil && link != nil
	}); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Errorf("the next run has nothing to remove: %v", err)
	}
	c := &Cluster{dir: dir, cgroup: cgroupName(dir)}
	if err := c.sweep(); err != nil {
		t.Error(err)
	}
	groups, err := filepath.Glob("/sys/fs/cgroup/*/" + c.cgroup)
	if _, stays := os.Stat(dir); stays == nil || len(groups) > 0 || err != nil {
		t.Errorf("after the sweep there are still %v %v", groups, err)
	}
}
