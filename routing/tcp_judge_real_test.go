package routing_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sluice/internal/haproxy"
	"sluice/internal/haproxy/haproxytest"
	"sluice/internal/label"
	"sluice/routing"
)

// TestNoPortLabelBreaksOutOfItsLine lets HAProxy judge ports and names of any characters. What it refuses is a regular
// expression, whose service Blame finds, and no line says what no label asked for.
func TestNoPortLabelBreaksOutOfItsLine(t *testing.T) {
	haproxytest.Binary(t)
	store := openStore(t)
	checks, used := 0, map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		if checks > 60 { // each costs a process
			return
		}
		services := drawNastyPorts(t)
		table, _ := routing.BuildTable(services, routing.Options{Network: "proxy", EntryPorts: []int{80, 443}, TLSPorts: []int{443}, OwnPorts: []int{8080}})
		for _, b := range table.Backends {
			for name := range b.HTTP.Origins {
				used[name]++
			}
		}
		settings := settings("127.0.0.1:80")
		settings.Entries = append(settings.Entries, routing.HTTPEntry{Address: "127.0.0.1:443", Port: 443, TLS: true})
		for range len(table.Backends) + 1 {
			config, err := routing.Render(table, settings)
			if err != nil {
				t.Fatal(err)
			}
			_, own, _ := strings.Cut(config.Text, "\nbackend handover\n")
			for line := range strings.Lines(own) {
				if reason := unaskedPort(services, strings.TrimSuffix(line, "\n")); reason != "" {
					t.Fatalf("%s\n%s", reason, line)
				}
			}
			checks++
			refused := checkConfig(context.Background(), store, config)
			if refused == nil {
				return
			}
			opinion := (*haproxy.RefusedError)(nil)
			if !errors.As(refused, &opinion) {
				t.Fatal(refused)
			}
			name, reason, ok := routing.Blame(config, opinion.Output)
			if !ok || !strings.Contains(reason, "regex") {
				t.Fatalf("nobody is to blame for %s\n%s", opinion.Output, config.Text)
			}
			table = table.Filter(func(b routing.Backend) bool { return b.Name != name })
		}
		t.Fatal("HAProxy refuses a configuration without any backend")
	})
	t.Logf("%d checks, labels that were used: %v", checks, used)
}

// frameLine is a line of a listener that nobody asked for: it is the same for all.
var frameLine = regexp.MustCompile(`^(frontend (tcp|sni)_[0-9a-f.:_]+|backend https_\d+|    (mode tcp|no option idle-close-on-response|server services abns@[a-z0-9-]+ send-proxy-v2|default_backend https_\d+|bind 127\.0\.0\.1:443.*|` +
	`tcp-request inspect-delay \d+ms|tcp-request content (accept|reject) if !\{ req\.ssl_hello_type 1 \}|tcp-request content reject if !\{ var\(txn\.be\) -m found \}|` +
	`tcp-request content set-var\(txn\.sni\) req\.ssl_sni,lower,rtrim\(\.\)|use_backend %\[var\(txn\.be\)\] if \{ var\(txn\.be\) -m found \}|` +
	`tcp-request content set-var\(txn\.be\) var\(txn\.sni\)(,field\(2,\.,0\),field\(-1,\.,\d+\))?,map_str\(sni_\d+(-wildcards)?(-\d+)?\.map\) if !\{ var\(txn\.be\) -m found \}( \{ dst [0-9a-f.:]+ \})?)|# names .*)$`)

var portLine = regexp.MustCompile(`^(backend|    (mode|balance|hash-type|timeout|retries|acl|tcp-request content (reject|set-var\(txn\.be\) str\(\S+\) if)|server|bind|option|default_backend)) ` +
	`[A-Za-z0-9_.,:;/$()<>|{}!*\[\] -]*( # [A-Za-z0-9_.]+( [A-Za-z0-9_.]+)+)+$`)

func unaskedPort(services []routing.Service, line string) string {
	bare := quotedWord.ReplaceAllString(line, "Q")
	if line == "" || strings.HasPrefix(line, "    server successor ") || frameLine.MatchString(bare) {
		return ""
	}
	if strings.HasPrefix(line, "    server ") && !strings.Contains(line, "#") {
		bare += " # a com.df.port.1" // a server without options of its own is what the line above asked for
	}
	if !portLine.MatchString(bare) {
		return unasked(services, line) // of a destination of http
	}
	for _, asked := range strings.Split(bare, " # ")[1:] {
		if reason := unasked(services, "backend x # "+asked); reason != "" {
			return reason
		}
	}
	return ""
}

func drawNastyPorts(t *rapid.T) (services []routing.Service) {
	nasty := rapid.StringOfN(rapid.SampledFrom([]rune(`aB09/.-_*~!$&'()+;=:@%,"\#{}[]|^<>? é`+"\t\n\x00\u2028")), 0, 8, -1)
	mild := rapid.StringOfN(rapid.SampledFrom([]rune(`aZ9.-_`)), 0, 6, -1)
	names := []string{"allowFrom", "denyFrom", "loadBalance", "timeoutServer", "timeoutTunnel", "retries", "checkTcp", "checkInterval", "sslVerifyNone", "maxConn", "weight",
		"serviceGroup", "balanceGroup", "clitcpka", "timeoutClient", "aclName", "priority", "users", "addReqHeader", "servicePathExclude"}
	for _, name := range []string{"a", "c_d", "e.f"} {
		s := routing.Service{Name: name, Networks: []string{"proxy"}, Labels: map[string]string{label.Prefix + "notify": "true"}, Tasks: drawTasks(t, name)}
		for n := 1; n <= 4; n++ {
			set := func(name, value string) { s.Labels[fmt.Sprintf("%s%s.%d", label.Prefix, name, n)] = value }
			set("port", fmt.Sprint(80+n))
			set("reqMode", rapid.SampledFrom([]string{"tcp", "tcp", "sni", "sni", "http"}).Draw(t, "mode"))
			set("srcPort", rapid.SampledFrom([]string{"443", "80", "8080", "6379", "6380", "8445"}).Draw(t, "port"))
			if addr := rapid.SampledFrom([]string{"", "", "127.0.0.1", "::1", "10.0.0.5"}).Draw(t, "addr"); addr != "" {
				set("srcAddr", addr)
			}
			set("serviceDomain", rapid.OneOf(rapid.SampledFrom([]string{"a.test", "*.a.test", "*.b.a.test,c.test"}), mild, nasty).Draw(t, "host"))
			if rapid.Bool().Draw(t, "path") {
				set("pathType", "req_ssl_sni -i -m "+rapid.SampledFrom([]string{"str", "beg", "end", "sub", "dom", "reg", "str # x"}).Draw(t, "matcher"))
				set("servicePath", rapid.OneOf(mild, nasty).Draw(t, "name"))
			}
			for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom(names), 0, 3, rapid.ID[string]).Draw(t, "labels") {
				spec, _ := routing.Labels.Lookup(name)
				value := spec.Example
				if rapid.IntRange(0, 3).Draw(t, "spoil") == 0 {
					value += nasty.Draw(t, "put in")
				}
				set(name, value)
			}
		}
		services = append(services, s)
	}
	return services
}
