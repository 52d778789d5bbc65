package routing_test

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"sluice/routing"
)

// model is a HAProxy that does what routing's commands ask, in the words of the real one (TestTheModelSpeaksLikeHAProxy
// compares them).
type model struct {
	shape    string
	backends map[string]map[string]*modelServer
	maps     map[string]map[string]string
	ids      map[string]string // "#1000" -> backend
}

type modelServer struct {
	addr        netip.AddrPort
	maint       bool
	connections bool
}

// load is a start or a reload.
func load(c routing.Config) *model {
	m := &model{shape: c.Shape, backends: map[string]map[string]*modelServer{}, maps: map[string]map[string]string{}, ids: map[string]string{}}
	backend := ""
	for line := range strings.Lines(c.Text) {
		words := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "backend "):
			backend = words[1]
		case strings.HasPrefix(line, "    id "):
			m.ids["#"+words[1]] = backend
		}
	}
	for backend, servers := range c.Servers {
		m.backends[backend] = map[string]*modelServer{}
		for _, s := range servers {
			m.backends[backend][s.Name] = &modelServer{addr: s.Addr}
		}
	}
	for file, entries := range c.Maps {
		if !strings.Contains(c.Text, "("+file+")") {
			continue // HAProxy loads only what its configuration refers to
		}
		m.maps[file] = map[string]string{}
		for _, e := range entries {
			m.maps[file][e.Key] = e.Value
		}
	}
	return m
}

// running is what HAProxy would tell about itself.
func (m *model) running() routing.Running {
	r := routing.Running{Shape: m.shape, Backends: map[string]bool{}, Servers: map[string]map[string]routing.RunningServer{}, Maps: map[string]map[string]string{}}
	for backend, servers := range m.backends {
		r.Backends[backend] = true
		for name, s := range servers {
			if r.Servers[backend] == nil {
				r.Servers[backend] = map[string]routing.RunningServer{}
			}
			r.Servers[backend][name] = routing.RunningServer{Addr: s.addr, Maint: s.maint}
		}
	}
	for file := range m.maps {
		r.Maps[file] = maps.Clone(m.maps[file])
	}
	return r
}

// ready lists the servers of a backend that get requests, as name and address.
func (m *model) ready(backend string) map[string]bool {
	ready := map[string]bool{}
	for name, s := range m.backends[backend] {
		if !s.maint {
			ready[name+" "+s.addr.String()] = true
		}
	}
	return ready
}

// leads gives the backend that a value of a map means.
func (m *model) leads(value string) string { return cmp.Or(m.ids[value], value) }

func (m *model) execute(line string) string {
	words := words(line)
	switch {
	case begins(words, "add", "server"):
		return m.server(words[2], func(servers map[string]*modelServer, name string) string {
			if servers[name] != nil {
				return "Already exists a server with the same name in backend.\n\n"
			}
			if !slices.Equal(words[4:], []string{"weight", "1"}) {
				return fmt.Sprintf("unknown options %q", words[4:])
			}
			servers[name] = &modelServer{addr: netip.MustParseAddrPort(words[3]), maint: true}
			return "New server registered.\n\n"
		})
	case begins(words, "del", "server"):
		return m.server(words[2], func(servers map[string]*modelServer, name string) string {
			switch s := servers[name]; {
			case s == nil:
				return "No such server.\n"
			case !s.maint:
				return "Only servers in maintenance mode can be deleted.\n"
			case s.connections:
				return "Server still has connections attached to it, cannot remove it.\n"
			}
			delete(servers, name)
			return "Server deleted.\n"
		})
	case begins(words, "set", "server"):
		return m.server(words[2], func(servers map[string]*modelServer, name string) string {
			if servers[name] == nil {
				return "No such server.\n\n"
			}
			return servers[name].set(words[3:])
		})
	case begins(words, "add", "map"), begins(words, "set", "map"), begins(words, "del", "map"):
		return m.changeMap(words)
	}
	return "Unknown command: " + line
}

func (m *model) server(path string, change func(servers map[string]*modelServer, name string) string) string {
	backend, name, _ := strings.Cut(path, "/")
	if m.backends[backend] == nil {
		return "No such backend.\n\n"
	}
	return change(m.backends[backend], name)
}

func (s *modelServer) set(words []string) string {
	switch {
	case slices.Equal(words, []string{"state", "ready"}):
		s.maint = false
		return "\n"
	case slices.Equal(words, []string{"state", "maint"}):
		s.maint = true
		return "\n"
	case len(words) == 4 && words[0] == "addr" && words[2] == "port":
		port, _ := strconv.Atoi(words[3])
		was := s.addr
		s.addr = netip.AddrPortFrom(netip.MustParseAddr(words[1]), uint16(port))
		address, ports := "no need to change the addr", "no need to change the port"
		if was.Addr() != s.addr.Addr() {
			address = fmt.Sprintf("IP changed from '%s' to '%s'", was.Addr(), s.addr.Addr())
		}
		if was.Port() != s.addr.Port() {
			ports = fmt.Sprintf("port changed from '%d' to '%d'", was.Port(), s.addr.Port())
		}
		return address + ", " + ports + " by 'stats socket command'\n\n"
	}
	return fmt.Sprintf("unknown settings %q", words)
}

func (m *model) changeMap(words []string) string {
	entries := m.maps[words[2]]
	if entries == nil {
		return "Unknown map identifier. Please use #<id> or <file>.\n\n"
	}
	key := words[3]
	_, exists := entries[key]
	switch {
	case words[0] == "add" && exists:
		return "a second entry would never be found" // HAProxy would take it silently
	case words[0] == "set" && !exists:
		return "entry not found.\n\n"
	case words[0] == "del" && !exists:
		return "Key not found.\n\n"
	case words[0] == "del":
		delete(entries, key)
	default:
		entries[key] = words[4]
	}
	return "\n"
}

// words splits a line as HAProxy's command line does: a backslash takes the next character as it is, and a bare
// semicolon would begin another command.
func words(line string) []string {
	var words []string
	var word strings.Builder
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\\' && i+1 < len(line):
			i++
			word.WriteByte(line[i])
		case c == ';':
			return []string{"another", "command"}
		case c == ' ':
			words = append(words, word.String())
			word.Reset()
		default:
			word.WriteByte(c)
		}
	}
	return append(words, word.String())
}

func begins(words []string, first, second string) bool {
	return len(words) > 2 && words[0] == first && words[1] == second
}
