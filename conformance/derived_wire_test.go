package conformance

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// raw sends these lines, each with \r\n behind it, and a blank one; HTTP/1.1 closes the connection after the answer.
func raw(want string, lines ...string) request {
	return request{raw: strings.Join(lines, "\r\n") + "\r\n\r\n", want: want}
}

// write sends a request as it is written. An answer that is none has code 0.
func (p *proxy) write(t *testing.T, r request) (s seen) {
	t.Helper()
	s.entry = p.entry
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", p.entry))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(conn, r.raw); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(r.raw, " ")
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		return s
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	s.code, s.header, s.body = response.StatusCode, response.Header, string(body)
	_ = json.Unmarshal(body, &s.answer)
	return s
}

// derivedWire are requests that clients seldom write.
var derivedWire = []testCase{
	{number: "what a Host may look like", services: []service{svc("d-host", "serviceDomain=host.d.test")}, requests: []request{
		raw("d-host", "GET / HTTP/1.1", "Host: HOST.d.test.:8080"), raw("d-host", "GET / HTTP/1.1", "Host: host.d.test:"), raw("d-host", "GET / HTTP/1.1", "host:host.d.test"),
		raw("503", "GET / HTTP/1.1", "Host: host.d.test.evil"), raw("503", "GET / HTTP/1.1", "Host: evil.host.d.test"), raw("503", "GET / HTTP/1.1", "Host:"),
		raw("400", "GET / HTTP/1.1", "Host: host.d.test/x"), raw("503", "GET / HTTP/1.1", "Host: host.d.test@evil.test"), raw("503", "GET / HTTP/1.1", "Host: evil.test:host.d.test"), raw("503", "GET / HTTP/1.1", "Host: host.d.test,evil.test")}},
	{number: "two Hosts", services: []service{svc("d-two", "serviceDomain=two.d.test"), svc("d-two-b", "serviceDomain=two-b.d.test")}, requests: []request{
		raw("400", "GET / HTTP/1.1", "Host: two.d.test", "Host: two-b.d.test")}},
	{number: "no Host", services: []service{svc("d-none", "servicePath=/d-none")}, requests: []request{
		raw("d-none", "GET /d-none HTTP/1.0"), raw("503", "GET /d-nonesuch HTTP/1.0"), raw("503", "GET / HTTP/1.0")}},
	{number: "an absolute address", services: []service{svc("d-abs", "serviceDomain=abs.d.test", "servicePath=/d-abs"), svc("d-abs-b", "serviceDomain=abs-b.d.test")}, requests: []request{
		raw("d-abs", "GET http://abs.d.test/d-abs?x HTTP/1.1", "Host: abs.d.test"), raw("d-abs", "GET http://ABS.d.test:80/d-abs HTTP/1.1", "Host: abs.d.test"),
		raw("400", "GET http://abs.d.test/d-abs HTTP/1.1", "Host: abs-b.d.test"), raw("d-abs-b", "GET http://abs-b.d.test/ HTTP/1.1", "Host: abs-b.d.test"),
		raw("503", "GET http://abs.d.test/other HTTP/1.1", "Host: abs.d.test"), raw("d-abs", "GET http://abs.d.test/d-abs HTTP/1.1", "Host: abs.d.test:80")}},
	{number: "an asterisk", services: []service{svc("d-aster", "serviceDomain=aster.d.test")}, requests: []request{raw("503", "OPTIONS * HTTP/1.1", "Host: nobody.d.test")}},
	{number: "paths as they are written", services: []service{svc("d-raw", "servicePath=/d-raw", "servicePathExclude=/d-raw/secret")}, requests: []request{
		raw("503", "GET /d-raw%2Fx HTTP/1.1", "Host: a"), raw("d-raw", "GET /d-raw/%2F HTTP/1.1", "Host: a"), raw("503", "GET /d-raw;v=1 HTTP/1.1", "Host: a"),
		raw("d-raw", "GET /d-raw//x HTTP/1.1", "Host: a"), raw("503", "GET //d-raw HTTP/1.1", "Host: a"), raw("d-raw", "GET /d-raw? HTTP/1.1", "Host: a"), raw("d-raw", "GET /d-raw?a=/d-other HTTP/1.1", "Host: a"),
		raw("503", "GET /d-raw/secret HTTP/1.1", "Host: a"), raw("503", "GET /d-raw/secret/x HTTP/1.1", "Host: a"), raw("d-raw", "GET /d-raw/secrets HTTP/1.1", "Host: a")}},
	{number: "a very long address", services: []service{svc("d-longuri", "servicePath=/d-longuri")}, requests: []request{
		raw("d-longuri", "GET /d-longuri/"+strings.Repeat("x", 8000)+" HTTP/1.1", "Host: a"), raw("400", "GET /d-longuri/"+strings.Repeat("x", 20000)+" HTTP/1.1", "Host: a")}},
	{number: "a body in chunks, one to come, one with a length", services: []service{svc("d-body", "servicePath=/d-body")}, requests: []request{
		raw("d-body", "POST /d-body HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", "", "5", "hello", "0"), raw("d-body", "POST /d-body HTTP/1.1", "Host: a", "Content-Length: 4", "", ""),
		raw("400", "POST /d-body HTTP/1.1", "Host: a", "Content-Length: 4", "Content-Length: 5", "", "")}},
	{number: "a forwarded client", services: []service{svc("d-xff", "servicePath=/d-xff")}, requests: []request{
		raw("d-xff", "GET /d-xff HTTP/1.1", "Host: a", "X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https").also(gets("X-Forwarded-For", "127.0.0.1"), gets("X-Forwarded-Proto", "http"))}},
}

// also adds to what a request asks for.
func (r request) also(options ...func(*request)) request {
	for _, option := range options {
		option(&r)
	}
	return r
}

// TestDerivedBehindABalancer has entries whose clients a balancer of TCP names, and what a stack file leaves empty.
func TestDerivedBehindABalancer(t *testing.T) {
	t.Parallel()
	port := freePorts(t, 1)[0]
	p := start(t, fmt.Sprintf("BIND_PORTS=127.0.0.1:%d accept-proxy", port), "HTTPS_ONLY=", "USERS=", "TIMEOUT_CLIENT=", "STATS_PORT=", "BIND_OPTIONS=")
	p.must(t, "svc", serve(t, "svc"), "servicePath=/", "denyFrom=192.0.2.0/24")
	behind := *p
	behind.entry = port
	testCase{}.ask(t, &behind, request{raw: "PROXY TCP4 203.0.113.9 127.0.0.1 5555 80\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", want: "svc"}.also(gets("X-Forwarded-For", "203.0.113.9")))
	testCase{}.ask(t, &behind, request{raw: "PROXY TCP4 192.0.2.9 127.0.0.1 5555 80\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", want: "403"})
	testCase{}.ask(t, &behind, request{raw: "GET / HTTP/1.1\r\nHost: a\r\n\r\n", want: "0"})
	p.want(t, "/", "svc")
}
