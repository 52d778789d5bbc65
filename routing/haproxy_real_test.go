package routing_test

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"pgregory.net/rapid"

	"sluice/internal/haproxy/haproxytest"
	"sluice/routing"
)

// TestRequestsReachTheirServices asks the real HAProxy. A case has services, one on each line with their labels
// (notify=true and port=8080 when they do not say), and requests, each with host and path and what answers: a service,
// with its port where that matters, and the request's target as it saw it; or the status of HAProxy's own answer. Cases
// with a number are those of the public list of routing cases.
func TestRequestsReachTheirServices(t *testing.T) {
	site := newSite(t)
	for _, c := range []struct{ name, services, requests, problem string }{
		{name: "1 a path takes itself, what is below and queries", services: `svc servicePath=/demo`, requests: `
			/demo          svc /demo
			/demo/         svc /demo/
			/demo/x        svc /demo/x
			/demo?q=1      svc /demo?q=1
			/demo/?q=/x    svc /demo/?q=/x`},
		{name: "2 other paths find nothing", services: `svc servicePath=/demo`, requests: `
			/other         503
			/              503
			/de            503
			/x/demo        503
			/?/demo        503`},
		{name: "3 a path ends at its segment", services: `svc servicePath=/demo`, requests: `
			/demox         503
			/demo;x        503
			/demo%2Fx      503`},
		{name: "5 several paths", services: `svc servicePath=/a,/b`, requests: `
			/a             svc /a
			/b/1           svc /b/1
			/c             503`},
		{name: "12 hosts in every form", services: `svc serviceDomain=a.test,b.test`, requests: `
			a.test/        svc /
			A.TEST/x       svc /x
			b.test/        svc /
			b.test:8080/   svc /
			a.test./       svc /
			A.test.:80/y   svc /y`},
		{name: "13 a host is compared as a whole", services: `svc serviceDomain=a.test,b.test`, requests: `
			a.test.evil.org/   503
			xa.test/           503
			x.a.test/          503
			test/              503
			a.testx/           503`},
		{name: "15 host and path before host", services: `
			svc serviceDomain=a.test servicePath=/api
			svc2 serviceDomain=a.test`, requests: `
			a.test/api/1   svc /api/1
			A.TEST/api     svc /api
			a.test/x       svc2 /x
			q.test/api     503`},
		{name: "16 a wildcard takes every depth but not its suffix", services: `svc serviceDomain=*.a.test`, requests: `
			x.a.test/      svc /
			x.y.a.test/    svc /
			X.A.Test:81/   svc /
			x.a.test./     svc /
			a.test/        503
			xa.test/       503
			.a.test/       svc /
			x.a.test.org/  503`},
		{name: "19 a wildcard stays when others come", services: `
			svc serviceDomain=*.a.test
			other servicePath=/other
			third serviceDomain=third.test,*.third.b.test`, requests: `
			x.a.test/      svc /`},
		{name: "23 the longer path, not the first name", services: `
			a-app servicePath=/digital
			b-app servicePath=/digitalproduct`, requests: `
			/digitalproduct    b-app /digitalproduct
			/digital/x         a-app /digital/x`},
		{name: "25 the root path comes last", services: `
			a servicePath=/
			b servicePath=/b`, requests: `
			/b             b /b
			/q             a /q
			/              a /`},
		{name: "26 host before path", services: `
			dom serviceDomain=a.test
			api servicePath=/api`, requests: `
			a.test/api/1   dom /api/1
			a.test/x       dom /x
			other/api/1    api /api/1
			A.TEST/api/1   dom /api/1`},
		{name: "28 the first name of two equal routes", services: `
			y servicePath=/x
			x servicePath=/x`, problem: "y: com.df.servicePath: x has the same route", requests: `
			/x             x /x`},
		{name: "34 a gap in the indexes", services: `svc servicePath.1=/a port.1=1 servicePath.3=/c port.3=3`, problem: "gaps: [1 3]", requests: `
			/a             svc:1 /a
			/c             svc:3 /c`},
		{name: "35 a rewrite leaves the query alone", services: `svc servicePath=/something reqPathSearchReplace=/something/,/demo/`, requests: `
			/something/hello?q=/something/1              svc /demo/hello?q=/something/1
			/something/something/?                       svc /demo/something/?
			/something                                   svc /something`},
		{name: "37 a rewrite that leaves nothing leaves a slash", services: `svc servicePath=/something reqPathSearchReplace=^/something,`, requests: `
			/something/hello   svc /hello
			/something         svc /
			/something?q=1     svc /?q=1`},
		{name: "39 a rewrite of everything", services: `svc servicePath=/s reqPathSearchReplace=/s/.*,/fixed`, requests: `
			/s/a/b         svc /fixed`},
		{name: "40 a rewrite with groups", services: `svc servicePath=/s reqPathSearchReplace=^/s/(.*),/u/\1`, requests: `
			/s/a/b         svc /u/a/b`},
		{name: "43 each destination has its own rewrite", services: `svc servicePath.1=/a reqPathSearchReplace.1=^/a,/1 servicePath.2=/b reqPathSearchReplace.2=^/b,/2`, requests: `
			/a/a           svc /1/a
			/b/a           svc /2/a`},
		{name: "47 more than ten destinations", services: "svc" + eleven(), requests: `
			/p1/x          svc:1 /p1/x
			/p10/x         svc:10 /p10/x
			/p11/x         svc:11 /p11/x`},

		{name: "the best route that matches, whatever the depth", services: `
			deep serviceDomain=*.c.b.a.test servicePath=/deep
			mid serviceDomain=*.b.a.test servicePath=/mid
			low serviceDomain=*.test
			exact serviceDomain=x.c.b.a.test servicePath=/exact
			any servicePath=/any`, requests: `
			x.c.b.a.test/exact     exact /exact
			x.c.b.a.test/deep      deep /deep
			y.x.c.b.a.test/deep    deep /deep
			x.c.b.a.test/mid       mid /mid
			x.c.b.a.test/low       low /low
			c.b.a.test/deep        low /deep
			c.b.a.test/mid         mid /mid
			b.a.test/mid           low /mid
			x.test/any             low /any
			test/any               any /any
			test/low               503
			x.org/any              any /any
			localhost/any          any /any`},
		{name: "wildcards of one to four labels", services: `
			one serviceDomain=*.d
			two serviceDomain=*.c.d
			three serviceDomain=*.b.c.d
			four serviceDomain=*.a.b.c.d`, requests: `
			x.d/           one /
			c.d/           one /
			x.c.d/         two /
			b.c.d/         two /
			x.b.c.d/       three /
			a.b.c.d/       three /
			x.a.b.c.d/     four /
			y.x.a.b.c.d/   four /
			y.x.a.b.c.e/   503
			d/             503`},
		{name: "IPv6 hosts, with and without a port", services: `six serviceDomain=[::1],[FE80::a]`, requests: `
			[::1]/x        six /x
			[::1]:8080/x   six /x
			[fe80::A]/x    six /x
			[::2]/x        503`},
		{name: "IPv4 hosts", services: `four serviceDomain=127.0.0.1`, requests: `
			127.0.0.1/        four /
			127.0.0.1:8080/   four /
			127.0.0.2/        503`},
		{name: "encoded paths are compared as they are written", services: `svc servicePath=/100%25,/a%20b`, requests: `
			/100%25/x      svc /100%25/x
			/a%20b         svc /a%20b
			/a%20bc        503`},
		{name: "characters with a meaning elsewhere", services: `svc servicePath=/a;v=1,/it's,/~x(y)*!$&+:@`, requests: `
			/a;v=1/x       svc /a;v=1/x
			/a             503
			/it's          svc /it's
			/~x(y)*!$&+:@  svc /~x(y)*!$&+:@`},
		{name: "double slashes are kept", services: `svc servicePath=/a
			root serviceDomain=root.test`, requests: `
			//a            503
			/a//b          svc /a//b
			root.test//a   root //a`},
		{name: "nasty rewrites", services: `
			quote servicePath=/quote reqPathSearchReplace=it's"so",'"'
			class servicePath=/class reqPathSearchReplace=[^/a-z]+,]
			percent servicePath=/percent reqPathSearchReplace=%41,%25[src]
			dollar servicePath=/dollar reqPathSearchReplace=x$,$HOME
			backslash servicePath=/backslash reqPathSearchReplace=\d\d,\\1
			hash servicePath=/hash reqPathSearchReplace=#*z,#
			order servicePath=/order reqPathSearchReplace=a,b:b,c
			count servicePath=/count reqPathSearchReplace=n{2\,3},N
			words servicePath=/words reqPathSearchReplace=(?:one|two),1:three,\:\,`, requests: `
			/class/9       class /class/]
			/percent/%41   percent /percent/%25[src]
			/dollar/x      dollar /dollar/$HOME
			/backslash/42  backslash /backslash/\1
			/order/b       order /order/c
			/order/a       order /order/c
			/count/nnnn    count /count/Nn
			/words/two     words /words/1
			/words/three   words /words/:,`},
	} {
		t.Run(c.name, func(t *testing.T) {
			problems := site.serve(t, cases(t, c.services))
			if text := list(problems); (c.problem == "") != (text == "") || !strings.Contains(text, c.problem) {
				t.Errorf("got the problems %q, want %q", text, c.problem)
			}
			for line := range strings.Lines(strings.TrimSpace(c.requests)) {
				asked, want, _ := strings.Cut(strings.TrimSpace(line), " ")
				host, path, _ := strings.Cut(asked, "/")
				got := site.ask(t, fmt.Sprintf("GET /%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", path, cmp.Or(host, "none.test")))
				if want = strings.TrimSpace(want); got.String() != want && got.withPort() != want {
					t.Errorf("%s is answered by %q, want %q", asked, got, want)
				}
			}
		})
	}
}

func TestRequestsInUnusualForms(t *testing.T) {
	site := newSite(t)
	site.serve(t, cases(t, `
		svc serviceDomain=a.test
		sub serviceDomain=a.test servicePath=/sub
		wild serviceDomain=*.a.test
		any servicePath=/any`))
	long := "/" + strings.Repeat("x", 12_000)
	for _, row := range []struct{ form, request, want string }{
		{"a host with a slash could name another route", "GET / HTTP/1.1\r\nHost: a.test/sub\r\n\r\n", "400"},
		{"a host with a slash is refused in the second place too", "GET / HTTP/1.1\r\nHost: b.test,a.test/sub\r\n\r\n", "400"},
		{"HTTP/1.0 without a host", "GET /any HTTP/1.0\r\n\r\n", "any /any"},
		{"HTTP/1.0 without a host finds no route of a host", "GET /sub HTTP/1.0\r\n\r\n", "503"},
		{"HTTP/1.1 with an empty host", "GET /any HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n", "any /any"},
		{"the whole URI", "GET http://a.test/sub?q=1 HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n", "sub http://a.test/sub?q=1"},
		{"the whole URI in other letters", "GET http://A.TEST/sub HTTP/1.1\r\nHost: A.TEST\r\nConnection: close\r\n\r\n", "sub http://A.TEST/sub"},
		{"the whole URI without a path", "GET http://a.test HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n", "svc http://a.test"},
		{"a URI of another host", "GET http://b.test/sub HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n", "400"},
		{"a long path", "GET /sub" + long + " HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n", "sub /sub" + long},
		{"a long path and a host in other letters", "GET /sub" + long + " HTTP/1.1\r\nHost: A.TEST\r\nConnection: close\r\n\r\n", "sub /sub" + long},
		{"a host of dots", "GET /any HTTP/1.1\r\nHost: ...\r\nConnection: close\r\n\r\n", "any /any"},
		{"a comma makes it another host", "GET /sub HTTP/1.1\r\nHost: A.test,b.test\r\nConnection: close\r\n\r\n", "503"},
		{"two hosts", "GET / HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\nConnection: close\r\n\r\n", "400"},
		{"POST", "POST /sub HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi", "sub /sub"},
	} {
		t.Run(row.form, func(t *testing.T) {
			if got := site.ask(t, row.request); got.String() != row.want {
				t.Errorf("answered by %.100q, want %.100q", got, row.want)
			}
		})
	}
}

func TestServicesSeeTheClientAndTheHost(t *testing.T) {
	site := newSite(t)
	site.serve(t, cases(t, `svc serviceDomain=a.test`))
	for form, request := range map[string]string{
		"95 any":             "GET / HTTP/1.1\r\nHost: A.test:99\r\nConnection: close\r\n\r\n",
		"a second X-Fwd-For": "GET / HTTP/1.1\r\nHost: A.test:99\r\nX-Forwarded-For: 192.0.2.1\r\nConnection: close\r\n\r\n",
	} {
		t.Run(form, func(t *testing.T) {
			got := site.ask(t, request)
			if forwarded := got.header.Values("Saw-X-Forwarded-For"); !slices.Equal(forwarded, []string{"127.0.0.1"}) {
				t.Errorf("the client is %q", forwarded)
			}
			if host := got.header.Get("Saw-Host"); host != "A.test:99" {
				t.Errorf("the host is %q", host)
			}
		})
	}
}

// TestHAProxyTakesTheFirstRouteThatMatches compares HAProxy's maps with the plain meaning of the table: its routes from
// the first to the last.
func TestHAProxyTakesTheFirstRouteThatMatches(t *testing.T) {
	site := newSite(t)
	hosts := rapid.SampledFrom([]string{"a.test", "A.test.:81", "b.test", "x.a.test", "y.x.a.test", "q.test", "test", "other"})
	paths := rapid.SampledFrom([]string{"/", "/a", "/a/", "/ab", "/a/b", "/a/b/c/d", "/b;c/d", "/b", "//a"})
	agents := rapid.SampledFrom([]string{"curl", "Mozilla AMIGA 500"})
	rounds := 0
	rapid.Check(t, func(rt *rapid.T) {
		if rounds++; rounds > 12 { // each costs a reload
			return
		}
		services := drawServices(rt)
		site.serve(t, services)
		table, _ := build(services)
		for range 20 {
			host, path, agent := hosts.Draw(rt, "host"), paths.Draw(rt, "path"), agents.Draw(rt, "agent")
			want := cmp.Or(table.Default, "503")
			if i := slices.IndexFunc(table.Routes, func(r routing.Route) bool { return matches(r, host, path, agent) }); i >= 0 {
				want = table.Routes[i].Backend
			}
			got := site.ask(t, fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\nConnection: close\r\n\r\n", path, host, agent))
			if backend := cmp.Or(got.header.Get("Backend"), got.String()); backend != want {
				rt.Fatalf("%s%s (%s) is answered by %s, want %s of\n%s", host, path, agent, backend, want, plain(table.Routes))
			}
		}
	})
}

// plain is a line for each route.
func plain(routes []routing.Route) string {
	var b strings.Builder
	for _, r := range routes {
		fmt.Fprintf(&b, "%+v\n", r)
	}
	return b.String()
}

// matches says in plain words what a route takes.
func matches(r routing.Route, host, path, agent string) bool {
	host, _, _ = strings.Cut(strings.ToLower(host), ":")
	host = strings.TrimSuffix(host, ".")
	var hostMatches bool
	switch suffix, wildcard := strings.CutPrefix(r.Host, "*"); {
	case r.HostMatch == "end":
		hostMatches = strings.HasSuffix(host, r.Host)
	case r.HostMatch == "dom":
		hostMatches = strings.Contains("."+host+".", "."+r.Host+".")
	case r.HostMatch == "reg":
		hostMatches = regexp.MustCompile(r.Host).MatchString(host)
	default:
		hostMatches = r.Host == "" || r.Host == host || wildcard && strings.HasSuffix(host, suffix)
	}
	takes := func(pattern string) bool {
		switch r.PathMatch {
		case "beg":
			return strings.HasPrefix(path, pattern)
		case "str":
			return path == pattern
		case "end":
			return strings.HasSuffix(path, pattern)
		case "sub":
			return strings.Contains(path, pattern)
		case "reg":
			return regexp.MustCompile(pattern).MatchString(path)
		}
		return strings.HasPrefix(path+"/", strings.TrimRight(pattern, "/")+"/")
	}
	agentMatches := len(r.UserAgents) == 0 || slices.ContainsFunc(r.UserAgents, func(part string) bool {
		return strings.Contains(strings.ToLower(agent), strings.ToLower(part))
	})
	return hostMatches && takes(r.Path) && agentMatches && !slices.ContainsFunc(r.Exclude, takes)
}

func TestEveryGoldenIsAcceptedByHAProxy(t *testing.T) {
	haproxytest.Binary(t)
	store, all := openStore(t), everyTLS(t)
	for _, file := range goldenFiles(t) {
		t.Run(file, func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			table, _ := routing.BuildTable(scene(t, section(archive, "services")), goldenOptions(archive))
			for _, s := range []routing.Settings{settings("127.0.0.1:80"), all} {
				if err := checkConfig(t.Context(), store, render(t, table, s)); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func eleven() string {
	var labels strings.Builder
	for n := range 11 {
		fmt.Fprintf(&labels, " servicePath.%d=/p%d port.%d=%d", n+1, n+1, n+1, n+1)
	}
	return labels.String()
}
