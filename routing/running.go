package routing

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Running is what HAProxy says it runs.
type Running struct {
	Shape    string                              // "" when it runs no configuration of ours
	Backends map[string]bool                     // those without servers too
	Servers  map[string]map[string]RunningServer // backend -> name
	Maps     map[string]map[string]string        // file name -> key -> value
	Certificates
	// Frontends are the names of what takes connections, listeners among them.
	Frontends map[string]bool
}

// RunningServer is a server as HAProxy has it.
type RunningServer struct {
	Addr  netip.AddrPort
	Maint bool // forced maintenance: it gets no new request
}

// handoverBackend is the backend of every configuration that leads an old worker's last requests to its successor.
const handoverBackend = "handover"

// NoSuccessor is the command that tells a worker, before it is stopped for good, that nobody follows: it answers its last
// requests itself.
const NoSuccessor = "set server " + handoverBackend + "/successor state maint"

// ParseShape reads the answer to `get var proc.sluice_shape`. HAProxy answers "Variable not found." when a foreign
// configuration runs: then the shape is "".
func ParseShape(answer []byte) string {
	_, rest, found := strings.Cut(string(answer), "value=<")
	if !found {
		return ""
	}
	shape, _, _ := strings.Cut(rest, ">")
	return shape
}

// ParseBackends reads the answer to `show backend`: a comment, then a name on each line.
func ParseBackends(answer []byte) map[string]bool {
	backends := map[string]bool{}
	for line := range strings.Lines(string(answer)) {
		if name := strings.TrimSpace(line); name != "" && name[0] != '#' && !ownBackend(name) {
			backends[name] = true
		}
	}
	return backends
}

// ParseServers reads the answer to `show servers state`. Columns are found by name, for versions add some.
func ParseServers(answer []byte) (map[string]map[string]RunningServer, error) {
	servers := map[string]map[string]RunningServer{}
	var column map[string]int
	for line := range strings.Lines(string(answer)) {
		fields := strings.Fields(line)
		if len(fields) > 1 && fields[0] == "#" {
			column = map[string]int{}
			for i, name := range fields[1:] {
				column[name] = i
			}
			continue
		}
		if len(fields) < 2 { // the version of the format in front, blank lines
			continue
		}
		value := func(name string) string {
			if i, ok := column[name]; ok && i < len(fields) {
				return fields[i]
			}
			return ""
		}
		backend, name := value("be_name"), value("srv_name")
		if ownBackend(backend) { // no service's: its server is a socket
			continue
		}
		admin, err := strconv.Atoi(value("srv_admin_state"))
		if err != nil || backend == "" || name == "" {
			return nil, fmt.Errorf("read server state: line %q does not fit its header", strings.TrimSpace(line))
		}
		addr, err := netip.ParseAddr(value("srv_addr"))
		port, portErr := strconv.ParseUint(value("srv_port"), 10, 16)
		if err != nil || portErr != nil {
			return nil, fmt.Errorf("read server state: server %s/%s has the address %q port %q", backend, name, value("srv_addr"), value("srv_port"))
		}
		if servers[backend] == nil {
			servers[backend] = map[string]RunningServer{}
		}
		// srv_admin_state is a bit set; 0x01 is maintenance forced by command (management.txt, "show servers state")
		servers[backend][name] = RunningServer{Addr: netip.AddrPortFrom(addr, uint16(port)), Maint: admin&1 != 0}
	}
	if column == nil {
		return nil, fmt.Errorf("read server state: no header in %q", firstLine(answer))
	}
	return servers, nil
}

// ParseMap reads the answer to `show map FILE`: an address, a key and a value on each line. A map that the running
// configuration does not refer to is nil.
func ParseMap(answer []byte) (map[string]string, error) {
	if strings.HasPrefix(string(answer), "Unknown map identifier") {
		return nil, nil
	}
	entries := map[string]string{}
	for line := range strings.Lines(string(answer)) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0:
		case len(fields) == 3 && strings.HasPrefix(fields[0], "0x"):
			entries[fields[1]] = fields[2]
		default:
			return nil, fmt.Errorf("read map: unexpected line %q", strings.TrimSpace(line))
		}
	}
	return entries, nil
}

// ParseMapNames reads the answer to `show map`: a number, the file in brackets and a description on each line.
func ParseMapNames(answer []byte) (names []string) {
	for line := range strings.Lines(string(answer)) {
		if fields := strings.Fields(line); len(fields) > 2 && fields[0] != "#" && strings.HasPrefix(fields[1], "(") {
			names = append(names, strings.Trim(fields[1], "()"))
		}
	}
	return names
}

func firstLine(b []byte) string {
	line, _, _ := strings.Cut(string(b), "\n")
	return line
}
