package conformance

import (
	"strings"
)

// derivedTreatments are cases of what is done to requests and answers.
var derivedTreatments = []testCase{
	{number: "users without a password that anybody knows", services: []service{svc("d-nosecret", "servicePath=/d-nosecret", "usersSecret=nowhere"), svc("d-noname", "servicePath=/d-noname", "users=observer,joe:x")}, requests: []request{
		get("/d-nosecret", "401", answers("Www-Authenticate", `Basic realm="d-nosecretRealm"`)), get("/d-nosecret", "401", user("a:b")), get("/d-noname", "401", user("observer:")), get("/d-noname", "d-noname", user("joe:x"))}, reported: []string{"com.df.usersSecret", `a user without a password (number 1)`}},
	{number: "users with blanks", services: []service{svc("d-users", "servicePath=/d-users", "users=usr1:pwd1, usr2:pwd2")}, requests: []request{get("/d-users", "401"), get("/d-users", "d-users", user("usr1:pwd1")), get("/d-users", "d-users", user("usr2:pwd2")), get("/d-users", "401", user("usr2:pwd1"))}},
	{number: "a password with colons", services: []service{svc("d-colon", "servicePath=/d-colon", `users=a:b:c#"d'`)}, requests: []request{get("/d-colon", "d-colon", user(`a:b:c#"d'`)), get("/d-colon", "401", user("a:b"))}},
	{number: "ignoreAuthorization of the service", services: []service{svc("d-ignore", "servicePath=/d-ignore", "users=a:b", "ignoreAuthorization=true")}, requests: []request{get("/d-ignore", "d-ignore"), get("/d-ignore", "d-ignore", user("x:y"), gets("Authorization", "Basic eDp5"))}},
	{number: "no users: Authorization is the service's", services: []service{svc("d-auth", "servicePath=/d-auth")}, requests: []request{get("/d-auth", "d-auth", user("x:y"), gets("Authorization", "Basic eDp5"))}},
	{number: "users before methods and rewrites", services: []service{svc("d-urw", "servicePath=/d-urw", "users=a:b", "reqPathSearchReplace=/d-urw,/x", "allowedMethods=GET")}, requests: []request{get("/d-urw", "403", method("PUT")), get("/d-urw", "401"), get("/d-urw", "d-urw", user("a:b"), sees("/x"))}},
	{number: "redirectUnlessHttpsProto", services: []service{svc("d-unless", "servicePath=/d-unless", "redirectUnlessHttpsProto=true", "httpsRedirectCode=307")}, requests: []request{
		get("a.test/d-unless/x?y", "307", answers("Location", "https://a.test/d-unless/x?y")), get("/d-unless", "307", header("X-Forwarded-Proto: https"))}}, // nobody is trusted
	{number: "redirectWhenHttpProto of nobody who is trusted", services: []service{svc("d-when", "servicePath=/d-when", "redirectWhenHttpProto=true")}, requests: []request{get("/d-when", "d-when"), get("/d-when", "d-when", header("X-Forwarded-Proto: http"))}},
	{number: "httpsOnly", services: []service{svc("d-only", "servicePath.1=/d-only/1", "httpsOnly.1=true", "servicePath.2=/d-only/2", "httpsRedirectCode=303", "port=@d-only")}, requests: []request{
		get("a.test/d-only/1?x=1", "303", answers("Location", "https://a.test/d-only/1?x=1")), get("/d-only/1", "303", method("POST")), get("/d-only/2", "d-only")}},
	{number: "httpsOnly with an impossible code", services: []service{svc("d-code", "servicePath=/d-code", "httpsOnly=true", "httpsRedirectCode=200")}, refused: map[string]int{"d-code": 400}, requests: []request{get("/d-code", "503")}, reported: []string{"com.df.httpsRedirectCode"}},
	{number: "httpsOnly before users", services: []service{svc("d-onlyusers", "servicePath=/d-onlyusers", "httpsOnly=true", "users=a:b")}, requests: []request{get("/d-onlyusers", "302")}},
	{number: "methods with blanks and in small letters", services: []service{svc("d-meth", "servicePath=/d-meth", "allowedMethods=get, delete")}, requests: []request{get("/d-meth", "d-meth"), get("/d-meth", "403", method("PUT"))}},
	{number: "HEAD counts as itself", services: []service{svc("d-head", "servicePath=/d-head", "allowedMethods=GET")}, requests: []request{get("/d-head", "403", method("HEAD"))}},
	{number: "HEAD", services: []service{svc("d-head2", "servicePath=/d-head2")}, requests: []request{get("/d-head2", "200", method("HEAD"))}},
	{number: "headers of requests", services: []service{svc("d-req", "servicePath=/d-req", "setReqHeader=X-Set one", "delReqHeader=X-Del,Cookie", "addReqHeader=X-Forwarded-Port %[dst_port],X-Forwarded-Ssl on if { ssl_fc }")}, requests: []request{
		get("/d-req", "d-req", header("X-Set: zero", "X-Del: a", "Cookie: a=b"), gets("X-Set", "one"), gets("X-Del"), gets("Cookie"), gets("X-Forwarded-Ssl"))}},
	{number: "conditions of headers", services: []service{svc("d-cond", "servicePath=/d-cond", "setReqHeader=X-C yes if { path_beg /d-cond/a }", "addReqHeader=X-U yes unless { method POST }"), svc("d-cond-b", "servicePath=/d-cond-b", "setResHeader=X-C yes if { path_beg /d-cond-b }")},
		refused: map[string]int{"d-cond-b": 400}, requests: []request{get("/d-cond/a", "d-cond", gets("X-C", "yes"), gets("X-U", "yes")), get("/d-cond/b", "d-cond", method("POST"), gets("X-C"), gets("X-U"))},
		reported: []string{"path, which is forgotten when the answer comes"}},
	{number: "headers with commas and quotes", services: []service{svc("d-quote", "servicePath=/d-quote", `setResHeader=X-A "a, b; c=\"d\"",X-B 'x # y',Cache-Control no-cache`)}, requests: []request{
		get("/d-quote", "d-quote", answers("X-A", `a, b; c="d"`), answers("X-B", "x # y"), answers("Cache-Control", "no-cache"))}},
	{number: "headers by index", services: []service{svc("d-hidx", "servicePath.1=/d-hidx/1", "servicePath.2=/d-hidx/2", "port=@d-hidx", "setResHeader=X-All a", "setResHeader.2=X-Two b")}, requests: []request{
		get("/d-hidx/1", "d-hidx", answers("X-All", "a")), get("/d-hidx/2", "d-hidx", answers("X-Two", "b"), answers("X-All"))}},
	{number: "redirectFromDomain", services: []service{svc("d-from", "serviceDomain=from.d.test,other.d.test", "redirectFromDomain=old1.d.test,old2.d.test", "servicePath=/d-from")}, requests: []request{
		get("old1.d.test/d-from/x?y", "301", answers("Location", "http://from.d.test/d-from/x?y")), get("OLD2.d.test:80/d-from", "301"), get("old2.d.test/elsewhere", "301"), get("from.d.test/d-from", "d-from"), get("other.d.test/d-from", "d-from")}},
	{number: "rateLimit", services: []service{svc("d-rate", "servicePath=/d-rate", "rateLimit=3/60s")}, requests: []request{get("/d-rate", "d-rate"), get("/d-rate", "d-rate"), get("/d-rate", "d-rate"), get("/d-rate", "429")}},
	{number: "allowFrom and denyFrom", services: []service{svc("d-from-a", "servicePath=/d-from-a", "allowFrom=10.0.0.0/8"), svc("d-from-b", "servicePath=/d-from-b", "allowFrom=127.0.0.0/8,::1"), svc("d-from-c", "servicePath=/d-from-c", "denyFrom=127.0.0.1"), svc("d-from-d", "servicePath=/d-from-d", "allowFrom=nonsense")},
		refused: map[string]int{"d-from-d": 400}, requests: []request{get("/d-from-a", "403"), get("/d-from-a", "403", header("X-Forwarded-For: 10.0.0.1")), get("/d-from-b", "d-from-b"), get("/d-from-c", "403"), get("/d-from-d", "503")}},
	{number: "setHost", services: []service{svc("d-sethost", "servicePath=/d-sethost", "setHost=inside.test")}, requests: []request{get("out.test/d-sethost", "d-sethost", checked(func(s seen) error { return equal("Host", s.answer.Host, "inside.test") }))}},
	{number: "hsts is for https", services: []service{svc("d-hsts", "servicePath=/d-hsts", "hsts=true")}, requests: []request{get("/d-hsts", "d-hsts", answers("Strict-Transport-Security"))}},
	{number: "corsAllowOrigin", services: []service{svc("d-cors", "servicePath=/d-cors", "corsAllowOrigin=https://a.test")}, requests: []request{
		get("/d-cors", "d-cors", header("Origin: https://a.test"), answers("Access-Control-Allow-Origin", "https://a.test")), get("/d-cors", "d-cors", header("Origin: https://b.test"), answers("Access-Control-Allow-Origin")),
		get("/d-cors", "204", method("OPTIONS"), header("Origin: https://a.test", "Access-Control-Request-Method: PUT"), answers("Access-Control-Allow-Methods", "PUT")), get("/d-cors", "d-cors", method("OPTIONS"))}},
	{number: "a task that is not there is tried again elsewhere", services: []service{svc("d-retry", "servicePath=/d-retry", "outboundHostname=127.0.0.1,127.0.0.3", "retries=2")}, requests: []request{get("/d-retry", "d-retry"), get("/d-retry", "d-retry"), get("/d-retry", "d-retry")}},
	{number: "nobody is there", services: []service{svc("d-nobody", "servicePath=/d-nobody", "port={free}")}, requests: []request{get("/d-nobody", "503")}},
	{number: "a task that waits longer than timeoutServer", services: []service{svc("d-slow", "servicePath.1=/d-slow/1", "timeoutServer.1=1", "servicePath.2=/d-slow/2", "timeoutServer.2=5s", "port=@d-slow")}, requests: []request{
		get("/d-slow/1", "504", header("X-Fixture-Pause: 2s")), get("/d-slow/2", "d-slow", header("X-Fixture-Pause: 1500ms"))}},
	{number: "checkPath of a task that answers well", services: []service{svc("d-check", "servicePath=/d-check", "checkPath=/d-check/health", "checkExpect=200", "weight=10", "loadBalance=leastconn", "maxConn=5", "checkTcp=True")}, requests: []request{get("/d-check", "d-check")}},
	{number: "compression of some types", services: []service{svc("d-gzip", "servicePath=/d-gzip", "compressionAlgo=gzip", "compressionType=text/css text/html text/plain application/json"), svc("d-gzip-b", "servicePath=/d-gzip-b", "compressionAlgo=gzip", "compressionType=text/html")}, requests: []request{
		get("/d-gzip", "200", header("Accept-Encoding: gzip", "X-Fixture-Length: 4096"), answers("Content-Encoding", "gzip")), get("/d-gzip", "d-gzip", header("X-Fixture-Length: 4096"), answers("Content-Encoding")),
		get("/d-gzip-b", "d-gzip-b", header("Accept-Encoding: gzip", "X-Fixture-Length: 4096"), answers("Content-Encoding"))}},
	{number: "deflate", services: []service{svc("d-defl", "servicePath=/d-defl", "compressionAlgo=deflate", "compressionType=text/plain")}, requests: []request{get("/d-defl", "200", header("Accept-Encoding: deflate", "X-Fixture-Length: 4096"), answers("Content-Encoding", "deflate"))}},
	{number: "obsolete modes of connections", services: []service{svc("d-mode", "servicePath=/d-mode", "connectionMode=http-tunnel"), svc("d-mode-b", "servicePath=/d-mode-b", "connectionMode=forceclose"), svc("d-mode-c", "servicePath=/d-mode-c", "connectionMode=nonsense")}, refused: map[string]int{"d-mode-c": 400},
		requests: []request{get("/d-mode", "d-mode"), get("/d-mode-b", "d-mode-b"), get("/d-mode-c", "503")}},
	{number: "nothing breaks out of its line", services: []service{svc("d-inject", "servicePath=/d-inject", "setResHeader=X-A \"a\nhttp-request deny\""), svc("d-inject-b", "servicePath=/d-inject-b\nbackend x"), svc("d-inject-c", "servicePath=/d-inject-c", "users=a:b\nbackend x"), svc("d-inject-d", "servicePath=/d-inject-d", "userAgent=} || TRUE #")},
		refused: map[string]int{"d-inject": 400, "d-inject-b": 400, "d-inject-c": 400}, requests: []request{get("/d-inject-d", "503"), get("/d-inject-d", "d-inject-d", agent("x } || true # y"))}},
	{number: "everything that no label may end in silence", services: []service{svc("d-types", append([]string{"servicePath=/d-types"}, strings.Split("retries=x timeoutServer=-1 maxConn=-2 weight=300 rateLimit=many checkInterval=soon retryOn=never loadBalance=luck sessionType=sticky httpsPort=0 srcHttpsPort=70000 priority=high", " ")...)...)},
		refused: map[string]int{"d-types": 400}, requests: []request{get("/d-types", "503")}, reported: strings.Split("com.df.retries com.df.timeoutServer com.df.maxConn com.df.weight com.df.rateLimit com.df.checkInterval com.df.retryOn com.df.loadBalance com.df.sessionType com.df.httpsPort com.df.srcHttpsPort com.df.priority", " ")},
}
