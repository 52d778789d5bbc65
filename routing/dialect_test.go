package routing_test

import (
	"strings"
	"testing"

	"sluice/internal/label"
	"sluice/routing"
)

func TestInstanceDecidesWhoRoutes(t *testing.T) {
	for _, row := range []struct {
		meaning, label   string
		filter, declared bool
		routed, told     bool
	}{
		{"no filter", "other", false, false, true, false},
		{"its own", "mine", true, false, true, false},
		{"another's", "other", true, false, false, false},
		{"nobody's", "", true, false, false, false},
		{"another's, given to this proxy", "other", true, true, false, true},
	} {
		services := cases(t, "a servicePath=/a unheard=of")
		services[0].Declared = row.declared
		if row.label != "" {
			services[0].Labels[label.Prefix+"proxyInstanceName"] = row.label
		}
		options := routing.Options{Network: "proxy", FilterInstance: row.filter, Instance: "mine"}
		table, problems := routing.BuildTable(services, options)
		told := len(problems) == 1 && strings.Contains(problems[0].Reason, "is not the name of this proxy")
		if len(table.Backends) == 1 != row.routed || told != row.told || !row.routed && !row.told && len(problems) > 0 {
			t.Errorf("%s: got %d backends, problems %v", row.meaning, len(table.Backends), problems)
		}
	}
}

func TestSeparatorPartsListsAndHeadersAndNothingElse(t *testing.T) {
	services := cases(t, "a servicePath=/a|/b userAgent=x,y|z serviceDomain=a.test|b.test reqPathSearchReplace=x,y outboundHostname=192.0.2.1|192.0.2.2")
	services[0].Labels[label.Prefix+"addReqHeader"] = "X-A a,b|X-B c"
	table, problems := routing.BuildTable(services, routing.Options{Network: "proxy", Separator: "|"})
	if len(problems) > 0 || len(table.Routes) != 4 || len(table.Backends[0].Servers) != 2 || len(table.Backends[0].Rewrites) != 1 || len(table.Routes[0].UserAgents) != 2 {
		t.Fatalf("got %+v, problems %v", table, problems)
	}
	if rules := table.Backends[0].HTTP.Headers.Request; len(rules) != 2 || rules[0].Value != "a,b" {
		t.Errorf("got %+v", rules)
	}
	services[0].Labels[label.Prefix+"outboundHostname"] = "one.test|two.test"
	if hosts := routing.OutboundHosts(services, "|"); strings.Join(hosts, " ") != "one.test two.test" {
		t.Errorf("hosts %v", hosts)
	}
}

func TestSettingsStandInForLabels(t *testing.T) {
	options := routing.Options{Network: "proxy", DomainAlgo: "hdr_dom(host)", CompressionAlgo: []string{"gzip"}, CompressionType: []string{"text/plain"}}
	table, problems := routing.BuildTable(cases(t, `
		a serviceDomain=a.test,*.w.test
		b serviceDomain=b.test serviceDomainAlgo=exact compressionAlgo=deflate
		c serviceDomain=c.test compressionType=text/html`), options)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	matches := map[string]string{}
	for _, r := range table.Routes {
		matches[r.Host] = r.HostMatch
	}
	if matches["a.test"] != "dom" || matches["*.w.test"] != "" || matches["b.test"] != "" {
		t.Errorf("hosts are matched by %v", matches)
	}
	config := render(t, table, settings("127.0.0.1:80"))
	for _, line := range []string{"compression algo gzip # a COMPRESSION_ALGO", "compression algo deflate # b com.df.compressionAlgo", "compression type text/html # c com.df.compressionType"} {
		if !strings.Contains(config.Text, line) {
			t.Errorf("no line %q in\n%s", line, config.Text)
		}
	}
}

func TestShownNameIsShortOnlyInAStack(t *testing.T) {
	for _, row := range []struct{ name, stack, short, want string }{
		{"shop_web", "shop", "true", "web"},
		{"shop_web", "shop", "false", "shop_web"},
		{"shop_web", "", "true", "shop_web"},
		{"web", "shop", "true", "web"},
		{"shop_", "shop", "true", "shop_"},
	} {
		s := routing.Service{Name: row.name, Stack: row.stack, Labels: map[string]string{label.Prefix + "shortName": row.short}}
		if got := routing.ShownName(s); got != row.want {
			t.Errorf("%+v: got %q", row, got)
		}
	}
}

func TestNotesAreNoProblems(t *testing.T) {
	services := cases(t, "a servicePath=/a checkResolvers=true connectionMode=forceclose alertName.1=x\nquiet checkResolvers=true")
	delete(services[1].Labels, label.Prefix+"notify")
	if _, problems := build(services); len(problems) > 0 {
		t.Errorf("problems %v", problems)
	}
	if got := list(routing.Notes(services, routing.Options{})); got != `a: com.df.checkResolvers: does nothing: tasks come from the swarm, and names outside it are resolved again now and then, got "true"
a: com.df.connectionMode: is httpclose now, got "forceclose"
` {
		t.Errorf("notes\n%s", got)
	}
	if notes := routing.Notes(services, routing.Options{FilterInstance: true, Instance: "mine"}); len(notes) > 0 {
		t.Errorf("notes about another proxy's service: %v", notes)
	}
}

func TestOfSeveralDefaultDestinationsOfAServiceTheFirstCounts(t *testing.T) {
	table, problems := build(cases(t, "a isDefaultBackend=true servicePath.1=/1 port.1=1 servicePath.2=/2 port.2=2\nb isDefaultBackend.2=true servicePath.1=/3 port.1=1 port.2=2"))
	if table.Default != "a-be1_1" || len(problems) != 1 || problems[0].Service != "b" {
		t.Errorf("default %q, problems %v", table.Default, problems)
	}
}

func FuzzParseExtra(f *testing.F) {
	for _, text := range []string{"", "maxconn 1,nbthread 2", "a b\nc,d # e", "frontend x", `"frontend" x`, "\r.if 0", ",,"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		lines, err := routing.ParseExtra(text)
		if err != nil {
			return
		}
		for _, line := range lines {
			if line == "" || strings.ContainsAny(line, "\r\n\x00") || strings.ContainsAny(line[:1], " .#\"'\\$") {
				t.Errorf("%q gives the line %q", text, line)
			}
		}
	})
}

func FuzzParseCaptures(f *testing.F) {
	for _, text := range []string{"", "Host:15", "Host:15, X-Forwarded-For:20", "a:b", "#:1", ":"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		captures, err := routing.ParseCaptures(text)
		for _, c := range captures {
			if err == nil && (c.Name == "" || strings.ContainsAny(c.Name, " #'\"\\") || c.Length < 1) {
				t.Errorf("%q gives %+v", text, c)
			}
		}
	})
}

func TestLogFormatIsReadAsHAProxyWould(t *testing.T) {
	for _, row := range []struct{ text, want string }{
		{"", ""},
		{"%ci %r", "%ci %r"},
		{`"%ci %r"`, "%ci %r"},
		{`%ci\ %{+Q}r`, "%ci %{+Q}r"},
		{`'%ci "%r"'`, `%ci "%r"`},
		{`"%ci \"%r\""`, `%ci "%r"`},
		{`it's %ci`, `it's %ci`},
	} {
		if got, err := routing.ParseLogFormat(row.text); err != nil || got != row.want {
			t.Errorf("%s: got %q, %v, want %q", row.text, got, err, row.want)
		}
	}
	if _, err := routing.ParseLogFormat("a\nb"); err == nil {
		t.Error("a line break is accepted")
	}
}

func TestStatisticsHaveTheirPageOrPort(t *testing.T) {
	s := settings("127.0.0.1:80")
	s.Statistics = routing.Statistics{On: true, URI: "/admin?stats", User: "it's", Password: "a#b"}
	if text := render(t, routing.Table{}, s).Text; !strings.Contains(text, `    stats auth 'it'"'"'s:a#b' # STATS_USER STATS_PASS`) || strings.Contains(text, "frontend stats") {
		t.Errorf("on the entries:\n%s", text)
	}
	s.Statistics.Port = 8404
	if text := render(t, routing.Table{}, s).Text; !strings.Contains(text, "frontend stats\n    bind *:8404 # STATS_PORT\n    stats enable") {
		t.Errorf("on a port of its own:\n%s", text)
	}
}
