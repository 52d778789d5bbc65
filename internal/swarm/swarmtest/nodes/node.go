//go:build linux

package nodes

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

//go:embed init.sh
var initScript string

// Node is one machine of the swarm: its name is node1, node2 … in the order of Cluster.Nodes.
type Node struct {
	Name string
	IP   string

	cluster *Cluster
	number  int   // from 1
	first   *held // process; nil while the node is off
}

func (c *Cluster) node(number int, name string) *Node {
	return &Node{Name: name, IP: c.wires.host(number), cluster: c, number: number}
}

func (n *Node) data() string { return filepath.Join(n.cluster.dir, n.Name) }

// Host is the node's engine in the form of DOCKER_HOST. It changes when the node boots. Its path is no other engine's: until
// the node has a /run of its own, the usual one leads to the machine's.
func (n *Node) Host() string { return "unix:///proc/" + n.first.pid() + "/root/run/node/docker.sock" }

// Address is where the test reaches a port that is published in mode host.
func (n *Node) Address(port int) string { return net.JoinHostPort(n.IP, strconv.Itoa(port)) }

// Docker runs a command of the client on the node and answers what it wrote.
func (n *Node) Docker(t testing.TB, args ...string) string {
	t.Helper()
	output, err := n.docker(args...)
	if err != nil {
		t.Fatalf("%s: %v", n.Name, err)
	}
	return output
}

// TryDocker is Docker for a command that may fail.
func (n *Node) TryDocker(args ...string) (string, error) { return n.docker(args...) }

func (n *Node) docker(args ...string) (string, error) {
	if n.first == nil {
		return "", errors.New("the node is off")
	}
	return run("docker", append([]string{"--host", n.Host()}, args...)...)
}

// Cut takes the node from the network, Join plugs it in again. Its processes notice nothing but that.
func (n *Node) Cut(t testing.TB) {
	t.Helper()
	if err := n.cluster.wires.set(n.number, "down"); err != nil {
		t.Fatal(err)
	}
}

// Join undoes Cut.
func (n *Node) Join(t testing.TB) {
	t.Helper()
	if err := n.cluster.wires.set(n.number, "up"); err != nil {
		t.Fatal(err)
	}
}

// Lose takes the node's power: nobody is told anything, no connection is closed.
func (n *Node) Lose(t testing.TB) {
	t.Helper()
	n.Cut(t)
	n.off()
}

// Kill ends all processes of the node at once. Its kernel still closes their connections.
func (n *Node) Kill(t testing.TB) {
	t.Helper()
	n.off()
}

// Boot starts a node that was lost or killed, with what its disk holds.
func (n *Node) Boot(t testing.TB) {
	t.Helper()
	if err := n.boot(); err != nil {
		t.Fatal(err)
	}
}

func (n *Node) off() {
	if n.first != nil {
		n.first.kill()
		n.first = nil
	}
}

// boot starts the node and waits until its engine answers.
func (n *Node) boot() (err error) {
	config := filepath.Join(n.cluster.dir, "daemon.json") // not the one of the machine's engine
	if err := os.WriteFile(config, []byte("{}\n"), 0o644); err != nil {
		return err
	}
	n.first, err = hold(syscall.CLONE_NEWNET|syscall.CLONE_NEWNS|syscall.CLONE_NEWPID|syscall.CLONE_NEWUTS,
		"bash", "-c", initScript, "init", n.Name, n.IP, n.data(), path.Join("/", n.cluster.cgroup, n.Name), config)
	if err != nil {
		return err
	}
	if err := n.cluster.wires.plug(n.number, n.first); err != nil {
		return err
	}
	if _, err := n.first.in.Write([]byte("\n")); err != nil {
		return fmt.Errorf("%s did not start: %w", n.Name, err)
	}
	err = within(patience, "the engine of "+n.Name+" answers", func() bool {
		_, err := n.docker("version")
		return err == nil
	})
	if err != nil {
		return fmt.Errorf("%w; it says: %s", err, n.lastWords())
	}
	return nil
}

// lastWords are the end of the engine's log.
func (n *Node) lastWords() string {
	log, err := os.ReadFile(filepath.Join(n.data(), "dockerd.log"))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(log)), "\n")
	return strings.Join(lines[max(0, len(lines)-10):], "\n")
}

// Dial connects from within the node's network, so that what runs on a node that is cut off can be asked. The address is a
// literal one.
func (n *Node) Dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	space, err := os.Open("/proc/" + n.first.pid() + "/ns/net")
	if err != nil {
		return nil, err
	}
	defer space.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine, its network goes with it
		if err = unix.Setns(int(space.Fd()), unix.CLONE_NEWNET); err != nil {
			err = fmt.Errorf("enter the network of %s: %w", n.Name, err)
			return
		}
		conn, err = (&net.Dialer{}).DialContext(ctx, network, address)
	}()
	<-done
	return conn, err
}
