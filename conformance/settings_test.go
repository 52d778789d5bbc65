package conformance

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What follows from the same rules as the public cases: settings that decide how labels are read, and what HAProxy does
// beside routing.
var settingCases = []testCase{
	{number: "separator", environment: []string{"SEPARATOR=|"}, services: []service{svc("svc", "servicePath=/a|/b", `addReqHeader=X-A one,two|X-B "three | four"`, "reqPathSearchReplace=^/a,/c", "userAgent=curl/7, or so|wget")},
		requests: []request{get("/a/x", "503"), get("/b", "svc", agent("Wget/1.2"), gets("X-A", "one,two"), gets("X-B", "three | four")), get("/a", "svc", agent("curl/7, or so"), sees("/c"))}},
	{number: "domain algo", environment: []string{"SERVICE_DOMAIN_ALGO=hdr_dom(host)"}, services: []service{svc("svc", "serviceDomain=a.test,*.w.test"), svc("exact", "serviceDomain=b.test", "serviceDomainAlgo=exact")}, requests: []request{
		get("www.a.test/", "svc"), get("x.w.test/", "svc"), get("w.test/", "503"), get("b.test/", "exact"), get("www.b.test/", "503")}},
	{number: "match all", services: []service{svc("svc", "serviceDomain=a.test", "serviceDomainMatchAll=true")}, requests: []request{get("www.a.test/", "svc"), get("xa.test/", "503")}},
	{number: "obsolete", services: []service{svc("svc", "servicePath=/o", "addHeader=X-Add one", "setHeader=X-Set two", "checkResolvers=true", "nodeInfo=x", "scrapeNetwork=x", "discoveryType=DNS")},
		requests: []request{get("/o", "svc", gets("X-Add", "one"), gets("X-Set", "two"))}},
	{number: "raw refused", services: []service{svc("svc", "servicePath=/r", "backendExtra=http-request deny"), svc("soft", "servicePath=/soft", "backendExtra=timeout server 5s")}, refused: map[string]int{"svc": http.StatusBadRequest},
		requests: []request{get("/r", "503"), get("/soft", "soft")}, reported: []string{"ALLOW_RAW_CONFIG", "Service:soft Label:com.df.backendExtra"}},
	{number: "raw", environment: []string{"ALLOW_RAW_CONFIG=true"}, services: []service{svc("svc", "servicePath=/r", `backendExtra=http-request set-header X-Raw "a # b"\nhttp-request deny deny_status 429 if { path /r/tea }`),
		svc("section", "servicePath=/s", "backendExtra=frontend evil"), svc("broken", "servicePath=/b", `backendExtra=http-request set-header X "a`), svc("good", "servicePath=/g")},
		refused:  map[string]int{"section": http.StatusBadRequest, "broken": http.StatusBadRequest},
		requests: []request{get("/r", "svc", gets("X-Raw", "a # b")), get("/r/tea", "429"), get("/s", "503"), get("/b", "503"), get("/g", "good")}, reported: []string{"would begin another section", "unmatched quote"}},
	{number: "103 password", environment: []string{"STATS_USER=ann", "STATS_PASS=it's # one", "STATS_URI=/hidden"}, requests: []request{
		get("/hidden", "401"), get("/hidden;csv", "200", user("ann:it's # one")), get("/admin?stats", "503")}},
	{number: "103 none", requests: []request{get("/admin?stats", "503")}},
	{number: "extra", environment: []string{"ALLOW_RAW_CONFIG=true", "EXTRA_GLOBAL=tune.bufsize 16384,nbthread 1", "EXTRA_FRONTEND=acl tea path /tea,http-request deny deny_status 429 if tea"},
		services: []service{svc("svc", "servicePath=/")}, requests: []request{get("/tea", "429"), get("/x", "svc")}},
}

// TestConnectionMode asks twice over one connection, which ends after the first answer where the proxy's mode is httpclose.
func TestConnectionMode(t *testing.T) {
	t.Parallel()
	if !strings.Contains(help(t), "$CONNECTION_MODE)") {
		t.Skip("not built: CONNECTION_MODE")
	}
	for _, row := range []struct {
		environment, label string
		want               int
	}{
		{"CONNECTION_MODE=http-keep-alive", "http-keep-alive", 2},
		{"CONNECTION_MODE=http-server-close", "http-keep-alive", 2},
		{"CONNECTION_MODE=forceclose", "http-keep-alive", 1},
		{"CONNECTION_MODE=http-tunnel", "forceclose", 2}, // a backend closes only the connection to the task
	} {
		t.Run(row.environment+" "+row.label, func(t *testing.T) {
			t.Parallel()
			p := start(t, row.environment)
			p.must(t, "svc", serve(t, "svc"), "servicePath=/", "connectionMode="+row.label)
			if got := p.twice(t); got != row.want {
				t.Errorf("%d answers, want %d", got, row.want)
			}
		})
	}
}

// twice counts the answers that two requests over one connection get.
func (p *proxy) twice(t *testing.T) (answers int) {
	t.Helper()
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", p.entry))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	reader := bufio.NewReader(conn)
	for range 2 {
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"); err != nil {
			return answers
		}
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			return answers
		}
		if _, err := io.Copy(io.Discard, response.Body); err == nil && response.StatusCode == http.StatusOK {
			answers++
		}
	}
	return answers
}

// TestSeparatorOfTheEnvironment gives a service by environment whose lists have the proxy's separator.
func TestSeparatorOfTheEnvironment(t *testing.T) {
	t.Parallel()
	if !strings.Contains(help(t), "$SEPARATOR)") {
		t.Skip("not built: SEPARATOR")
	}
	p := start(t, "SEPARATOR=|", "DFP_SERVICE_1_SERVICE_NAME=one", "DFP_SERVICE_1_SERVICE_PATH=/a|/b", fmt.Sprintf("DFP_SERVICE_1_PORT=%d", serve(t, "one")), "DFP_SERVICE_1_OUTBOUND_HOSTNAME=127.0.0.1|localhost")
	p.want(t, "/a", "one")
	p.want(t, "/b", "one")
}

// TestRequestLog is DEBUG: each request is a line of the proxy's output, and stays so after a reload.
func TestRequestLog(t *testing.T) {
	t.Parallel()
	if !strings.Contains(help(t), "$DEBUG)") {
		t.Skip("not built: DEBUG")
	}
	p := start(t, "DEBUG=true", `DEBUG_HTTP_FORMAT="request %HM %HU %ST %hr"`, "CAPTURE_REQUEST_HEADER=X-Who:4,Host:30")
	p.must(t, "svc", serve(t, "svc"), "servicePath=/")
	p.do(t, request{path: "/before", host: "a.test", header: []string{"X-Who: somebody"}})
	p.logs(t, "request GET /before 200 {some|a.test}")
	p.must(t, "more", serve(t, "more"), "servicePath=/more")
	p.do(t, request{path: "/more", host: "b.test"})
	p.logs(t, "request GET /more 200 {|b.test}")

	quiet := start(t, "DEBUG=true", "DEBUG_ERRORS_ONLY=true")
	quiet.must(t, "svc", serve(t, "svc"), "servicePath=/fine")
	quiet.do(t, request{path: "/fine"})
	quiet.do(t, request{path: "/lost"})
	quiet.logs(t, `"GET /lost HTTP/1.1"`)
	if strings.Contains(quiet.output.String(), "GET /fine") {
		t.Errorf("a request without fault is logged:\n%s", quiet.output.String())
	}
}

// logs waits until the proxy's output has a text.
func (p *proxy) logs(t *testing.T, text string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !strings.Contains(p.output.String(), text); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no line says %q:\n%s", text, p.output.String())
		}
	}
}

// TestStatisticsOnAPortOfTheirOwn is STATS_PORT, with the password from a file.
func TestStatisticsOnAPortOfTheirOwn(t *testing.T) {
	t.Parallel()
	if !strings.Contains(help(t), "$STATS_PORT)") {
		t.Skip("not built: STATS_PORT")
	}
	port := freePorts(t, 1)[0]
	file := filepath.Join(t.TempDir(), "pass")
	if err := os.WriteFile(file, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, "STATS_USER=ann", "STATS_PASS_FILE="+file, fmt.Sprintf("STATS_PORT=%d", port))
	if text := p.text(t, "config", nil); strings.Contains(text, "secret") || !strings.Contains(text, "stats auth (hidden)") {
		t.Errorf("the API shows the password:\n%s", text)
	}
	if got := p.ask(t, "/admin?stats"); got != "503" {
		t.Errorf("the http entry has the page: %s", got)
	}
	page := fmt.Sprintf("http://ann:secret@127.0.0.1:%d/admin?stats", port)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		response, err := http.Get(page)
		if err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("the page of statistics: %v %v", response, err)
		}
	}
}
