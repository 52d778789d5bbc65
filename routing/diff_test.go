package routing_test

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"sluice/routing"
)

func TestDiffSaysWhatIsToBeDone(t *testing.T) {
	const web = "service web\n notify true\n port 80\n servicePath /a;b\n task web.1 10.0.0.1\n task web.2 10.0.0.2"
	for _, row := range []struct {
		change        string
		before, after string
		reload        string
		commands      []string
	}{
		{change: "nothing", before: web, after: web},
		{change: "a task comes", before: web, after: web + "\n task web.10 10.0.0.3", commands: []string{
			"add server web-be80_0/web.10 10.0.0.3:80 weight 1",
			"set server web-be80_0/web.10 state ready",
		}},
		{change: "a task leaves", before: web, after: strings.Replace(web, "\n task web.1 10.0.0.1", "", 1), commands: []string{
			"set server web-be80_0/web.1 state maint",
			"del server web-be80_0/web.1",
		}},
		{change: "a task is replaced", before: web, after: strings.Replace(web, "10.0.0.2", "10.0.0.9", 1), commands: []string{
			"set server web-be80_0/web.2 addr 10.0.0.9 port 80",
		}},
		{change: "all tasks leave", before: web, after: strings.Split(web, "\n task")[0], commands: []string{
			"set server web-be80_0/web.1 state maint", "del server web-be80_0/web.1",
			"set server web-be80_0/web.2 state maint", "del server web-be80_0/web.2",
		}},
		{change: "one comes before another leaves", before: web, after: strings.Replace(web, "web.1 10.0.0.1", "web.3 10.0.0.3", 1), commands: []string{
			"add server web-be80_0/web.3 10.0.0.3:80 weight 1", "set server web-be80_0/web.3 state ready",
			"set server web-be80_0/web.1 state maint", "del server web-be80_0/web.1",
		}},
		{change: "a path changes, the new one before the old one goes", before: web, after: strings.Replace(web, "/a;b", "/c", 1), commands: []string{
			"add map routes.map /c/ #1000",
			`del map routes.map /a\;b/`,
		}},
		{change: "a route moves to another service", before: web + "\nservice b\n notify true\n port 80\n servicePath /b",
			after:    strings.Replace(web, "/a;b", "/c", 1) + "\nservice b\n notify true\n port 80\n servicePath /b,/a;b",
			commands: []string{`set map routes.map /a\;b/ #1000`, "add map routes.map /c/ #1001"}},
		{change: "a path becomes a wildcard of a depth in use", before: web + "\nservice b\n notify true\n port 80\n serviceDomain *.b.test",
			after:    web + "\n serviceDomain *.a.test\nservice b\n notify true\n port 80\n serviceDomain *.b.test",
			commands: []string{`add map wildcards.map a.test/a\;b/ #1001`, `del map routes.map /a\;b/`}},
		{change: "a service comes", before: web, after: web + "\nservice b\n notify true\n port 80\n servicePath /b", reload: "new backend b-be80_0"},
		{change: "a service goes", before: web + "\nservice b\n notify true\n port 80\n servicePath /b", after: web,
			reload: "gone backend b-be80_0"},
		{change: "tasks do not wait for a reload, routes do", before: web, after: strings.Replace(web, "/a;b", "/c", 1) + "\n task web.3 10.0.0.3" + many("b"),
			reload: "new backend b-be80_0", commands: []string{"add server web-be80_0/web.3 10.0.0.3:80 weight 1", "set server web-be80_0/web.3 state ready"}},
		{change: "the port changes and the old one serves until the reload", before: web, after: strings.Replace(web, "port 80", "port 81", 1),
			reload: "new backend web-be81_0; gone backend web-be80_0"},
		{change: "a rewrite comes", before: web, after: web + "\n reqPathSearchReplace a,b", reload: "settings of a backend or of the proxy changed"},
		{change: "the first host comes", before: web, after: web + "\n serviceDomain a.test", reload: "settings of a backend or of the proxy changed"},
		{change: "another host comes", before: web + "\n serviceDomain a.test", after: web + "\n serviceDomain a.test,b.test", commands: []string{`add map routes.map b.test/a\;b/ #1000`}},
		{change: "the first route without a host comes", before: web + "\n serviceDomain a.test\nservice b\n notify true\n port 80\n serviceDomain b.test",
			after: web + "\nservice b\n notify true\n port 80\n serviceDomain b.test", commands: []string{`add map routes.map /a\;b/ #1001`, `del map routes.map a.test/a\;b/`}},
		{change: "the first wildcard of a depth comes", before: web, after: web + "\n serviceDomain *.a.test", reload: "settings of a backend or of the proxy changed"},
		{change: "many services come", before: web, after: web + many("m1") + many("m2") + many("m3") + many("m4") + many("m5"),
			reload: "new backends m1-be80_0, m2-be80_0, m3-be80_0 and 2 more"},
	} {
		t.Run(row.change, func(t *testing.T) {
			before, after := configOf(t, row.before), configOf(t, row.after)
			plan := routing.Diff(load(before).running(), after)
			var lines []string
			for _, c := range plan.Commands {
				lines = append(lines, c.Line)
			}
			if diff := cmp.Diff(row.commands, lines); diff != "" {
				t.Errorf("commands -want +got:\n%s", diff)
			}
			if plan.Reload != row.reload {
				t.Errorf("reload because %q, want %q", plan.Reload, row.reload)
			}
		})
	}
}

func many(name string) string {
	return "\nservice " + name + "\n notify true\n port 80\n servicePath /" + name
}

func TestForeignConfigurationIsReplacedAndNotCommanded(t *testing.T) {
	running := load(configOf(t, "service web\n notify true\n port 80\n servicePath /a")).running()
	running.Shape = ""
	plan := routing.Diff(running, configOf(t, "service web\n notify true\n port 80\n servicePath /b"))
	if plan.Reload == "" || len(plan.Commands) > 0 {
		t.Errorf("got %+v", plan)
	}
}

func TestServerWithConnectionsWaitsWithoutBeingAskedTwice(t *testing.T) {
	before := configOf(t, "service web\n notify true\n port 80\n servicePath /a\n task web.1 10.0.0.1\n task web.2 10.0.0.2")
	after := configOf(t, "service web\n notify true\n port 80\n servicePath /a\n task web.2 10.0.0.2")
	haproxy := load(before)
	haproxy.backends["web-be80_0"]["web.1"].connections = true
	plan := routing.Diff(haproxy.running(), after)
	if done, waiting := run(t, haproxy, plan); done != 1 || waiting != 1 || plan.Leaving != 1 {
		t.Errorf("%d done, %d waiting, plan %+v", done, waiting, plan)
	}
	plan = routing.Diff(haproxy.running(), after)
	if len(plan.Commands) != 1 || plan.Commands[0].Line != "del server web-be80_0/web.1" || plan.Leaving != 1 {
		t.Errorf("second plan %+v", plan)
	}
	// the slot is filled again before the last connection has ended
	plan = routing.Diff(haproxy.running(), configOf(t, "service web\n notify true\n port 80\n servicePath /a\n task web.1 10.0.0.7\n task web.2 10.0.0.2"))
	run(t, haproxy, plan)
	if got := haproxy.ready("web-be80_0"); !got["web.1 10.0.0.7:80"] {
		t.Errorf("ready are %v", got)
	}
}

// TestPlansLeadFromAnyStateToTheWantedOne draws two swarms and a HAProxy that runs the first one, perhaps half changed.
func TestPlansLeadFromAnyStateToTheWantedOne(t *testing.T) {
	reloads := 0
	rapid.Check(t, func(t *rapid.T) {
		services := drawPorts(t, drawServices(t))
		before := configFrom(t, services)
		other := drawPorts(t, drawServices(t))
		if rapid.Bool().Draw(t, "same labels") {
			other = redrawTasks(t, services)
		}
		after := configFrom(t, other)
		haproxy := load(before)
		disturb(t, haproxy)

		plan := routing.Diff(haproxy.running(), after)
		execute(t, haproxy, plan, after)
		if plan.Reload != "" {
			reloads++
			haproxy = load(after)
		}
		// what had to wait goes with its last connection
		for _, servers := range haproxy.backends {
			for _, s := range servers {
				s.connections = false
			}
		}
		execute(t, haproxy, routing.Diff(haproxy.running(), after), after)
		if plan := routing.Diff(haproxy.running(), after); plan.Reload != "" || len(plan.Commands) > 0 || plan.Leaving > 0 {
			t.Fatalf("something is left to do: %+v", plan)
		}
		if diff := cmp.Diff(load(after).running(), haproxy.running(), cmpopts.EquateComparable(netip.AddrPort{})); diff != "" {
			t.Fatalf("-want +runs:\n%s", diff)
		}
	})
	t.Logf("%d reloads", reloads)
}

// execute runs a plan and watches what it must keep at every moment.
func execute(t *rapid.T, haproxy *model, plan routing.Plan, after routing.Config) {
	target := load(after)
	stay, floor := map[string]map[string]bool{}, map[string]int{}
	for backend := range haproxy.backends {
		now, then := haproxy.ready(backend), target.ready(backend)
		if _, wanted := after.Servers[backend]; !wanted {
			then = now // a backend that goes with the reload serves until then
		}
		stay[backend] = maps.Clone(now)
		maps.DeleteFunc(stay[backend], func(s string, _ bool) bool { return !then[s] })
		floor[backend] = min(len(now), len(then))
	}
	routes := haproxy.running().Maps
	for _, c := range plan.Commands {
		answer := haproxy.execute(c.Line)
		if ok, later := c.Succeeded(answer); !ok && !later {
			t.Fatalf("%q is answered %q", c.Line, answer)
		}
		for backend := range haproxy.backends {
			ready := haproxy.ready(backend)
			for s := range stay[backend] {
				if !ready[s] {
					t.Fatalf("after %q %s lacks %s, which stays", c.Line, backend, s)
				}
			}
			if len(ready) < floor[backend] {
				t.Fatalf("after %q %s has %d servers, never fewer than %d were meant", c.Line, backend, len(ready), floor[backend])
			}
		}
		for file, entries := range haproxy.maps {
			for key, value := range entries {
				if value != routes[file][key] && value != target.maps[file][key] {
					t.Fatalf("after %q %s leads to %s, which nobody wanted", c.Line, key, value)
				}
				if haproxy.backends[haproxy.leads(value)] == nil && value[0] != '@' {
					t.Fatalf("after %q %s leads to %s, which does not exist", c.Line, key, value)
				}
				if value != routes[file][key] && haproxy.leads(value) != target.leads(value) {
					t.Fatalf("after %q %s leads to %s, which is meant to be %s", c.Line, key, haproxy.leads(value), target.leads(value))
				}
			}
			for key, value := range routes[file] {
				if target.maps[file][key] == value && entries[key] != value {
					t.Fatalf("after %q the route %s, which stays, leads to %q", c.Line, key, entries[key])
				}
			}
		}
	}
}

// disturb leaves traces of earlier plans that did not come to their end.
func disturb(t *rapid.T, haproxy *model) {
	for _, backend := range slices.Sorted(maps.Keys(haproxy.backends)) {
		servers := haproxy.backends[backend]
		for _, name := range slices.Sorted(maps.Keys(servers)) {
			servers[name].maint = rapid.IntRange(0, 3).Draw(t, "maint") == 0
			servers[name].connections = rapid.Bool().Draw(t, "connections")
		}
	}
}

// redrawTasks gives services other tasks, so that no reload is needed.
func redrawTasks(t *rapid.T, services []routing.Service) []routing.Service {
	others := slices.Clone(services)
	for i := range others {
		others[i].Tasks = rapid.SliceOfNDistinct(rapid.SampledFrom(append(drawTasks(t, others[i].Name), others[i].Tasks...)), 0, 4,
			func(t routing.Task) string { return t.Name }).Draw(t, "tasks")
		others[i].Replicas = len(others[i].Tasks)
	}
	return others
}

func configOf(t *testing.T, text string, binds ...string) routing.Config {
	t.Helper()
	table, problems := build(scene(t, text))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return render(t, table, settings(binds...))
}

func configFrom(t *rapid.T, services []routing.Service, binds ...string) routing.Config {
	table, _ := build(services)
	config, err := routing.Render(table, settings(binds...))
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// run executes a plan all of whose commands must succeed or be asked for patience.
func run(t *testing.T, haproxy *model, plan routing.Plan) (done, waiting int) {
	t.Helper()
	for _, c := range plan.Commands {
		answer := haproxy.execute(c.Line)
		switch ok, later := c.Succeeded(answer); {
		case ok:
			done++
		case later:
			waiting++
		default:
			t.Errorf("%q is answered %q", c.Line, answer)
		}
	}
	return done, waiting
}
