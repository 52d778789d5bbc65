package routing_test

import (
	"strings"
	"testing"

	"sluice/internal/haproxy/haproxytest"
	"sluice/internal/label"
	"sluice/routing"
)

// TestWhatRoutesCompareWithStaysInItsCondition asks HAProxy: a value is neither the end of the condition nor a flag.
func TestWhatRoutesCompareWithStaysInItsCondition(t *testing.T) {
	haproxytest.Binary(t)
	store, secure := openStore(t), everyTLS(t)
	secure.Extra.Global = []string{"httpclient.ssl.verify none"} // HAProxy starts sooner
	headers := func(n int) string { return strings.TrimSuffix(strings.Repeat("a:b,", n), ",") }
	agents := func(n int) string { return strings.TrimSuffix(strings.Repeat("a,", n), ",") }
	const uncomparable = "has something that HAProxy cannot compare with"
	for _, row := range []struct{ meaning, labels, reason string }{ // "" is accepted
		{"a flag as an expression", "pathType=path_reg servicePath=-i", ""},
		{"a flag that would read a file", "pathType=path_end servicePath=-f", ""},
		{"a flag and a file among user agents", "servicePath=/ userAgent=-f,/nowhere", ""},
		{"a flag as a header", "servicePath=/ serviceHeader=a:-M", ""},
		{"a flag as an end of hosts", "serviceDomain=-f serviceDomainAlgo=hdr_end(host)", ""},
		{"a flag as an expression of hosts", "serviceDomain=-f serviceDomainAlgo=hdr_reg(host)", ""},
		{"a flag as the name of a backend", "servicePath=/ httpsPort=8443 aclName=-f", ""},
		{"a name of a backend that HAProxy would not find among others", "servicePath=/ aclName=" + strings.Repeat("a", 129), "has 129 bytes, more than 128"},
		{"the longest name", "servicePath=/ aclName=" + strings.Repeat("a", 128), ""},
		{"braces with something else", "pathType=path_reg servicePath=a}|{ userAgent={,x} serviceHeader=a:{b}", ""},
		{"a brace as an expression", "pathType=path_reg servicePath=}", uncomparable},
		{"a brace as an end", "pathType=path_end servicePath=.php,}", uncomparable},
		{"a brace as a user agent", "servicePath=/ userAgent=}", uncomparable},
		{"a brace as a header", "servicePath=/ serviceHeader=a:}", uncomparable},
		{"a brace as an expression of hosts", "serviceDomain=} serviceDomainAlgo=hdr_reg(host)", uncomparable},
		{"a header without a value", "servicePath=/ serviceHeader=a:", uncomparable},
		{"as many user agents as a line takes", "servicePath=/ userAgent=" + agents(46), ""},
		{"more", "servicePath=/ userAgent=" + agents(47), "has too many items: the condition of the route would have 64 words, more than 63"},
		{"as many headers as a line takes", "servicePath=/ serviceHeader=" + headers(7), ""},
		{"more headers", "servicePath=/ serviceHeader=" + headers(8), "has too many items: the condition of the route would have 66 words, more than 63"},
		{"as many beside a way to match hosts and paths", "serviceDomain=a.test serviceDomainAlgo=hdr_dom(host) pathType=path_end servicePath=a srcPort=80 srcAddr=127.0.0.1 servicePathExclude=/a,/b userAgent=" + agents(11), ""},
		{"more", "serviceDomain=a.test serviceDomainAlgo=hdr_dom(host) pathType=path_end servicePath=a srcPort=80 srcAddr=127.0.0.1 servicePathExclude=/a,/b userAgent=" + agents(12), "has too many items"},
		{"as many excluded paths", "pathType=path_end servicePath=a servicePathExclude=" + strings.TrimSuffix(strings.Repeat("/a,", 5), ","), ""},
		{"more excluded paths", "pathType=path_end servicePath=a servicePathExclude=" + strings.TrimSuffix(strings.Repeat("/a,", 6), ","), "has too many items"},
	} {
		s := routing.Service{Name: "web", Networks: []string{"proxy"}, Labels: map[string]string{label.Prefix + "notify": "true", label.Prefix + "port": "80"}}
		for _, pair := range strings.Fields(row.labels) {
			name, value, _ := strings.Cut(pair, "=")
			s.Labels[label.Prefix+name] = value
		}
		table, problems := build([]routing.Service{s})
		var reason string
		if len(problems) > 0 {
			reason = problems[0].Reason
		}
		if (reason == "") != (row.reason == "") || !strings.HasPrefix(reason, row.reason) || (len(table.Backends) == 0) != (row.reason != "") {
			t.Errorf("%s: got %q, want %q", row.meaning, reason, row.reason)
		}
		if err := checkConfig(t.Context(), store, render(t, table, secure)); err != nil {
			t.Errorf("%s: %v", row.meaning, err)
		}
	}
}

// TestExpressionOfHostsIsNoLogFormat keeps serviceDomain, which any text may be with hdr_reg(host), out of what HAProxy
// would execute: a log-format reads its environment.
func TestExpressionOfHostsIsNoLogFormat(t *testing.T) {
	s := routing.Service{Name: "web", Networks: []string{"proxy"}, Labels: map[string]string{label.Prefix + "notify": "true", label.Prefix + "port": "80",
		label.Prefix + "serviceDomain": "%[env(HOME)]", label.Prefix + "serviceDomainAlgo": "hdr_reg(host)", label.Prefix + "checkPath": "/"}}
	table, problems := build([]routing.Service{s})
	if config := render(t, table, settings("127.0.0.1:80")); len(problems) > 0 || !strings.Contains(config.Text, "hdr Host 'web' #") {
		t.Errorf("checks ask for another host than that of the service: %v\n%s", problems, config.Text)
	}
	s.Labels[label.Prefix+"redirectFromDomain"] = "old.test"
	table, problems = build([]routing.Service{s})
	if len(problems) != 1 || !strings.HasPrefix(problems[0].Reason, "has nowhere to lead to") || len(table.Backends) > 0 {
		t.Errorf("got %v", problems)
	}
}
