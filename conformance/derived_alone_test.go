package conformance

import (
	"slices"
	"strings"
	"testing"
)

// derivedAlone are cases about all requests or all of a configuration, which cannot share a declaration.
var derivedAlone = []testCase{
	{number: "a default backend among others", services: []service{svc("fall", "isDefaultBackend=true", "servicePath=/fall", "servicePathExclude=/fall/no"), svc("host", "serviceDomain=h.test", "servicePath=/h"), svc("wild", "serviceDomain=*.w.test", "servicePath=/w")}, requests: []request{
		get("h.test/h", "host"), get("h.test/x", "fall"), get("a.w.test/w", "wild"), get("a.w.test/x", "fall"), get("/fall/no", "fall"), raw("fall", "GET /none HTTP/1.0")}},
	{number: "the default backend of several destinations", services: []service{svc("fall", "isDefaultBackend=true", "servicePath.1=/1", "port.1=@fall-1", "servicePath.2=/2", "port.2=@fall-2"), svc("e", "servicePath=/e", "allowedMethods=GET")}, requests: []request{
		get("/2", "fall-2"), get("/e", "403", method("POST")), get("/e/x", "e"), get("/x", "fall-1")}},
	{number: "a default backend that wants to know who asks", services: []service{svc("fall", "isDefaultBackend=true", "servicePath=/fall", "users=a:b"), svc("e", "servicePath=/e")}, requests: []request{get("/x", "401"), get("/x", "fall", user("a:b")), get("/e", "e")}},
	{number: "a root and what is longer, in whatever order", services: []service{svc("z", "servicePath=/z"), svc("a", "servicePath=/"), svc("m", "servicePath=/,/m", "serviceDomain=m.test")}, requests: []request{
		get("/z", "z"), get("/zz", "a"), get("/", "a"), get("m.test/z", "m"), get("m.test/", "m"), get("other.test/m", "a")}},
	{number: "a root that excludes", services: []service{svc("a", "servicePath=/", "servicePathExclude=/metrics,/admin"), svc("b", "servicePath=/admin/open")}, requests: []request{get("/metrics", "503"), get("/metrics2", "a"), get("/admin", "503"), get("/admin/open", "b"), get("/x", "a")}},
	{number: "three claims of one route", services: []service{svc("c", "servicePath=/x"), svc("b", "servicePath=/x"), svc("a", "servicePath=/x", "userAgent=amiga")}, requests: []request{
		get("/x", "a", agent("amiga")), get("/x", "b")}, reported: []string{"Service:c", "b has the same route"}},
	{number: "one service twice", services: []service{svc("svc", "servicePath.1=/x", "port.1=@one", "servicePath.2=/x", "port.2=@two")}, requests: []request{get("/x", "one")}, reported: []string{"another destination of the service has the same route"}},
	{number: "a path of each character", services: []service{svc("svc", "servicePath=/a-b_c.d~e,/f:g@h,/i!$&'()*+j,/%C3%A9,/k=l;m")}, requests: []request{
		get("/a-b_c.d~e/x", "svc"), get("/f:g@h", "svc"), raw("svc", "GET /i!$&'()*+j HTTP/1.1", "Host: a"), raw("svc", "GET /%C3%A9/x HTTP/1.1", "Host: a"), get("/k=l;m", "svc")}},
	{number: "redirects of two services to one domain", services: []service{svc("api", "serviceDomain=new.test", "servicePath=/api", "redirectFromDomain=old.test"), svc("web", "serviceDomain=new.test", "redirectFromDomain=old.test"), svc("kept", "serviceDomain=old.test", "servicePath=/kept")}, requests: []request{
		get("old.test/api/1", "301", answers("Location", "http://new.test/api/1")), get("old.test/", "301"), get("old.test/kept", "kept"), get("new.test/api", "api"), get("new.test/", "web")}},
	{number: "a redirect that leads nowhere", services: []service{svc("svc", "servicePath=/x", "redirectFromDomain=old.test"), svc("loop", "serviceDomain=loop.test", "redirectFromDomain=loop.test")}, refused: map[string]int{"svc": 400, "loop": 400}, requests: []request{get("old.test/x", "503"), get("loop.test/", "503")}, reported: []string{"has nowhere to lead to", "is a serviceDomain too"}},
}

// TestDerivedAlone also looks at names that dashboards know.
func TestDerivedAlone(t *testing.T) {
	t.Parallel()
	p := start(t)
	for _, c := range derivedAlone {
		t.Run("derived: "+c.number, func(t *testing.T) { c.run(t, p) })
	}
	t.Run("derived: names of backends", func(t *testing.T) {
		for name, r := range p.declare(t, []service{svc("go-demo", "servicePath=/demo", "port=8080", "outboundHostname=127.0.0.1"), svc("named", "aclName=05-acl", "servicePath.1=/1", "port.1=1111", "servicePath.2=/2", "port.2=2222", "httpsPort.2=2223", "outboundHostname=127.0.0.1")}) {
			if r.Code != 200 {
				t.Errorf("%s: %+v", name, r)
			}
		}
		text := p.text(t, "config", nil)
		for _, name := range []string{"go-demo-be8080_0", "05-acl-be1111_1", "05-acl-be2222_2", "https-05-acl-be2223_2"} {
			if !slices.ContainsFunc(strings.Split(text, "\n"), func(line string) bool { return strings.HasPrefix(line, "backend "+name+" ") }) {
				t.Errorf("there is no backend %s", name)
			}
		}
	})
}
