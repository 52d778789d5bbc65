//go:build linux

package nodes

import (
	"fmt"
	"hash/fnv"
	"net"
	"syscall"
)

// wires is a bridge in a network namespace of its own, with one wire to the test and one to each node.
type wires struct {
	switchboard *held // whose namespace it is
	number      int   // N of sluiceN and 198.18.N.0/24
}

// plugIn makes the bridge and the test's end. The addresses are those that RFC 2544 keeps for tests: no swarm's pool and
// nobody's network has them. The name of the test's end is the claim to them.
func plugIn(name string) (*wires, error) {
	board, err := hold(syscall.CLONE_NEWNET, "cat")
	if err != nil {
		return nil, err
	}
	w := &wires{switchboard: board}
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(name)) // never fails
	for tries := range 50 {
		w.number = 1 + (int(hash.Sum32()%200)+tries)%250
		if taken(w.gateway()) {
			continue
		}
		if _, err = run("ip", "link", "add", w.end(), "type", "veth", "peer", "name", "test", "netns", board.pid()); err == nil {
			break
		}
	}
	for _, command := range []func() (string, error){
		func() (string, error) { return run("ip", "address", "add", w.gateway()+"/24", "dev", w.end()) },
		func() (string, error) { return run("ip", "link", "set", w.end(), "up") },
		func() (string, error) { return w.ip("link", "add", "bridge", "type", "bridge", "forward_delay", "0") },
		func() (string, error) { return w.ip("link", "set", "bridge", "up") },
		func() (string, error) { return w.ip("link", "set", "test", "master", "bridge", "up") },
	} {
		if err == nil {
			_, err = command()
		}
	}
	if err != nil {
		w.remove()
		return nil, fmt.Errorf("make the bridge: %w", err)
	}
	return w, nil
}

// taken tells whether the machine has an address in the same /24.
func taken(gateway string) bool {
	addresses, _ := net.InterfaceAddrs()
	for _, a := range addresses {
		if network, ok := a.(*net.IPNet); ok && network.Contains(net.ParseIP(gateway)) {
			return true
		}
	}
	return false
}

func (w *wires) end() string        { return fmt.Sprintf("sluice%d", w.number) }
func (w *wires) gateway() string    { return fmt.Sprintf("198.18.%d.1", w.number) }
func (w *wires) host(n int) string  { return fmt.Sprintf("198.18.%d.%d", w.number, 10+n) }
func (w *wires) mac(n int) string   { return fmt.Sprintf("02:53:6c:75:%02x:%02x", w.number, n) }
func (w *wires) board(n int) string { return fmt.Sprintf("node%d", n) }

// ip runs the command in the namespace of the bridge.
func (w *wires) ip(args ...string) (string, error) {
	return run("nsenter", append([]string{"--target", w.switchboard.pid(), "--net", "ip"}, args...)...)
}

// plug gives a process the wire of the nth node as its eth0. A node that comes back has the same card.
func (w *wires) plug(n int, process *held) error {
	_, _ = w.ip("link", "delete", w.board(n)) // the kernel takes its time to remove that of a node that was lost
	_, err := w.ip("link", "add", w.board(n), "type", "veth", "peer", "name", "eth0", "address", w.mac(n), "netns", process.pid())
	if err != nil {
		return err
	}
	_, err = w.ip("link", "set", w.board(n), "master", "bridge", "up")
	return err
}

// set takes the nth node's wire "down" or "up".
func (w *wires) set(n int, state string) error {
	_, err := w.ip("link", "set", w.board(n), state)
	return err
}

// remove ends it. The wire to the test goes by hand, so that its name is free at once.
func (w *wires) remove() {
	_, _ = run("ip", "link", "delete", w.end()) // it may not have been made
	w.switchboard.kill()
}
