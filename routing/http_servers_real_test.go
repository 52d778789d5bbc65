package routing_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"sluice/routing"
)

// TestStickyClientsStayWithTheirTask covers case 96, and a task that comes at runtime.
func TestStickyClientsStayWithTheirTask(t *testing.T) {
	e := newEntries(t)
	services := scene(t, "service svc\nnotify true\nport 80\nservicePath /\nsessionType sticky-server")
	tasks := cookieTasks(t, "svc.1", "svc.2", "svc.3")
	with := func(names ...string) routing.Config {
		table, problems := build(services)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		for _, name := range names {
			table.Backends[0].Servers = append(table.Backends[0].Servers, routing.Server{Name: name, Addr: tasks[name]})
		}
		return render(t, table, e.settings)
	}
	e.haproxy.Put(with("svc.1", "svc.2").Files())
	ask := func(cookie string) (task, set string) {
		response, _ := e.ask(t, "P GET a.test/ Cookie:"+cookie)
		if saw := response.Header.Get("Saw-Cookie"); strings.Contains(saw, "svc=") {
			t.Errorf("the task saw the cookie %q", saw)
		}
		return response.Header.Get("Task"), response.Header.Get("Set-Cookie")
	}
	first, set := ask("x=y")
	second, _ := ask("x=y")
	if first == second || !strings.HasPrefix(set, "svc=") || !strings.Contains(set, "path=/") {
		t.Errorf("without a cookie %s, then %s answered, with the cookie %q", first, second, set)
	}
	mine, _, _ := strings.Cut(set, ";")
	stays := func(when string) {
		t.Helper()
		for range 3 {
			if task, set := ask(mine); task != first || set != "" {
				t.Errorf("%s %s answered a client of %s and set the cookie %q", when, task, first, set)
			}
		}
	}
	stays("at first")
	if _, set := ask("svc=svc_9"); !strings.HasPrefix(set, "svc=") {
		t.Errorf("a foreign cookie is answered by the cookie %q", set)
	}
	send(t, e.haproxy, routing.Diff(observe(t, e.haproxy), with("svc.1", "svc.2", "svc.3")), 0)
	stays("after a third task came")
	theirs := map[string]string{}
	for range 6 {
		task, set := ask("x=y")
		theirs[task], _, _ = strings.Cut(set, ";")
	}
	if task, set := ask(theirs["svc.3"]); theirs["svc.3"] == "" || task != "svc.3" || set != "" {
		t.Errorf("%s answered a client of the third task (%v) and set %q", task, theirs, set)
	}
	other := map[string]string{"svc.1": "svc.2", "svc.2": "svc.1"}[first]
	send(t, e.haproxy, routing.Diff(observe(t, e.haproxy), with(slices.Sorted(slices.Values([]string{other, "svc.3"}))...)), 0)
	if task, set := ask(mine); task == first || !strings.HasPrefix(set, "svc=") {
		t.Errorf("%s answered a client of a task that left and set %q", task, set)
	}
}

// cookieTasks tell their name and the cookies that they saw.
func cookieTasks(t *testing.T, names ...string) map[string]netip.AddrPort {
	t.Helper()
	tasks := map[string]netip.AddrPort{}
	for _, name := range names {
		tasks[name] = startTask(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Task", name)
			w.Header().Set("Saw-Cookie", r.Header.Get("Cookie"))
		})
	}
	return tasks
}

func startTask(t *testing.T, handler http.HandlerFunc) netip.AddrPort {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return netip.MustParseAddrPort(server.Listener.Addr().String())
}

// TestSickTasksGetNoRequests has one task in the configuration and another that comes at runtime, both checked.
func TestSickTasksGetNoRequests(t *testing.T) {
	e := newEntries(t)
	services := scene(t, "service svc\nnotify true\nport 80\nservicePath /\ncheckPath /health\ncheckInterval 300ms\ncheckExpect 204\nmaxConn 5\nserviceDomain a.test")
	task := func(name string, health int) netip.AddrPort {
		return startTask(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Task", name)
			if r.URL.Path == "/health" && r.Host == "a.test" {
				w.WriteHeader(health)
			}
		})
	}
	with := func(servers ...routing.Server) routing.Config {
		table, problems := build(services)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		table.Backends[0].Servers = servers
		return render(t, table, e.settings)
	}
	well, sick := routing.Server{Name: "svc.1", Addr: task("svc.1", 204)}, routing.Server{Name: "svc.2", Addr: task("svc.2", 200)}
	sickToo := routing.Server{Name: "svc.3", Addr: task("svc.3", 500)}
	e.haproxy.Put(with(well, sick).Files())
	send(t, e.haproxy, routing.Diff(observe(t, e.haproxy), with(well, sick, sickToo)), 0)
	e.haproxy.Until("two of three are down", func() bool {
		down := 0
		for line := range strings.Lines(e.haproxy.Ask("show stat svc-be80_0 4 -1")) {
			if fields := strings.Split(line, ","); len(fields) > 17 && fields[17] == "DOWN" {
				down++
			}
		}
		return down == 2
	})
	for range 6 {
		if response, _ := e.ask(t, "P GET a.test/"); response.Header.Get("Task") != "svc.1" {
			t.Errorf("%s answered with %s", response.Header.Get("Task"), response.Status)
		}
	}
	send(t, e.haproxy, routing.Diff(observe(t, e.haproxy), with(well)), 0)
}

// TestTasksComeAtRuntimeWhateverTheLabelsSay adds a server to backends that labels have shaped.
func TestTasksComeAtRuntimeWhateverTheLabelsSay(t *testing.T) {
	e := newEntries(t)
	var labels strings.Builder
	for n, written := range []string{"loadBalance roundrobin", "loadBalance leastconn", "loadBalance random", "loadBalance first", "loadBalance source",
		"loadBalance uri", "loadBalance hdr(x)", "loadBalance url_param(x)", "weight 256", "maxConn 7", "sslVerifyNone true", "checkTcp true",
		"checkPath /%[src]?#'x", "retryOn conn-failure,empty-response,junk-response,response-timeout,0rtt-rejected,all-retryable-errors,401,403,404,408,425,500,501,502,503,504",
		"retryOn none", "rateLimit 1000000000/24h"} {
		name, value, _ := strings.Cut(written, " ")
		fmt.Fprintf(&labels, "%s.%d %s\nservicePath.%d /%d\n", name, n+1, value, n+1, n+1)
	}
	text := "service svc\nnotify true\nport 80\nsessionType sticky-server\n" + labels.String()
	with := func(tasks string) routing.Config {
		table, problems := build(scene(t, text+tasks))
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		return render(t, table, e.settings)
	}
	before, after := with("task svc.1 127.0.0.2"), with("task svc.1 127.0.0.2\ntask svc.2 127.0.0.3")
	e.haproxy.Put(before.Files())
	send(t, e.haproxy, routing.Diff(observe(t, e.haproxy), after), 0)
	send(t, e.haproxy, routing.Diff(observe(t, e.haproxy), before), 0)
}
