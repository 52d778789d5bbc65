package conformance

import (
	"slices"
	"testing"
)

// Derived cases are not in the public list but follow from the same rules. They share one proxy and one declaration: each
// case has hosts, or a path, and names of services that are its own.

func TestDerived(t *testing.T) {
	t.Parallel()
	runTogether(t, start(t), slices.Concat(derivedRoutes, derivedTreatments, derivedWire))
}

var derivedRoutes = []testCase{
	{number: "a path is compared with case", services: []service{svc("d-case", "servicePath=/d-case")}, requests: []request{get("/d-case", "d-case"), get("/D-Case", "503")}},
	{number: "a slash at the end of servicePath changes nothing", services: []service{svc("d-slash", "servicePath=/d-slash/")}, requests: []request{
		get("/d-slash/x", "d-slash"), get("/d-slash/", "d-slash"), get("/d-slash", "d-slash"), get("/d-slashed", "503")}},
	{number: "path_reg", services: []service{svc("d-reg", "servicePath=^/d-reg/[0-9]+$", "pathType=path_reg")}, requests: []request{
		get("/d-reg/12", "d-reg"), get("/d-reg/12?x=y", "d-reg"), get("/d-reg/12a", "503"), get("/x/d-reg/12", "503")}},
	{number: "path_sub", services: []service{svc("d-sub", "servicePath=d-su", "pathType=path_sub")}, requests: []request{get("/x/d-sub/y", "d-sub"), get("/x?d-sub", "503")}},
	{number: "path_end without a slash", services: []service{svc("d-end", "servicePath=.d-png", "pathType=path_end")}, requests: []request{get("/x/y.d-png", "d-end"), get("/x.d-png?v=1", "d-end"), get("/x.d-png/", "503")}},
	{number: "path_beg means what it says", services: []service{svc("d-beg-3", "servicePath=/d-beg/", "pathType=path_beg")}, requests: []request{get("/d-beg/", "d-beg-3"), get("/d-beg/x", "d-beg-3"), get("/d-beg", "503"), get("/d-beg?x=/d-beg/", "503")}},
	{number: "path_beg of a host", services: []service{svc("d-beg", "serviceDomain=beg.d.test", "servicePath=/a", "pathType=path_beg"), svc("d-beg-2", "serviceDomain=beg.d.test", "servicePath=/ab")}, requests: []request{
		get("beg.d.test/ax", "d-beg"), get("beg.d.test/ab", "d-beg-2"), get("beg.d.test/abc", "d-beg")}},
	{number: "excluded paths go to the next best", services: []service{svc("d-ex", "servicePath=/d-ex", "servicePathExclude=/d-ex/a"), svc("d-ex-root", "serviceDomain=ex.d.test"), svc("d-ex-host", "serviceDomain=ex.d.test", "servicePath=/d-ex", "servicePathExclude=/d-ex/a,/d-ex/b")}, requests: []request{
		get("/d-ex/a", "503"), get("/d-ex/b", "d-ex"), get("ex.d.test/d-ex/a/1", "d-ex-root"), get("ex.d.test/d-ex/c", "d-ex-host"), get("ex.d.test/d-ex/b", "d-ex-root")}},
	{number: "what is excluded of an excluded path is a longer route", services: []service{svc("d-exex", "servicePath=/d-exex", "servicePathExclude=/d-exex/a"), svc("d-exex-2", "servicePath=/d-exex/a/b", "servicePathExclude=/d-exex/a/b/c"), svc("d-exex-3", "servicePath=/d-exex/a")},
		requests: []request{get("/d-exex/x", "d-exex"), get("/d-exex/a/x", "d-exex-3"), get("/d-exex/a/b", "d-exex-2"), get("/d-exex/a/b/c", "d-exex-3")}},
	{number: "path_reg excludes by regular expressions", services: []service{svc("d-exreg", "servicePath=^/d-exreg/", "pathType=path_reg", "servicePathExclude=^/d-exreg/[0-9]+$")}, requests: []request{get("/d-exreg/a", "d-exreg"), get("/d-exreg/1", "503"), get("/d-exreg/1/2", "d-exreg")}},
	{number: "path_end excludes by ends", services: []service{svc("d-exend", "servicePath=.d-js", "pathType=path_end", "servicePathExclude=.min.d-js")}, requests: []request{get("/a.d-js", "d-exend"), get("/a.min.d-js", "503")}},
	{number: "path_beg excludes by beginnings", services: []service{svc("d-exbeg", "servicePath=/d-exbeg", "pathType=path_beg", "servicePathExclude=/d-exbeg/m")}, requests: []request{get("/d-exbegin", "d-exbeg"), get("/d-exbeg/m", "503"), get("/d-exbeg/mk", "503")}},
	{number: "a domain and a path are both asked for", services: []service{svc("d-both", "serviceDomain=both.d.test", "servicePath=/d-both")}, requests: []request{get("both.d.test/d-both", "d-both"), get("both.d.test/", "503"), get("x.d.test/d-both", "503")}},
	{number: "an exact host before a wildcard, the longest wildcard first", services: []service{svc("d-w1", "serviceDomain=*.w.d.test"), svc("d-w2", "serviceDomain=*.b.w.d.test"), svc("d-w3", "serviceDomain=x.w.d.test")}, requests: []request{
		get("x.w.d.test/", "d-w3"), get("y.w.d.test/", "d-w1"), get("b.w.d.test/", "d-w1"), get("y.b.w.d.test/", "d-w2"), get("z.y.b.w.d.test/", "d-w2"), get("w.d.test/", "503"), get("xw.d.test/", "503"), get("Y.W.D.TEST:81/", "d-w1")}},
	{number: "a wildcard with a longer path loses to an exact host", services: []service{svc("d-wp1", "serviceDomain=*.wp.d.test", "servicePath=/api"), svc("d-wp2", "serviceDomain=x.wp.d.test")}, requests: []request{get("x.wp.d.test/api", "d-wp2"), get("y.wp.d.test/api", "d-wp1"), get("y.wp.d.test/", "503")}},
	{number: "a wildcard and an exact host of one service", services: []service{svc("d-wm", "serviceDomain=wm.d.test,*.wm.d.test")}, requests: []request{get("wm.d.test/", "d-wm"), get("a.wm.d.test/", "d-wm")}},
	{number: "hdr_beg", services: []service{svc("d-hbeg", "serviceDomain=hbeg.", "serviceDomainAlgo=hdr_beg(host)")}, requests: []request{get("hbeg.d.test/", "d-hbeg"), get("hbegin.d.test/", "503"), get("HBEG.D.TEST/", "d-hbeg")}},
	{number: "hdr_end", services: []service{svc("d-hend", "serviceDomain=.hend.d.test", "serviceDomainAlgo=hdr_end(host)")}, requests: []request{get("a.hend.d.test/", "d-hend"), get("a.hend.d.test:8080/", "d-hend"), get("hend.d.test/", "503")}},
	{number: "hdr_end without a dot", services: []service{svc("d-hend2", "serviceDomain=hend2.test", "serviceDomainAlgo=hdr_end(host)")}, requests: []request{get("hend2.test/", "d-hend2"), get("a.hend2.test/", "d-hend2"), get("ahend2.test./", "d-hend2"), get("hend2.test.x/", "503")}},
	{number: "hdr_dom with dots", services: []service{svc("d-hdot", "serviceDomain=.hdot.d.", "serviceDomainAlgo=hdr_dom(host)")}, requests: []request{get("a.hdot.d.test/", "d-hdot"), get("ahdot.d.test/", "503")}},
	{number: "hdr_reg", services: []service{svc("d-hreg", `serviceDomain=^(a|b)\.hreg\.d\.test$`, "serviceDomainAlgo=hdr_reg(host)")}, requests: []request{get("a.hreg.d.test/", "d-hreg"), get("B.hreg.d.test/", "d-hreg"), get("c.hreg.d.test/", "503")}},
	{number: "hdr_dom with a wildcard", services: []service{svc("d-hdom", "serviceDomain=*.hdom.d.test,hdom2", "serviceDomainAlgo=hdr_dom(host)")}, requests: []request{get("a.hdom.d.test/", "d-hdom"), get("hdom.d.test/", "503"), get("x.hdom2.d.test/", "d-hdom")}},
	{number: "a star elsewhere than before a dot", services: []service{svc("d-star", "serviceDomain=*star.d.test")}, refused: map[string]int{"d-star": 400}, requests: []request{get("xstar.d.test/", "503")}, reported: []string{"com.df.serviceDomain"}},

	{number: "the longest prefix, whatever its name", services: []service{svc("d-long-a", "servicePath=/d-long"), svc("d-long-b", "servicePath=/d-long/x/y"), svc("d-long-c", "servicePath=/d-long/x")}, requests: []request{
		get("/d-long/x/y/z", "d-long-b"), get("/d-long/x/z", "d-long-c"), get("/d-long/y", "d-long-a"), get("/d-long/xy", "d-long-a")}},
	{number: "an exact path, another matcher, a prefix", services: []service{svc("d-rank-a", "servicePath=/d-rank/a/b"), svc("d-rank-b", "servicePath=^/d-rank/a", "pathType=path_reg"), svc("d-rank-c", "servicePath=/d-rank/a", "pathType=path")}, requests: []request{
		get("/d-rank/a", "d-rank-c"), get("/d-rank/a/b", "d-rank-b"), get("/d-rank/b", "503")}},
	{number: "priority before everything", services: []service{svc("d-prio-a", "serviceDomain=prio.d.test"), svc("d-prio-b", "servicePath=/d-prio", "priority=10"), svc("d-prio-c", "servicePath=/d-prio/x", "pathType=path", "priority=-1")}, requests: []request{
		get("prio.d.test/d-prio/x", "d-prio-b"), get("prio.d.test/x", "d-prio-a"), get("/d-prio/x", "d-prio-b")}},
	{number: "aclName orders and names", services: []service{svc("d-acl-a", "servicePath=^/d-acl/.*", "pathType=path_reg", "aclName=02-acl"), svc("d-acl-b", "servicePath=^/d-acl/b", "pathType=path_reg", "aclName=01-acl")}, requests: []request{get("/d-acl/b", "d-acl-b"), get("/d-acl/c", "d-acl-a")}},
	{number: "aclName does not beat a longer path", services: []service{svc("d-acll-a", "servicePath=/d-acll", "aclName=01-d"), svc("d-acll-b", "servicePath=/d-acll/b", "aclName=99-d")}, requests: []request{get("/d-acll/b", "d-acll-b")}},
	{number: "user agents", services: []service{svc("d-ua", "servicePath=/d-ua", "userAgent=amiga,amstrad")}, requests: []request{get("/d-ua", "d-ua", agent("x AmStrad y")), get("/d-ua", "503", agent("curl")), get("/d-ua", "503")}},
	{number: "a user agent loses to a longer path and to a host", services: []service{svc("d-uap-a", "servicePath=/d-uap", "userAgent=amiga"), svc("d-uap-b", "servicePath=/d-uap/b"), svc("d-uap-c", "serviceDomain=uap.d.test"), svc("d-uap-d", "servicePath=/d-uap")}, requests: []request{
		get("/d-uap", "d-uap-a", agent("amiga")), get("/d-uap", "d-uap-d", agent("curl")), get("/d-uap/b", "d-uap-b", agent("amiga")), get("uap.d.test/d-uap", "d-uap-c", agent("amiga"))}},
	{number: "three user agents, the last index takes the rest", services: []service{svc("d-ua3", "servicePath=/d-ua3", "userAgent.1=amiga", "port.1=@d-ua3-1", "userAgent.2=amstrad", "port.2=@d-ua3-2", "port.3=@d-ua3-3")}, requests: []request{
		get("/d-ua3", "d-ua3-1", agent("amiga")), get("/d-ua3", "d-ua3-2", agent("amstrad")), get("/d-ua3", "d-ua3-3", agent("curl"))}},
	{number: "headers", services: []service{svc("d-hdr", "servicePath=/d-hdr", "serviceHeader=X-Version:3,name:Viktor")}, requests: []request{
		get("/d-hdr", "d-hdr", header("X-Version: 3", "Name: Viktor")), get("/d-hdr", "503", header("X-Version: 3")), get("/d-hdr", "503"), get("/d-hdr", "503", header("X-Version: 34", "Name: Viktor")), get("/d-hdr", "503", header("X-Version: 3", "Name: viktor"))}},
	{number: "more headers first", services: []service{svc("d-hdr2-a", "servicePath=/d-hdr2"), svc("d-hdr2-b", "servicePath=/d-hdr2", "serviceHeader=X-V: 3"), svc("d-hdr2-c", "servicePath=/d-hdr2", "serviceHeader=X-V:3,X-N:1")}, requests: []request{
		get("/d-hdr2", "d-hdr2-a"), get("/d-hdr2", "d-hdr2-b", header("X-V: 3")), get("/d-hdr2", "d-hdr2-c", header("X-V: 3", "X-N: 1"))}},
	{number: "equal routes with domains", services: []service{svc("d-eq-b", "serviceDomain=eq.d.test"), svc("d-eq-a", "serviceDomain=EQ.d.test.")}, refused: map[string]int{"d-eq-b": 200}, requests: []request{get("eq.d.test/", "d-eq-a")}, reported: []string{"d-eq-a has the same route"}},

	{number: "several rewrites in order", services: []service{svc("d-rw", "servicePath=/d-rw", "reqPathSearchReplace=/d-rw/,/with/:/empty,:/foo,/bar")}, requests: []request{
		get("/d-rw/empty/foo", "d-rw", sees("/with/bar")), get("/d-rw/foo/foo", "d-rw", sees("/with/bar/foo"))}},
	{number: "a rewrite that finds nothing", services: []service{svc("d-rwno", "servicePath=/d-rwno", "reqPathSearchReplace=/never,/x")}, requests: []request{get("/d-rwno/a?b=/never", "d-rwno", sees("/d-rwno/a?b=/never"))}},
	{number: "a rewrite with special characters", services: []service{svc("d-rwsp", "servicePath=/d-rwsp", `reqPathSearchReplace=^/d-rwsp/([a-z]+) ?#?"?'?/(.*)$,/\2/\1`)}, requests: []request{get("/d-rwsp/abc/def?q", "d-rwsp", sees("/def/abc?q"))}},
	{number: "a rewrite with alternatives", services: []service{svc("d-rwor", "servicePath=/d-rwor", "reqPathSearchReplace=xxx|/d-rwor/,/demo/")}, requests: []request{get("/d-rwor/a", "d-rwor", sees("/demo/a"))}},
	{number: "reqPathSearch without reqPathReplace", services: []service{svc("d-rwold", "servicePath=/d-rwold", "reqPathSearch=/d-rwold")}, requests: []request{get("/d-rwold/a", "d-rwold", sees("/a"))}},
	{number: "a rewrite of the whole path to nothing keeps the query", services: []service{svc("d-rwq", "servicePath=/d-rwq", "reqPathSearchReplace=^/d-rwq,")}, requests: []request{get("/d-rwq?x=1", "d-rwq", sees("/?x=1"))}},
	{number: "an unindexed rewrite is every index's", services: []service{svc("d-rwi", "servicePath.1=/d-rwi/a", "servicePath.2=/d-rwi/b", "port=@d-rwi", "reqPathSearchReplace=/d-rwi/,/", "reqPathSearchReplace.2=/d-rwi/b,/two")}, requests: []request{
		get("/d-rwi/a", "d-rwi", sees("/a")), get("/d-rwi/b", "d-rwi", sees("/two"))}},

	{number: "unindexed values are defaults and no destination", services: []service{svc("d-idx", "servicePath=/d-idx", "port=@d-idx-0", "serviceDomain.1=idx1.d.test", "port.1=@d-idx-1", "serviceDomain.2=idx2.d.test", "servicePath.2=/d-idx/2")}, requests: []request{
		get("idx1.d.test/d-idx", "d-idx-1"), get("idx1.d.test/", "503"), get("idx2.d.test/d-idx/2", "d-idx-0"), get("idx2.d.test/d-idx", "503"), get("/d-idx", "503")}},
	{number: "a bad index leaves the others alone", services: []service{svc("d-bad", "servicePath.1=/d-bad/1", "port.1=@d-bad-1", "servicePath.2=/d-bad/2", "port.2=8o80")}, requests: []request{get("/d-bad/1", "d-bad-1"), get("/d-bad/2", "503")}, reported: []string{"com.df.port.2 Value:8o80"}},
	{number: "booleans", services: []service{svc("d-bool", "servicePath.1=/d-bool/1", "denyHttp.1=TRUE", "servicePath.2=/d-bool/2", "denyHttp.2=1", "servicePath.3=/d-bool/3", "denyHttp.3=False", "servicePath.4=/d-bool/4", "denyHttp.4=0", "servicePath.5=/d-bool/5", "denyHttp.5=yes", "servicePath.6=/d-bool/6", "denyHttp.6=t", "port=@d-bool")}, requests: []request{
		get("/d-bool/1", "403"), get("/d-bool/2", "403"), get("/d-bool/3", "d-bool"), get("/d-bool/4", "d-bool"), get("/d-bool/5", "503"), get("/d-bool/6", "503")}, reported: []string{"com.df.denyHttp.5 Value:yes", "com.df.denyHttp.6 Value:t"}},
	{number: "did you mean", services: []service{svc("d-mean", "servicePath=/d-mean", "servicePth=/x", "alowedMethods=GET")}, requests: []request{}, reported: []string{"did you mean servicePath?", "did you mean allowedMethods?"}},
	{number: "indexes that are none", services: []service{svc("d-noidx", "servicePath=/d-noidx", "servicePath.0=/d-noidx/0", "servicePath.x=/d-noidx/x", "servicePath.01=/d-noidx/1")}, requests: []request{get("/d-noidx/0", "d-noidx")}, reported: []string{"com.df.servicePath.0", "com.df.servicePath.x", "com.df.servicePath.01"}},
	{number: "a port for one entry, the rest for any", services: []service{svc("d-src-a", "servicePath=/d-src", "srcPort={B}"), svc("d-src-b", "serviceDomain=src.d.test")}, requests: []request{
		get("/d-src", "d-src-a", second), get("/d-src", "503"), get("src.d.test/d-src", "d-src-a", second), get("src.d.test/d-src", "d-src-b")}},
	{number: "srcAddr", services: []service{svc("d-addr-a", "servicePath=/d-addr", "srcAddr=127.0.0.1"), svc("d-addr-b", "servicePath=/d-addr"), svc("d-addr-c", "servicePath=/d-addr", "srcAddr=127.0.0.9")}, requests: []request{get("/d-addr", "d-addr-a")}},
	{number: "an address instead of a name", services: []service{svc("d-ip", "serviceDomain=192.0.2.7")}, requests: []request{get("192.0.2.7/", "d-ip"), get("192.0.2.7:80/", "d-ip")}},
	{number: "IPv6 as a host", services: []service{svc("d-ip6", "serviceDomain=[2001:db8::1]")}, requests: []request{get("[2001:db8::1]/", "d-ip6"), get("[2001:DB8::1]:8080/", "d-ip6"), get("[2001:db8::2]/", "503")}},
}
