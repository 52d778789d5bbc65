package routing_test

import (
	"errors"
	"strings"
	"testing"

	"sluice/internal/haproxy"
	"sluice/internal/haproxy/haproxytest"
	"sluice/internal/label"
	"sluice/routing"
)

func TestBlameFindsTheServiceOfARawLine(t *testing.T) {
	haproxytest.Binary(t)
	store := openStore(t)
	for _, row := range []struct{ meaning, label, lines, culprit, reason string }{
		{"an unknown word in a backend", "backendExtra", "nonsense 1", "bad-be8080_0", "unknown keyword 'nonsense'"},
		{"a quote without an end", "backendExtra", `http-request set-header X "a # b`, "bad-be8080_0", "unmatched quote"},
		{"a line that names another backend", "backendExtra", "http-request set-var(txn.be) str(good-be8080_0) nonsense", "bad-be8080_0", ""},
		{"something that is looked up when all is read", "backendExtra", "http-request track-sc0 src table nowhere", "bad-be8080_0", "unable to find table 'nowhere'"},
		{"a server that is nowhere", "backendExtra", "use-server nowhere if TRUE", "bad-be8080_0", "unable to find server"},
		{"a line of a template", "templateBePath", "http-request set-header X-A a\nnonsense", "bad-be8080_0", "unknown keyword 'nonsense'"},
		{"the first line of a template in the frontend", "templateFePath", "nonsense", "bad-be8080_0", "unknown keyword 'nonsense'"},
		{"the last line of a template in the frontend", "templateFePath", "acl a path_beg /a\nacl b nonsense", "bad-be8080_0", "unknown fetch method"},
		{"a line in the frontend that names another backend", "templateFePath", "http-request set-var(txn.be) str(good-be8080_0) # good com.df.port\nhttp-request set-var(txn.be) str(good-be8080_0) nonsense # good com.df.port", "bad-be8080_0", ""},
		{"a quote without an end in the frontend", "templateFePath", "acl a path_beg 'x # good", "bad-be8080_0", "unmatched quote"},
		{"a backend that is nowhere: HAProxy names no line", "templateFePath", "use_backend nowhere", "", ""},
	} {
		t.Run(row.meaning, func(t *testing.T) {
			services := cases(t, "good servicePath=/good\nbad servicePath=/bad\nother servicePath=/other")
			options := routing.Options{Network: "proxy", AllowRaw: true, Templates: map[string]string{"/file": row.lines, "/fine": "acl fine path_beg /fine"}}
			services[1].Labels[label.Prefix+row.label] = row.lines
			if row.label != "backendExtra" {
				services[1].Labels[label.Prefix+row.label] = "/file"
			}
			services[0].Labels[label.Prefix+"templateFePath"] = "/fine"
			services[2].Labels[label.Prefix+"templateFePath"] = "/fine"
			table, problems := routing.BuildTable(services, options)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			config := render(t, table, settings("127.0.0.1:80"))
			opinion := (*haproxy.RefusedError)(nil)
			if err := checkConfig(t.Context(), store, config); !errors.As(err, &opinion) {
				t.Fatalf("got %v, want a RefusedError for\n%s", err, config.Text)
			}
			name, reason, ok := routing.Blame(config, opinion.Output)
			if name != row.culprit || ok != (row.culprit != "") || !strings.Contains(reason, row.reason) {
				t.Errorf("to blame is %q because %q, %v\n%s", name, reason, ok, opinion.Output)
			}
		})
	}
}

func TestRawLinesDoTheirWork(t *testing.T) {
	site := newSite(t)
	services := cases(t, "extra servicePath=/extra\nplain servicePath=/plain\ntemplated servicePath=/t")
	services[0].Labels[label.Prefix+"backendExtra"] = `http-request return status 200 content-type text/plain lf-string "extra # %[path]" if { path_end /here }\nhttp-response set-header X-Extra 'a "b'`
	services[2].Labels[label.Prefix+"templateBePath"] = "/be"
	services[2].Labels[label.Prefix+"templateFePath"] = "/fe"
	services[2].Labels[label.Prefix+"reqPathSearchReplace"] = "^/t,/replaced"
	services[2].Labels[label.Prefix+"allowedMethods"] = "GET"
	options := routing.Options{Network: "proxy", AllowRaw: true, Templates: map[string]string{
		"/be": "http-request set-path /by/{{.ServiceName}}",
		"/fe": "use_backend {{.AclName}}-be{{.Port}}_{{.Index}} if { path_beg /elsewhere }"}}
	table, problems := routing.BuildTable(services, options)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for i, b := range table.Backends {
		table.Backends[i].Servers = []routing.Server{{Name: b.Service + ".1", Addr: startService(t, b)}}
	}
	site.haproxy.Put(render(t, table, site.settings()).Files())
	for _, row := range []struct{ meaning, request, want string }{
		{"a line of backendExtra answers", "GET /extra/here", "extra # /extra/here"},
		{"the rest is served", "GET /extra/x", "extra /extra/x"},
		{"another service has none of it", "GET /plain/here", "plain /plain/here"},
		{"a template takes the place of the rewrite", "GET /t/a", "templated /by/templated"},
		{"but not of who may pass", "DELETE /t/a", "403"},
		{"a line in the frontend chooses a backend", "GET /elsewhere", "templated /by/templated"},
	} {
		got := site.ask(t, row.request+" HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
		text := got.String()
		if text == "200" {
			text = got.target
		}
		if text != row.want {
			t.Errorf("%s: got %s, want %s", row.meaning, text, row.want)
		}
	}
	if got := site.ask(t, "GET /extra/x HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n").header.Get("X-Extra"); got != `a "b` {
		t.Errorf("X-Extra is %q", got)
	}
}

func TestTemplatesAreBoundAndReported(t *testing.T) {
	services := cases(t, "a servicePath=/a templateFePath=/file")
	for _, row := range []struct{ meaning, template, reason string }{
		{"no template", "{{", "is a template that cannot be read: "},
		{"a call of nothing", "{{nothing}}", "is a template that cannot be read: "},
		{"a field that is none", "{{.Nothing}}", "is a template that fails: "},
		{"one that writes without end", `{{define "x"}}acl a path_beg /` + strings.Repeat("a", 1000) + "\n{{template \"x\"}}{{end}}{{template \"x\"}}", "is a template that fails: it writes more than 65536 bytes"},
		{"a control character", "acl \x01", "is a template that has a control character"},
		{"a section", "\nbackend x", "has a line that would begin another section"},
	} {
		table, problems := routing.BuildTable(services, routing.Options{Network: "proxy", AllowRaw: true, Templates: map[string]string{"/file": row.template}})
		if len(table.Backends) != 0 || len(problems) != 1 || !strings.HasPrefix(problems[0].Reason, row.reason) {
			t.Errorf("%s: got %d backends, problems %v", row.meaning, len(table.Backends), problems)
		}
	}
	if files := routing.TemplateFiles(append(services, cases(t, "b templateBePath.2=/other templateFePath=/file")...)); strings.Join(files, " ") != "/file /other" {
		t.Errorf("files %v", files)
	}
}
