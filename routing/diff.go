package routing

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Plan says how to get from what runs to what shall run: a reload, or commands at runtime, or nothing at all.
type Plan struct {
	Reload   string    // the reason; "" when commands are enough
	Commands []Command // in the order of sending
	Leaving  int       // servers that get no new request and wait for their last connections
}

// Command is one line for HAProxy's runtime API.
type Command struct {
	Line string
	// Payload follows the line where it ends in "<<": lines, none of them blank. It may hold a private key.
	Payload []byte
	// Expect are the beginnings of answers that mean success; with none a good answer is empty. HAProxy answers errors
	// on a healthy socket, so an answer that is not expected is an error.
	Expect []string
	// Later are beginnings of answers that mean "not yet": the command stands in the next plan again.
	Later []string
	// Ends is how a good answer ends whose beginning tells nothing; "" is anyhow.
	Ends string
	// Undo is the command to send when HAProxy refuses this one; "" is none.
	Undo string
	// Certificate is the Name of the certificate that it is about; "" for none.
	Certificate string
	// Backend is the backend whose servers it changes; "" for a map or a certificate.
	Backend string
	// Reason tells a reader why, for the log.
	Reason string
}

// Succeeded judges an answer. retry is true for an answer that only asks for patience.
func (c Command) Succeeded(answer string) (ok, retry bool) {
	answer = strings.TrimSpace(answer)
	begins := func(prefix string) bool { return strings.HasPrefix(answer, prefix) }
	if slices.ContainsFunc(c.Later, begins) {
		return false, true
	}
	if c.Ends != "" {
		return strings.HasSuffix(answer, c.Ends), false
	}
	if len(c.Expect) == 0 {
		return answer == "", false
	}
	return slices.ContainsFunc(c.Expect, begins), false
}

// Diff compares what runs with what shall run. New servers and routes come first and leaving ones last, so that at no
// moment fewer tasks are reachable than before and after. Where a reload is needed, routes wait for it, for they belong
// to its backends and wildcards; servers of a backend that exists on both sides do not: a leaving task must not wait for
// a reload that is put off or refused.
func Diff(running Running, want Config) Plan {
	if running.Shape == "" {
		return Plan{Reload: "HAProxy runs no configuration of this proxy"}
	}
	var plan Plan
	var shared []string
	for _, backend := range slices.Sorted(maps.Keys(want.Servers)) {
		if running.Backends[backend] {
			shared = append(shared, backend)
			plan.Commands = append(plan.Commands, enterServers(backend, running.Servers[backend], want.Servers[backend], want.ServerOptions[backend])...)
		}
	}
	if running.Shape != want.Shape {
		plan.Reload = reloadReason(running, want)
	} else {
		plan.Commands = append(plan.Commands, changeMaps(running, want)...)
		entering, leaving, reload := changeCertificates(running, want)
		plan.Commands, plan.Reload = slices.Concat(plan.Commands, entering, leaving), reload
	}
	for _, backend := range shared {
		commands, leaving := leaveServers(backend, running.Servers[backend], want.Servers[backend])
		plan.Commands = append(plan.Commands, commands...)
		plan.Leaving += leaving
	}
	return plan
}

// reloadReason names what the commands could not have changed.
func reloadReason(running Running, want Config) string {
	var added, removed []string
	for backend := range want.Servers {
		if !running.Backends[backend] {
			added = append(added, backend)
		}
	}
	for backend := range running.Backends {
		if _, ok := want.Servers[backend]; !ok {
			removed = append(removed, backend)
		}
	}
	var parts []string
	for _, change := range []struct {
		verb  string
		names []string
	}{{"new", added}, {"gone", removed}} {
		slices.Sort(change.names)
		switch n := len(change.names); {
		case n > 3:
			parts = append(parts, fmt.Sprintf("%s backends %s and %d more", change.verb, strings.Join(change.names[:3], ", "), n-3))
		case n > 0:
			parts = append(parts, fmt.Sprintf("%s backend %s", change.verb, strings.Join(change.names, ", ")))
		}
	}
	if len(parts) == 0 {
		return "settings of a backend or of the proxy changed"
	}
	return strings.Join(parts, "; ")
}

func enterServers(backend string, running map[string]RunningServer, want []Server, shared ServerOptions) (commands []Command) {
	for _, s := range want {
		was, exists := running[s.Name]
		if exists && was.Addr == s.Addr && !was.Maint {
			continue
		}
		name := backend + "/" + s.Name
		ready := Command{Backend: backend, Line: "set server " + name + " state ready", Reason: "task came"}
		if !exists {
			commands = append(commands, Command{Backend: backend, Line: "add server " + name + " " + s.options(shared),
				Expect: []string{"New server registered."}, Reason: "task came"})
			commands = append(append(commands, s.own(shared).prepare(backend, s.Name)...), ready)
			continue
		}
		if was.Addr != s.Addr {
			// Requests in flight finish on the old address; new ones go to the new one.
			commands = append(commands, Command{Backend: backend, Line: fmt.Sprintf("set server %s addr %s port %d", name, s.Addr.Addr(), s.Addr.Port()),
				Expect: []string{"IP changed from", "port changed from", "no need to change"}, Reason: "task was replaced"})
		}
		if was.Maint {
			commands = append(append(commands, s.own(shared).prepare(backend, s.Name)...), ready)
		}
	}
	return commands
}

func leaveServers(backend string, running map[string]RunningServer, want []Server) (commands []Command, leaving int) {
	var gone []string
	for name := range running {
		if _, stays := slices.BinarySearchFunc(want, name, func(s Server, name string) int { return bySlot(s.Name, name) }); !stays {
			gone = append(gone, name)
		}
	}
	slices.SortFunc(gone, bySlot)
	for _, server := range gone {
		name := backend + "/" + server
		if !running[server].Maint {
			commands = append(commands, Command{Backend: backend, Line: "set server " + name + " state maint", Reason: "task leaves"})
		}
		commands = append(commands, Command{Backend: backend, Line: "del server " + name, Expect: []string{"Server deleted."},
			Later: []string{"Server still has connections attached"}, Reason: "task left"})
		leaving++
	}
	return commands, leaving
}

// changeMaps removes routes when all maps have their new ones: a request may find its route in another map than before.
func changeMaps(running Running, want Config) (commands []Command) {
	var leaving []Command
	for _, file := range slices.Sorted(maps.Keys(want.Maps)) {
		stay := 0
		for _, e := range want.Maps[file] {
			value, exists := running.Maps[file][e.Key]
			if exists {
				stay++
			}
			switch {
			case !exists:
				commands = append(commands, Command{Line: fmt.Sprintf("add map %s %s %s", file, escape(e.Key), e.Value), Reason: "route came"})
			case value != e.Value:
				commands = append(commands, Command{Line: fmt.Sprintf("set map %s %s %s", file, escape(e.Key), e.Value), Reason: "route moved"})
			}
		}
		if stay == len(running.Maps[file]) {
			continue // the usual case, which saves a search for each route
		}
		var gone []string
		for key := range running.Maps[file] {
			if _, stays := slices.BinarySearchFunc(want.Maps[file], key, func(e Entry, key string) int { return cmp.Compare(e.Key, key) }); !stays {
				gone = append(gone, key)
			}
		}
		slices.Sort(gone)
		for _, key := range gone {
			leaving = append(leaving, Command{Line: fmt.Sprintf("del map %s %s", file, escape(key)), Reason: "route left"})
		}
	}
	return append(commands, leaving...)
}

// escape keeps the characters that HAProxy's command line gives a meaning. A path can hold only ';' of them.
func escape(key string) string { return strings.ReplaceAll(key, ";", `\;`) }
