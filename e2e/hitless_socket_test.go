package e2e

import (
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

// dockerSocket passes connections on to Docker's API, or hangs, or refuses them, as the test says.
type dockerSocket struct {
	path     string
	listener *net.UnixListener
	mu       sync.Mutex
	open     map[net.Conn]bool
	frozen   sync.RWMutex // held for writing while nothing passes
}

func serveDocker(t *testing.T) *dockerSocket {
	t.Helper()
	dir, err := os.MkdirTemp("", "docker")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	d := &dockerSocket{path: filepath.Join(dir, "docker.sock"), open: map[net.Conn]bool{}}
	d.listen(t)
	t.Cleanup(func() { d.refuse() })
	return d
}

func (d *dockerSocket) listen(t *testing.T) {
	t.Helper()
	_ = os.Remove(d.path)
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: d.path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	listener.SetUnlinkOnClose(false) // as an engine that was killed leaves it
	d.listener = listener
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go d.pass(conn)
		}
	}()
}

func (d *dockerSocket) pass(client net.Conn) {
	engine, err := net.Dial("unix", "/var/run/docker.sock")
	if err != nil {
		client.Close()
		return
	}
	d.mu.Lock()
	d.open[client], d.open[engine] = true, true
	d.mu.Unlock()
	copying := func(to, from net.Conn) {
		buffer := make([]byte, 32<<10)
		for {
			n, err := from.Read(buffer)
			d.frozen.RLock()
			_, failed := to.Write(buffer[:n])
			d.frozen.RUnlock()
			if err != nil || failed != nil {
				to.Close()
				from.Close()
				return
			}
		}
	}
	go copying(client, engine)
	copying(engine, client)
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.open, client)
	delete(d.open, engine)
}

// hang lets nothing pass any more; connections are taken and not answered, as by an engine that was stopped.
func (d *dockerSocket) hang() { d.frozen.Lock() }

// refuse ends all connections and takes no other.
func (d *dockerSocket) refuse() {
	d.listener.Close()
	d.mu.Lock()
	defer d.mu.Unlock()
	for conn := range d.open {
		conn.Close()
	}
}

// balancer takes connections and passes each on to the first of some addresses that takes it, as whoever stands before
// several proxies does.
type balancer struct {
	listener net.Listener
	targets  []string
	taken    []atomic.Int64 // connections that each target took
}

func balance(t *testing.T, targets ...string) *balancer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	b := &balancer{listener, targets, make([]atomic.Int64, len(targets))}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go b.pass(client.(*net.TCPConn))
		}
	}()
	return b
}

func (b *balancer) address() string { return b.listener.Addr().String() }

func (b *balancer) pass(client *net.TCPConn) {
	defer client.Close()
	for i, target := range b.targets {
		conn, err := net.Dial("tcp", target)
		if err != nil {
			continue
		}
		b.taken[i].Add(1)
		server := conn.(*net.TCPConn)
		defer server.Close()
		go func() { _, _ = server.ReadFrom(client); _ = server.CloseWrite() }()
		_, _ = client.ReadFrom(server) // however it ends, the client sees the end
		return
	}
}

// outside is an address of this machine that is not loopback. There the kernel leads connections to a published port into
// the container; on loopback a program of Docker's takes every connection first, also where nobody listens behind it.
func outside(t *testing.T) string {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		if ip, _, err := net.ParseCIDR(a.String()); err == nil && ip.To4() != nil && ip.IsGlobalUnicast() {
			return ip.String()
		}
	}
	t.Fatal("this machine has no address but loopback")
	return ""
}
