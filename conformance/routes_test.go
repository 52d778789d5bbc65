package conformance

// Cases of "Host and path", "Conflicts and order", "Rewrites", "Indexed destinations and ports".
var routeCases = []testCase{
	{number: "1", services: []service{svc("svc", "servicePath=/demo")}, requests: []request{
		get("/demo", "svc", sees("/demo")), get("/demo/x", "svc", sees("/demo/x")), get("/demo?q=1", "svc", sees("/demo?q=1"))}},
	{number: "2", services: []service{svc("svc", "servicePath=/demo")}, requests: []request{get("/other", "503"), get("/", "503")}},
	{number: "3", services: []service{svc("svc", "servicePath=/demo")}, requests: []request{get("/demox", "503")}},
	{number: "3 path_beg", services: []service{svc("svc", "servicePath=/demo", "pathType=path_beg")}, requests: []request{get("/demox", "svc"), get("/demo/x", "svc"), get("/dem", "503")}},
	{number: "5", services: []service{svc("svc", "servicePath=/a,/b")}, requests: []request{get("/a", "svc"), get("/b/1", "svc"), get("/c", "503")}},
	{number: "6", services: []service{svc("svc", "servicePath=/a/b", "pathType=path")}, requests: []request{get("/a/b", "svc"), get("/a/b?q=1", "svc"), get("/a/b/c", "503")}},
	{number: "7", services: []service{svc("svc", "servicePath=/a/b", "pathType=path_end")}, requests: []request{get("/x/a/b", "svc"), get("/a/b/c", "503")}},
	{number: "9", services: []service{svc("svc", "servicePath=/a/b", "pathType=path_dir")}, requests: []request{get("/x/a/b/c", "svc"), get("/a/bc", "503")}},
	{number: "10", services: []service{svc("svc", "servicePath=/a", "servicePathExclude=/a/m,/a/n")}, requests: []request{
		get("/a", "svc"), get("/a/k", "svc"), get("/a/m", "503"), get("/a/n/1", "503"), get("/a/mk", "svc")}},
	{number: "12", services: []service{svc("svc", "serviceDomain=a.test,b.test")}, requests: []request{
		get("a.test/", "svc"), get("A.TEST/", "svc"), get("b.test/", "svc"), get("b.test:8080/", "svc"), get("a.test./", "svc")}},
	{number: "13", services: []service{svc("svc", "serviceDomain=a.test,b.test")}, requests: []request{get("a.test.evil.org/", "503"), get("xa.test/", "503")}},
	{number: "15", services: []service{svc("svc", "serviceDomain=a.test", "servicePath=/api"), svc("svc2", "serviceDomain=a.test")}, requests: []request{
		get("a.test/api/1", "svc"), get("a.test/x", "svc2"), get("q.test/api", "503")}},
	{number: "16", services: []service{svc("svc", "serviceDomain=*.a.test")}, requests: []request{
		get("x.a.test/", "svc"), get("x.y.a.test/", "svc"), get("a.test/", "503")}},
	{number: "19", services: []service{svc("svc", "serviceDomain=*.a.test"), svc("other", "servicePath=/other")}, requests: []request{
		get("x.a.test/", "svc"), get("/other", "other")}},
	{number: "21", services: []service{svc("svc", "serviceDomain=a.test", "serviceDomainAlgo=hdr_dom(host)")}, requests: []request{get("www.a.test/", "svc"), get("xa.test/", "503")}},
	{number: "22", services: []service{svc("svc", "serviceDomain=a.test", "serviceDomainAlgo=hdr(host)")}, requests: []request{get("a.test/", "svc"), get("www.a.test/", "503")}},

	{number: "23", services: []service{svc("a-app", "servicePath=/digital"), svc("b-app", "servicePath=/digitalproduct")}, requests: []request{
		get("/digitalproduct", "b-app"), get("/digital/x", "a-app")}},
	{number: "25", services: []service{svc("a", "servicePath=/"), svc("b", "servicePath=/b"), svc("z", "servicePath=/.well-known/acme-challenge")}, requests: []request{
		get("/b", "b"), get("/q", "a"), get("/.well-known/acme-challenge/t", "z")}},
	{number: "26", services: []service{svc("dom", "serviceDomain=a.test"), svc("api", "servicePath=/api")}, requests: []request{
		get("a.test/api/1", "dom"), get("a.test/x", "dom"), get("other/api/1", "api")}},
	{number: "28", services: []service{svc("y", "servicePath=/x"), svc("x", "servicePath=/x")}, requests: []request{get("/x", "x")}, reported: []string{"x has the same route"}},
	{number: "29", services: []service{svc("a", "aclName=09-a", "servicePath=/x"), svc("b", "aclName=01-b", "servicePath=/x")}, requests: []request{get("/x", "b")}},
	{number: "31", services: []service{svc("svc", "isDefaultBackend=true", "servicePath=/xxx"), svc("e", "servicePath=/e")}, requests: []request{
		get("/anything", "svc"), get("/xxx", "svc"), get("/e", "e")}},
	{number: "32", services: []service{svc("one", "isDefaultBackend=true", "servicePath=/1"), svc("two", "isDefaultBackend=true", "servicePath=/2")}, requests: []request{
		get("/anything", "one"), get("/2", "two")}, reported: []string{"com.df.isDefaultBackend"}},
	{number: "34", services: []service{svc("svc", "servicePath.1=/a", "port.1=@first", "servicePath.3=/c", "port.3=@third")}, requests: []request{
		get("/c", "third"), get("/a", "first")}, reported: []string{"gaps"}},

	{number: "35", services: []service{svc("svc", "servicePath=/something", "reqPathSearchReplace=/something/,/demo/")}, requests: []request{
		get("/something/hello?q=/something/1", "svc", sees("/demo/hello?q=/something/1"))}},
	{number: "37", services: []service{svc("svc", "servicePath=/something", "reqPathSearchReplace=^/something,")}, requests: []request{
		get("/something/hello", "svc", sees("/hello")), get("/something", "svc", sees("/"))}},
	{number: "39", services: []service{svc("svc", "servicePath=/s", "reqPathSearchReplace=/s/.*,/fixed")}, requests: []request{get("/s/a/b", "svc", sees("/fixed"))}},
	{number: "40", services: []service{svc("svc", "servicePath=/s", `reqPathSearchReplace=^/s/(.*),/u/\1`)}, requests: []request{get("/s/a/b", "svc", sees("/u/a/b"))}},
	{number: "42", services: []service{svc("svc", "servicePath=/s", "reqPathSearch=/s/", "reqPathReplace=/old/")}, requests: []request{get("/s/a", "svc", sees("/old/a"))}},
	{number: "43", services: []service{svc("svc", "servicePath.1=/a", "port.1=@first", "reqPathSearchReplace.1=^/a,/first", "servicePath.2=/b", "port.2=@second", "reqPathSearchReplace.2=^/b,/second")},
		requests: []request{get("/a/x", "first", sees("/first/x")), get("/b/x", "second", sees("/second/x"))}},

	{number: "44", services: []service{svc("svc", "servicePath.1=/", "srcPort.1={P}", "port.1=@first", "servicePath.2=/", "srcPort.2={B}", "port.2=@second")},
		requests: []request{get("/", "first"), get("/", "second", second)}},
	{number: "45", services: []service{svc("svc", "servicePath=/", "srcPort={free}")}, refused: map[string]int{"svc": 400},
		requests: []request{get("/", "503")}, reported: []string{"com.df.srcPort"}},
	{number: "47", services: []service{svc("svc", "servicePath.1=/p1", "port.1=@p1", "servicePath.2=/p2", "port.2=@p2", "servicePath.3=/p3", "port.3=@p3",
		"servicePath.4=/p4", "port.4=@p4", "servicePath.5=/p5", "port.5=@p5", "servicePath.6=/p6", "port.6=@p6", "servicePath.7=/p7", "port.7=@p7",
		"servicePath.8=/p8", "port.8=@p8", "servicePath.9=/p9", "port.9=@p9", "servicePath.10=/p10", "port.10=@p10", "servicePath.11=/p11", "port.11=@p11")},
		requests: []request{get("/p11", "p11"), get("/p1", "p1")}},
}
