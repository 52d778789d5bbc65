package routing_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sluice/internal/haproxy"
	"sluice/internal/haproxy/haproxytest"
	"sluice/internal/label"
	"sluice/routing"
)

// TestNoRawLineLeavesItsSection lets HAProxy judge raw lines of any kind. What it refuses is blamed on a backend that has
// raw lines, or on nobody but the frontend; without the blamed ones the rest is accepted.
func TestNoRawLineLeavesItsSection(t *testing.T) {
	haproxytest.Binary(t)
	store := openStore(t)
	checks, refusals, routed, left := 0, 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		if checks > 40 { // each costs a process
			return
		}
		services, options := drawRaw(t)
		table, problems := routing.BuildTable(services, options)
		routed, left = routed+len(table.Backends), left+len(problems)
		if !options.AllowRaw {
			for _, b := range table.Backends {
				if len(b.Raw.Frontend)+len(b.Raw.Backend)+len(b.Raw.Template) > 0 {
					t.Fatalf("raw lines that nobody allowed: %+v", b.Raw)
				}
			}
		}
		for range len(table.Backends) + 1 {
			config, err := routing.Render(table, drawSettings(t))
			if err != nil {
				t.Fatal(err)
			}
			wantSections(t, config, table)
			checks++
			opinion := (*haproxy.RefusedError)(nil)
			if refused := checkConfig(context.Background(), store, config); refused == nil {
				return
			} else if !errors.As(refused, &opinion) {
				t.Fatal(refused)
			}
			refusals++
			name, _, ok := routing.Blame(config, opinion.Output)
			if !ok && !strings.Contains(opinion.Output, "'services'") {
				t.Fatalf("nobody is to blame for %s\n%s", opinion.Output, config.Text)
			}
			before := len(table.Backends)
			table = table.Filter(func(b routing.Backend) bool {
				if ok {
					return b.Name != name
				}
				return len(b.Raw.Frontend) == 0
			})
			if len(table.Backends) == before || strings.HasPrefix(name, "good") {
				t.Fatalf("%q is blamed for %s\n%s", name, opinion.Output, config.Text)
			}
		}
		t.Fatal("HAProxy refuses a configuration without any raw line")
	})
	t.Logf("%d checks, %d refusals, %d backends, %d problems", checks, refusals, routed, left)
}

// wantSections sees to it that the sections are those that the table asks for.
func wantSections(t *rapid.T, c routing.Config, table routing.Table) {
	known := map[string]bool{"handover": true}
	for _, b := range table.Backends {
		known[b.Name] = true
	}
	for line := range strings.Lines(c.Text) {
		fields := strings.Fields(line)
		if len(fields) == 0 || line[0] == '#' {
			continue
		}
		indented := line[0] == ' '
		switch word := fields[0]; {
		case indented && (word == "frontend" || word == "backend" || word == "listen" || word == "global" || word == "defaults" || strings.ContainsAny(word[:1], `"'\\.$`)):
			t.Fatalf("a line that is no plain one: %q", line)
		case !indented && word == "backend" && !known[fields[1]]:
			t.Fatalf("a section that nobody asked for: %q", line)
		}
	}
}

func drawRaw(t *rapid.T) ([]routing.Service, routing.Options) {
	directives := rapid.SampledFrom([]string{"http-request deny", "http-request set-header X-A ", "http-request set-var(txn.be) str(good-be80_0)", "timeout server ", "option httplog", "acl a path_beg ",
		"fullconn 10", "errorfile 503 /nowhere", "stick-table type ip size 1k", "http-request track-sc0 src table nowhere", "stick match src table zip", "use_backend nowhere", "use_backend good-be80_0 if TRUE",
		"default_backend nowhere", "http-request deny deny_status 200 if { path /x }", "no option httplog", "retries 2",
		"frontend x", "backend good-be80_0", `"frontend" x`, `fron\tend x`, ".if 0", ".endif", "$HOME", "server x 127.0.0.1:1", "mode tcp", "balance source", "# frontend x", "    # the next 9 lines are of good-be80_0", "no frontend x", ""})
	tail := rapid.OneOf(rapid.Just(""), rapid.Just(""), rapid.Just(" # good com.df.port"), rapid.Just(` "a # b`), rapid.Just(` 'it"s' # x`),
		rapid.StringOfN(rapid.SampledFrom([]rune(`aB09/.-_*~!$&'()+;=:@%,"\#{}[]|^<>? é`+"\t\n\x00")), 0, 10, -1))
	lines := rapid.Custom(func(t *rapid.T) string {
		var text []string
		for range rapid.IntRange(1, 3).Draw(t, "lines") {
			text = append(text, directives.Draw(t, "directive")+tail.Draw(t, "tail"))
		}
		return strings.Join(text, rapid.SampledFrom([]string{"\n", `\n`, "\r\n"}).Draw(t, "break"))
	})
	options := routing.Options{Network: "proxy", AllowRaw: rapid.IntRange(0, 4).Draw(t, "allowed") > 0, Templates: map[string]string{}}
	var services []routing.Service
	for _, name := range []string{"a", "b_c", "good"} {
		s := routing.Service{Name: name, Networks: []string{"proxy"}, Labels: map[string]string{label.Prefix + "notify": "true", label.Prefix + "port": "80", label.Prefix + "servicePath": "/" + name}}
		for _, labelName := range []string{"backendExtra", "templateBePath", "templateFePath", "userDef"} {
			if name == "good" || !rapid.Bool().Draw(t, labelName) {
				continue
			}
			value := lines.Draw(t, "raw")
			if strings.HasPrefix(labelName, "template") {
				file := fmt.Sprintf("/%s/%s", name, labelName)
				options.Templates[file] = value + rapid.SampledFrom([]string{"", "{{.UserDef}}", "{{range .ServiceDest}}\n{{.Port}}{{end}}", "{{.Nothing}}", "{{"}).Draw(t, "action")
				value = file
			}
			s.Labels[label.Prefix+labelName] = value
		}
		services = append(services, s)
	}
	return services, options
}

// drawSettings draws what an operator may set; HAProxy takes all of it.
func drawSettings(t *rapid.T) routing.Settings {
	s := settings("127.0.0.1:80")
	text := rapid.StringOfN(rapid.SampledFrom([]rune(`aB09/.-_~!$&'()+;=@,"\#{}[]|^<>? é`)), 1, 12, -1)
	s.ConnectionMode = rapid.SampledFrom([]string{"", "http-server-close", "httpclose"}).Draw(t, "connection mode")
	if rapid.Bool().Draw(t, "statistics") {
		s.Statistics = routing.Statistics{On: true, URI: "/admin?stats" + strings.ReplaceAll(text.Draw(t, "uri"), " ", ""), Port: rapid.SampledFrom([]int{0, 8404}).Draw(t, "stats port")}
		if rapid.Bool().Draw(t, "password") {
			s.Statistics.User, s.Statistics.Password = text.Draw(t, "user"), text.Draw(t, "password")
		}
	}
	if rapid.Bool().Draw(t, "log") {
		s.Log = routing.RequestLog{On: true, ErrorsOnly: rapid.Bool().Draw(t, "errors only"), HTTPFormat: rapid.SampledFrom([]string{"", `%ci "%r" it's # %ST`}).Draw(t, "format")}
	}
	s.Capture, _ = routing.ParseCaptures(rapid.SampledFrom([]string{"", "Host:15", "Host:15,X-Forwarded-For:20"}).Draw(t, "captures"))
	s.Extra.Frontend, _ = routing.ParseExtra(rapid.SampledFrom([]string{"", "acl one path_beg /one,http-request set-header X-One 1 if one",
		"maxconn 100\nhttp-request set-header X-Two %[src,ipmask(24)] # x"}).Draw(t, "extra"))
	s.Extra.Global, _ = routing.ParseExtra(rapid.SampledFrom([]string{"", "tune.bufsize 16384,nbthread 2"}).Draw(t, "global"))
	return s
}
