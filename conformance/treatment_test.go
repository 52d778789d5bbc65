package conformance

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// The password of the case table, as `openssl passwd -6 password` writes it.
const hash = "$6$conformance$rWLHKzWSN5m21vDXpBoBGH65NEBvS1CViUZvdvofUfynaNH0QbDa/XKWg1VWHGF9W3gJakKouLnonm3xJ25/V0"

// Cases of "Authentication", "Methods, headers, redirects, agents", "Sticky, compression, templates, static services",
// and of "HTTPS" what needs no certificate; the rest of that is in https_test.go.
var treatmentCases = []testCase{
	{number: "58", services: []service{svc("svc", "servicePath=/", "users=admin:password,joe:x")}, requests: []request{
		get("/", "401", answers("Www-Authenticate", `Basic realm="svcRealm"`)), get("/", "svc", user("admin:password"), gets("Authorization")),
		get("/", "svc", user("joe:x"), gets("Authorization")), get("/", "401", user("joe:y"))}},
	{number: "59", services: []service{svc("svc", "servicePath=/", "users=admin:"+hash, "usersPassEncrypted=true")}, requests: []request{
		get("/", "401"), get("/", "svc", user("admin:password")), get("/", "401", user("admin:other"))}},
	{number: "63", environment: []string{"USERS=g:gp"}, services: []service{svc("svc", "servicePath=/")}, requests: []request{
		get("/", "401", answers("Www-Authenticate", `Basic realm="defaultRealm"`)), get("/", "svc", user("g:gp"))}},
	{number: "65", services: []service{svc("svc", "users=a:b", "servicePath.1=/api", "ignoreAuthorization.1=true", "port.1=@first", "servicePath.2=/", "port.2=@second")}, requests: []request{
		get("/api", "first"), get("/x", "401"), get("/x", "second", user("a:b"))}},
	{number: "67", services: []service{svc("svc", "servicePath=/", "users=a:b", "deniedMethods=PUT")}, requests: []request{get("/", "403", method("PUT")), get("/", "401")}},

	{number: "72", environment: []string{"TRUSTED_PROXIES=127.0.0.1/32"}, services: []service{svc("svc", "servicePath=/", "redirectWhenHttpProto=true")}, requests: []request{
		get("/", "svc"), get("/", "302", header("X-Forwarded-Proto: http")), get("/", "svc", header("X-Forwarded-Proto: https"))}},
	{number: "74 plain", services: []service{svc("svc", "servicePath=/", "denyHttp=true")}, requests: []request{get("/", "403")}},
	{number: "82 without CA_FILE", services: []service{svc("svc", "servicePath=/", "verifyClientSsl=true")}, requests: []request{get("/", "403")}},

	{number: "84", services: []service{svc("svc", "servicePath=/", "allowedMethods=GET,DELETE")}, requests: []request{
		get("/", "svc"), get("/", "svc", method("DELETE")), get("/", "403", method("PUT"))}},
	{number: "85", services: []service{svc("svc", "servicePath=/", "deniedMethods=PUT,POST")}, requests: []request{
		get("/", "svc"), get("/", "403", method("PUT")), get("/", "svc", method("PATCH"))}},
	{number: "86", services: []service{svc("svc", "servicePath=/", "addReqHeader=X-Add one,X-Port %[dst_port]")}, requests: []request{
		get("/", "svc", header("X-Add: zero"), gets("X-Add", "zero", "one"), checked(func(s seen) error {
			return equal("X-Port at the backend", s.answer.Header.Get("X-Port"), fmt.Sprint(s.entry))
		}))}},
	{number: "88", services: []service{svc("svc", "servicePath=/", "addResHeader=X-R r1", "setResHeader=X-Backend over", "delResHeader=X-Del")}, requests: []request{
		get("/", "svc", answers("X-R", "r1"), answers("X-Backend", "over"), answers("X-Del"))}},
	{number: "89", services: []service{svc("svc", "servicePath=/", `setResHeader=Strict-Transport-Security "max-age=16000000; includeSubDomains; preload;"`)}, requests: []request{
		get("/", "svc", answers("Strict-Transport-Security", "max-age=16000000; includeSubDomains; preload;"))}},
	{number: "90", services: []service{svc("svc", "servicePath=/a", "addReqHeader=X-Add one"), svc("svc2", "servicePath=/b")}, requests: []request{
		get("/a", "svc", gets("X-Add", "one")), get("/b", "svc2", gets("X-Add"))}},
	{number: "92 plain", services: []service{svc("svc", "serviceDomain=new.test", "redirectFromDomain=old.test")}, requests: []request{
		get("old.test/p?q=1", "301", checked(func(s seen) error {
			if location := s.header.Get("Location"); !strings.HasPrefix(location, "http://new.test") || !strings.HasSuffix(location, "/p?q=1") {
				return errors.New("Location: " + location)
			}
			return nil
		})), get("new.test/p", "svc")}},
	{number: "93", services: []service{svc("svc", "servicePath.1=/s", "userAgent.1=amiga,amstrad", "port.1=@first", "servicePath.2=/s", "port.2=@second")}, requests: []request{
		get("/s", "first", agent("Mozilla AMIGA 500")), get("/s", "first", agent("amstrad")), get("/s", "second", agent("curl"))}},
	{number: "95", services: []service{svc("svc", "servicePath=/")}, requests: []request{get("/", "svc", gets("X-Forwarded-For", "127.0.0.1"))}},

	{number: "98", services: []service{svc("svc", "servicePath=/a", "compressionAlgo=gzip", "compressionType=text/plain"), svc("svc2", "servicePath=/b")}, requests: []request{
		get("/a", "200", header("Accept-Encoding: gzip", "X-Fixture-Length: 4096"), answers("Content-Encoding", "gzip")),
		get("/b", "svc2", header("Accept-Encoding: gzip", "X-Fixture-Length: 4096"), answers("Content-Encoding"))}},
	{number: "99", environment: []string{"COMPRESSION_ALGO=gzip", "COMPRESSION_TYPE=text/plain"}, services: []service{svc("svc", "servicePath=/")}, requests: []request{
		get("/", "200", header("Accept-Encoding: gzip", "X-Fixture-Length: 4096"), answers("Content-Encoding", "gzip"))}},
	{number: "102", services: []service{svc("svc", "servicePath=/", "timeoutServer=1")}, requests: []request{get("/", "504", header("X-Fixture-Pause: 3s")), get("/", "svc")}},
	{number: "103", environment: []string{"STATS_USER=none", "STATS_PASS=none"}, requests: []request{
		get("/admin?stats", "200"), get("/admin?stats;csv", "200", checked(func(s seen) error {
			if !strings.HasPrefix(s.body, "# pxname,svname,") {
				return fmt.Errorf("CSV begins with %.40q", s.body)
			}
			return nil
		}))}},

	{number: "110", services: []service{svc("bad", "servicePath=/bad", "pathType=nonsense"), svc("good", "servicePath=/good")}, refused: map[string]int{"bad": http.StatusBadRequest},
		requests: []request{get("/good", "good"), get("/bad", "503")}, reported: []string{"com.df.pathType Value:nonsense"}},
	{number: "115", environment: []string{"FILTER_PROXY_INSTANCE_NAME=true"}, services: []service{svc("svc", "servicePath=/x", "proxyInstanceName=other")},
		refused: map[string]int{"svc": http.StatusBadRequest}, requests: []request{get("/x", "503")}},
	{number: "115 equal", environment: []string{"FILTER_PROXY_INSTANCE_NAME=true", "PROXY_INSTANCE_NAME=mine"}, services: []service{svc("svc", "servicePath=/x", "proxyInstanceName=mine"), svc("other", "servicePath=/o")},
		refused: map[string]int{"other": http.StatusBadRequest}, requests: []request{get("/x", "svc"), get("/o", "503")}, reported: []string{"com.df.proxyInstanceName"}},
}

func agent(name string) func(*request) { return header("User-Agent: " + name) }

// notWritten are the public cases without a test here, and why. They count as gaps until they have one.
var notWritten = []struct{ numbers, reason string }{

	{"106 108 116 117 118 119", "needs a swarm: see cmd/proxy and e2e"},
}
