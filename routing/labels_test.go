package routing_test

import (
	"strings"
	"testing"

	"sluice/internal/label"
)

func TestPathsAndHostsAreChecked(t *testing.T) {
	label63 := strings.Repeat("a", 63)
	for _, row := range []struct {
		label, value, reason string // "" is accepted
	}{
		{"servicePath", "/", ""},
		{"servicePath", "/a-b_c.d~e!$&'()*+;=:@%20/f", ""},
		{"servicePath", "/" + strings.Repeat("x", 2047), ""},
		{"servicePath", "/" + strings.Repeat("x", 2048), "has a path of 2049 bytes, more than 2048"},
		{"servicePath", "a", "has a path that does not begin with /"},
		{"servicePath", "/a b", "has a character that no path can hold: ' '"},
		{"servicePath", "/a?b", "has a character that no path can hold: '?'"},
		{"servicePath", "/a#b", "has a character that no path can hold: '#'"},
		{"servicePath", `/a"b`, `has a character that no path can hold: '"'`},
		{"servicePath", `/a\b`, `has a character that no path can hold: '\\'`},
		{"servicePath", "/é", "has a character that no path can hold: 'é'"},
		{"servicePath", "/\xff", "has a character that no path can hold: '\ufffd'"},
		{"serviceDomain", "a.test", ""},
		{"serviceDomain", "A_b-1.test.", ""},
		{"serviceDomain", "localhost", ""},
		{"serviceDomain", "*.test", ""},
		{"serviceDomain", "127.0.0.1", ""},
		{"serviceDomain", "[::1]", ""},
		{"serviceDomain", "[FE80::A]", ""},
		{"serviceDomain", label63 + ".test", ""},
		{"serviceDomain", label63 + "a.test", "has a host that is no name"},
		{"serviceDomain", strings.Join([]string{label63, label63, label63, label63}, "."), "has a host of 255 bytes, more than 253"},
		{"serviceDomain", "*", "has a host that is no name"},
		{"serviceDomain", "*.", "has a host that is no name"},
		{"serviceDomain", "a.*.test", "has a host that is no name"},
		{"serviceDomain", "*a.test", "has a host that is no name"},
		{"serviceDomain", "a..test", "has a host that is no name"},
		{"serviceDomain", ".test", "has a host that is no name"},
		{"serviceDomain", "a.test:80", "has a host that is no name"},
		{"serviceDomain", "a.test/x", "has a host that is no name"},
		{"serviceDomain", "http://a.test", "has a host that is no name"},
		{"serviceDomain", "[]", "has a host that is no name"},
		{"serviceDomain", "[::1", "has a host that is no name"},
		{"serviceDomain", "::1", "has a host that is no name"},
		{"serviceDomain", "*.[::1]", "has a host that is no name"},
		{"serviceDomain", "[fe80::1%eth0]", "has a host that is no name"},
		{"serviceDomain", "[127.0.0.1]", "has a host that is no name"},
	} {
		services := scene(t, "service svc\n notify true\n port 80\n")
		services[0].Labels[label.Prefix+row.label] = row.value
		_, problems := build(services)
		var reason string
		if len(problems) > 0 {
			reason = problems[0].Reason
		}
		if (reason == "") != (row.reason == "") || !strings.HasPrefix(reason, row.reason) {
			t.Errorf("%s %.60q: got %q, want %q", row.label, row.value, reason, row.reason)
		}
	}
}

func TestServiceWithANameThatHAProxyCannotHoldIsReported(t *testing.T) {
	for _, name := range []string{"a b", strings.Repeat("a", 129)} {
		services := scene(t, two)
		services[0].Name = name
		table, problems := build(services)
		if len(table.Backends) != 1 || len(problems) != 1 || problems[0].Reason != "has a name that HAProxy cannot hold" {
			t.Errorf("%s: got %+v, problems %v", name, table.Backends, problems)
		}
	}
}
