package routing_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sluice/internal/haproxy"
	"sluice/internal/haproxy/haproxytest"
	"sluice/internal/label"
	"sluice/routing"
)

var judging = flag.Duration("judge", 3*time.Second, "how long TestNothingThatALabelHoldsBreaksOut draws configurations (with -rapid.checks as large as it takes)")

// TestNothingThatALabelHoldsBreaksOut lets HAProxy judge configurations of many services with any labels under any
// settings. It refuses none but for a regular expression, a raw line or a certificate, and Blame finds whose that is; and
// each line is asked for by a label that the service has and that may ask for it.
func TestNothingThatALabelHoldsBreaksOut(t *testing.T) {
	haproxytest.Binary(t)
	j := judge{store: openStore(t), secure: everyTLS(t), certificate: oneLine(newCertificate(t, "*.a.test", "x.a.test", "a.test")), labels: map[string]int{}, used: map[string]int{}}
	until, failed := time.Now().Add(*judging), false
	rapid.Check(t, func(t *rapid.T) {
		if time.Now().After(until) && !failed { // a failure is made smaller
			return
		}
		services, options := drawWhole(t, j.certificate), drawWholeOptions(t)
		drawn := drawSettings(t)
		// else HAProxy reads the system's authorities for a client of its own, which takes longer than all the rest
		drawn.Extra.Global = append(drawn.Extra.Global, "httpclient.ssl.verify none")
		drawn.Entries = append(drawn.Entries, routing.HTTPEntry{Address: "127.0.0.1:443", Port: 443, TLS: true})
		drawn.TLS = j.secure.TLS
		if rapid.SampledFrom([]int{0, 1, 2, 3}).Draw(t, "plain") == 0 {
			drawn.TLS = routing.TLS{}
		}
		if fault := j.judge(services, options, drawn); fault != "" {
			failed = true
			t.Fatal(fault)
		}
	})
	t.Logf("%d configurations, %d checks, %d services, %d labels, %d backends; refused: %d expressions, %d raw lines, %d certificates", j.configs, j.checks, j.services, j.values, j.backends, j.expressions, j.raw, j.certificates)
	t.Logf("labels that were drawn: %v", j.labels)
	t.Logf("labels that asked for lines: %v", j.used)
}

// judge counts what it has seen.
type judge struct {
	store       *haproxy.Store
	secure      routing.Settings
	certificate string
	labels      map[string]int
	used        map[string]int

	configs, checks, services, values, backends, expressions, raw, certificates int
}

// judge gives what is wrong; "" is nothing.
func (j *judge) judge(services []routing.Service, options routing.Options, s routing.Settings) string {
	table, problems := routing.BuildTable(services, options)
	j.configs++
	j.services += len(services)
	j.backends += len(table.Backends)
	j.values += countLabels(services, j.labels)
	for _, p := range problems {
		if p.Reason == "" || p.Service == "" {
			return fmt.Sprintf("a problem of nobody or without a reason: %+v", p)
		}
	}
	for range len(table.Backends) + len(table.Certificates) + 1 {
		config, err := routing.Render(table, s)
		if err != nil {
			return err.Error()
		}
		if fault := j.audit(config, table, services, s); fault != "" {
			return fault
		}
		j.checks++
		opinion := (*haproxy.RefusedError)(nil)
		if refused := checkConfig(context.Background(), j.store, config); refused == nil {
			return ""
		} else if !errors.As(refused, &opinion) {
			return refused.Error()
		}
		var fault string
		if table, fault = j.without(table, config, opinion.Output); fault != "" {
			return fault
		}
	}
	return "HAProxy refuses a configuration without any backend"
}

func (j *judge) audit(config routing.Config, table routing.Table, services []routing.Service, s routing.Settings) string {
	empty, err := routing.Render(table.Filter(func(routing.Backend) bool { return false }), s)
	if err != nil {
		return err.Error()
	}
	a := auditor{services: map[string]routing.Service{}, frame: map[string]bool{}, used: j.used}
	for _, service := range services {
		a.services[service.Name] = service
	}
	for line := range strings.Lines(empty.Text) {
		a.frame[strings.TrimSuffix(line, "\n")] = true
	}
	for line := range strings.Lines(config.Text) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "    set-var proc.sluice_shape str(") {
			continue
		}
		if reason := a.audit(line); reason != "" {
			return fmt.Sprintf("a line %s:\n%s", reason, line)
		}
	}
	for name, entries := range config.Maps {
		for _, e := range entries {
			if strings.ContainsAny(e.Key+e.Value+e.Comment, "\n\r\x00") || strings.ContainsAny(e.Key+strings.TrimPrefix(e.Value, "#"), " #\t") || e.Key == "" || e.Value == "" {
				return fmt.Sprintf("%s has the entry %+v", name, e)
			}
		}
	}
	return ""
}

// without leaves out what HAProxy refuses and may refuse: what holds a regular expression, raw lines, certificates.
func (j *judge) without(table routing.Table, config routing.Config, output string) (routing.Table, string) {
	gone, certificates := map[string]bool{}, map[string]bool{}
	fault := func(why string) (routing.Table, string) {
		return table, fmt.Sprintf("%s: %s\n%s", why, complaints(output), complainedOf(config, output))
	}
	backends := map[string]routing.Backend{}
	for _, b := range table.Backends {
		backends[b.Name] = b
	}
	for line := range strings.Lines(output) {
		if name, _, ok := routing.BlameCertificate(config, line); ok && strings.Contains(name, "serviceCert") {
			certificates[name] = true
			continue
		}
		name, reason, ok := routing.Blame(config, line)
		b := backends[name]
		switch {
		case !ok:
		case strings.Contains(reason, "regex") && (len(b.Rewrites) > 0 || hasExpression(table, b)):
			j.expressions++
			gone[name] = true
		case len(b.Raw.Backend)+len(b.Raw.Frontend)+len(b.Raw.Template) > 0:
			j.raw++
			gone[name] = true
		default:
			return fault(name + " is refused")
		}
	}
	if len(gone)+len(certificates) == 0 && strings.Contains(output, "'services'") {
		for _, b := range table.Backends {
			if len(b.Raw.Frontend) > 0 {
				gone[b.Name] = true
			}
		}
		j.raw++
	}
	if len(gone)+len(certificates) == 0 {
		return fault("nobody is to blame")
	}
	j.certificates += len(certificates)
	kept := table.Filter(func(b routing.Backend) bool { return !gone[b.Name] })
	kept.Certificates = nil
	for _, c := range table.Certificates {
		if !certificates[c.Name] {
			kept.Certificates = append(kept.Certificates, c)
		}
	}
	return kept, ""
}

func hasExpression(table routing.Table, b routing.Backend) bool {
	for _, r := range table.AllRoutes() {
		if r.Backend == b.Name && (r.PathMatch == "reg" || r.HostMatch == "reg") {
			return true
		}
	}
	return false
}

// complaints are the lines of HAProxy's opinion that say what it does not take.
func complaints(output string) string {
	var lines []string
	for line := range strings.Lines(output) {
		if strings.Contains(line, "[ALERT]") || strings.Contains(line, "[WARNING]") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return strings.Join(lines, "\n")
}

// complainedOf are the lines of the configuration that HAProxy's opinion names.
func complainedOf(config routing.Config, output string) string {
	lines := strings.Split(config.Text, "\n")
	var named []string
	for line := range strings.Lines(output) {
		_, rest, found := strings.Cut(line, "haproxy.cfg:")
		var n int
		if _, err := fmt.Sscanf(rest, "%d", &n); found && err == nil && n >= 1 && n <= len(lines) {
			named = append(named, lines[n-1])
		}
	}
	return strings.Join(named, "\n")
}

// TestJudgeSeesWhatBreaksOut shows it lines that no label may bring about.
func TestJudgeSeesWhatBreaksOut(t *testing.T) {
	service := routing.Service{Name: "web", Labels: map[string]string{label.Prefix + "port": "80", label.Prefix + "userAgent.1": "x", label.Prefix + "servicePath.1": "/",
		label.Prefix + "redirectFromDomain": "x", label.Prefix + "checkPath": "/", label.Prefix + "setReqHeader": "x"}}
	a := auditor{services: map[string]routing.Service{"web": service}, used: map[string]int{}}
	const asked = " # web com.df.servicePath.1"
	for _, row := range []struct{ meaning, line string }{
		{"a section", "backend web-be80_0"},
		{"a section in the place of a line", "    backend x # web com.df.port"},
		{"a line without an origin", "    http-request deny"},
		{"a line of another service", "    http-request set-var(txn.be) str(x) # other com.df.servicePath.1"},
		{"a label that the service does not have", "    http-request set-var(txn.be) str(x) # web com.df.servicePath.2"},
		{"a label that asks for something else", "    balance roundrobin" + asked},
		{"a log-format that reads the environment", "    http-request redirect code 301 location 'https://%[env(HOME)]' # web com.df.redirectFromDomain"},
		{"a log-format in a check", "    http-check send meth GET uri '/' ver HTTP/1.1 hdr Host '%ci' # web com.df.checkPath"},
		{"an expression in a header", "    http-request set-header X '%[src] %[env(HOME)]' # web com.df.setReqHeader"},
		{"a word that ends in a comment", "    http-request set-var(txn.be) str(x) # ' # web"},
		{"a quote without an end", "    http-request set-var(txn.be) str(x) if { path 'x }" + asked},
		{"the environment", "    http-request set-var(txn.be) str($HOME)" + asked},
		{"a flag", "    http-request set-var(txn.be) str(x) if { path -m reg '-f' '/etc/passwd' }" + asked},
		{"the end of a condition", "    http-request set-var(txn.be) str(x) if { path -m reg -- '}' }" + asked},
		{"no value", "    http-request set-var(txn.be) str(x) if { path -m str -- '' }" + asked},
		{"more words than HAProxy takes", "    http-request set-var(txn.be) str(x) if { path -m str --" + strings.Repeat(" x", 60) + " }" + asked},
	} {
		if a.audit(row.line) == "" {
			t.Errorf("%s is not seen: %s", row.meaning, row.line)
		}
	}
	if reason := a.audit("    http-request set-var(txn.be) str(x) if { path -m str -- '-f' 'it'\"'\"'s #' }" + asked); reason != "" {
		t.Errorf("a line that is asked for %s", reason)
	}
}
