package routing_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"sluice/routing"
)

const two = `
service a
    notify       true
    port         80
    servicePath  /a
    task a.1     10.0.0.1
service b
    notify       true
    port         80
    servicePath  /b
    task b.1     10.0.0.2
    task b.2     10.0.0.3
`

const three = two + `
service c
    notify       true
    port         80
    servicePath  /c
    users        joe:geheim
service d
    notify       true
    port         6379
    reqMode      tcp
    srcPort      6379
`

func TestBlameFindsTheBackendByTheLine(t *testing.T) {
	config := configOf(t, three)
	lines := strings.Split(config.Text, "\n")
	at := func(text string) int {
		for i, line := range lines {
			if strings.Contains(line, text) {
				return i + 1
			}
		}
		t.Fatalf("no line %q", text)
		return 0
	}
	alert := func(line int) string {
		return fmt.Sprintf("[NOTICE]   (7) : haproxy version is 2.6.12\n[ALERT]    (7) : config : parsing [/x/gen/3/haproxy.cfg:%d] : the reason.\n[ALERT]    (7) : config : Fatal errors found in configuration.\n", line)
	}
	for _, row := range []struct {
		meaning, output, backend string
	}{
		{"the line of a backend's name", alert(at("backend a-")), "a-be80_0"},
		{"a line below it", alert(at("server b.2")), "b-be80_0"},
		{"the first complaint about a backend counts", alert(3) + alert(at("server b.2")) + alert(at("backend a-")), "b-be80_0"},
		{"a warning blames nobody", strings.Replace(alert(at("server b.2")), "[ALERT]  ", "[WARNING]", 1), ""},
		{"a user is the service's", alert(at("insecure-password")), "c-be80_0"},
		{"a port is the service's", alert(at("bind *:6379")), "d-be6379_0"},
		{"the frontend is nobody's", alert(at("use_backend")), ""},
		{"the head is nobody's", alert(2), ""},
		{"a line beyond the end", alert(len(lines) + 5), ""},
		{"no line at all", "[ALERT] (7) : out of memory\n", ""},
	} {
		t.Run(row.meaning, func(t *testing.T) {
			backend, reason, ok := routing.Blame(config, row.output)
			if backend != row.backend || ok != (row.backend != "") {
				t.Errorf("to blame is %q, %v, want %q", backend, ok, row.backend)
			}
			if ok && reason != "the reason." {
				t.Errorf("the reason is %q", reason)
			}
		})
	}
}

func TestFilterTakesTheRoutesOfABackendWithIt(t *testing.T) {
	table, _ := build(scene(t, two))
	kept := table.Filter(func(b routing.Backend) bool { return b.Service != "a" })
	if len(kept.Backends) != 1 || len(kept.Routes) != 1 || kept.Routes[0].Service != "b" {
		t.Errorf("got %+v", kept)
	}
}

func TestFingerprintChangesWithTheLabelsAndNotWithTheTasks(t *testing.T) {
	print := func(text string) string {
		table, _ := build(scene(t, text))
		return table.Fingerprint(table.Backends[0])
	}
	base := print(two)
	if got := print(strings.Replace(two, "10.0.0.1", "10.9.9.9", 1)); got != base {
		t.Error("another address makes another fingerprint")
	}
	if got := print(strings.Replace(two, "servicePath  /a", "servicePath  /a\n    reqPathSearchReplace x,y", 1)); got == base {
		t.Error("another rewrite makes no other fingerprint")
	}
}

func TestServersThatTakeNoConnectionAreLeftOut(t *testing.T) {
	table, _ := build(scene(t, two))
	closed := netip.MustParseAddr("10.0.0.2")
	open := table.WithoutServers(func(s routing.Server) error {
		if s.Addr.Addr() == closed || s.Name == "a.1" {
			return errors.New("connection refused")
		}
		return nil
	})
	if got := open.Backends[1]; len(got.Servers) != 1 || got.Servers[0].Name != "b.2" {
		t.Errorf("got %+v", got)
	}
	if got := open.Backends[0]; len(got.Servers) != 0 || got.Note != "a task takes no connection yet: connection refused" {
		t.Errorf("got %+v", got)
	}
	if len(table.Backends[0].Servers) != 1 || len(table.Backends[1].Servers) != 2 {
		t.Error("the table itself was changed")
	}
}
