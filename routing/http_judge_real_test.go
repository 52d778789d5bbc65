package routing_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sluice/internal/haproxy/haproxytest"
	"sluice/internal/label"
	"sluice/routing"
)

// TestNoHTTPLabelBreaksOutOfItsLine lets HAProxy judge configurations of labels that are their examples with any
// characters put in, or made of them. It refuses none, and no line says what no label asked for.
func TestNoHTTPLabelBreaksOutOfItsLine(t *testing.T) {
	haproxytest.Binary(t)
	store, secure := openStore(t), everyTLS(t)
	checks, used := 0, map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		if checks++; checks > 60 { // each costs a process
			return
		}
		separator := rapid.SampledFrom([]string{",", ",", "|", "::"}).Draw(t, "separator")
		services := drawNastyHTTP(t, separator)
		table, _ := routing.BuildTable(services, routing.Options{Network: "proxy", Secrets: secrets(), Separator: separator,
			CompressionAlgo: rapid.SampledFrom([][]string{nil, {"gzip"}, {"deflate", "gzip"}}).Draw(t, "algo"), DomainAlgo: rapid.SampledFrom([]string{"", "hdr_dom(host)"}).Draw(t, "domain algo"),
			HTTPSPort: rapid.SampledFrom([]int{0, 443, 8443}).Draw(t, "port"), ClientCA: rapid.Bool().Draw(t, "authority")})
		for _, b := range table.Backends {
			for name := range b.HTTP.Origins {
				used[name]++
			}
		}
		drawn := drawSettings(t)
		if rapid.Bool().Draw(t, "tls") {
			drawn.Entries, drawn.TLS = secure.Entries, secure.TLS
		}
		config, err := routing.Render(table, drawn)
		if err != nil {
			t.Fatal(err)
		}
		if err := checkConfig(context.Background(), store, config); err != nil {
			t.Fatalf("%v\n%s", err, config.Text)
		}
		_, own, _ := strings.Cut(config.Text, "\nbackend handover\n")
		for line := range strings.Lines(own) {
			if reason := unasked(services, strings.TrimSuffix(line, "\n")); reason != "" {
				t.Fatalf("%s\n%s", reason, line)
			}
		}
	})
	t.Logf("%d checks, labels that were used: %v", checks, used)
}

// plainLine is what a line of a backend may be when its quoted words are left out.
var plainLine = regexp.MustCompile(`^(userlist|backend|    (user|acl|balance|hash-type|cookie|dynamic-cookie-key|timeout|retries|retry-on|compression|option|http-check|stick-table|` +
	`http-request (deny|track-sc0|redirect|set-var\(txn\.origin\)|return|auth|del-header|set-header|add-header|set-path)|http-response (set-header|add-header|del-header)|id|server)) ` +
	`[A-Za-z0-9_.,:;/$()<>|{}!\[\] -]* # [A-Za-z0-9_.]+( [A-Za-z0-9_.]+)+$`)

var quotedWord = regexp.MustCompile(`'[^']*'("'"'[^']*')*`)

// unasked says what is wrong with a line that no label asked for.
func unasked(services []routing.Service, line string) string {
	if line == "" || strings.HasPrefix(line, "    server successor ") || strings.HasPrefix(line, "    # ") {
		return ""
	}
	bare := quotedWord.ReplaceAllString(line, "Q")
	if !plainLine.MatchString(bare) {
		return "a line of no known form: " + bare
	}
	_, comment, _ := strings.Cut(bare, " # ")
	words := strings.Fields(comment)
	i := slices.IndexFunc(services, func(s routing.Service) bool { return s.Name == words[0] })
	if i < 0 {
		return "a line of no service: " + comment
	}
	for _, key := range words[1:] {
		if _, written := services[i].Labels[key]; !written && key != "COMPRESSION_ALGO" {
			return fmt.Sprintf("a line of a label that %s does not have: %s", words[0], key)
		}
	}
	return ""
}

func drawNastyHTTP(t *rapid.T, separator string) (services []routing.Service) {
	nasty := rapid.StringOfN(rapid.SampledFrom([]rune(`aB09/.-_*~!$&'()+;=:@%,"\#{}[]|^<>? é`+"\t\n\x00\u2028")), 0, 8, -1)
	mild := rapid.StringOfN(rapid.SampledFrom([]rune(`aZ9/.-_ é;#$'%=:`)), 0, 8, -1)
	headers := rapid.Custom(func(t *rapid.T) string {
		values := rapid.SampledFrom([]string{"a", "%[src]", "%[dst_port]", `"it's %[hostname], #\" $HOME %"`, "'a\"b'", `\#\ \'`, "%", "%[", "%[date,http_date]"})
		conditions := rapid.SampledFrom([]string{"", " if TRUE", " unless { src ::1 10.0.0.0/8 }", ` if { ssl_fc_sni -i -- "#'\" $x" -m } or !LOCALHOST`, " if { ssl_fc", " if }", ` if { dst_port 1 2 } # x`})
		return "X-" + mild.Draw(t, "name") + " " + values.Draw(t, "value") + mild.Draw(t, "text") + conditions.Draw(t, "condition") +
			separator + "Y " + values.Draw(t, "value") + conditions.Draw(t, "condition")
	})
	names := rapid.SampledFrom(indexedHTTPLabels())
	headersInstead := func(name string) string {
		labels := []string{"addReqHeader", "setReqHeader", "delReqHeader", "addResHeader", "setResHeader", "delResHeader"}
		return labels[len(name)%len(labels)]
	}
	for _, name := range []string{"a", "c_d", "e.f"} {
		s := routing.Service{Name: name, Networks: []string{"proxy"}, Labels: map[string]string{}}
		for n := 1; n <= 6; n++ { // a label that cannot be read takes only its destination along
			set := func(name, value string) { s.Labels[fmt.Sprintf("%s%s.%d", label.Prefix, name, n)] = value }
			set("port", fmt.Sprint(80+n))
			set("servicePath", fmt.Sprintf("/%s/%d", s.Name, n))
			if rapid.Bool().Draw(t, "secure") {
				set("httpsPort", fmt.Sprint(440+n%2))
				set("srcHttpsPort", fmt.Sprint(440+n%3))
			}
			for _, name := range rapid.SliceOfNDistinct(rapid.OneOf(names, rapid.Map(names, headersInstead)), 1, 3, rapid.ID).Draw(t, "labels") {
				spec, _ := routing.Labels.Lookup(name)
				example := []rune(spec.Example)
				at := rapid.IntRange(0, len(example)).Draw(t, "at")
				value := rapid.OneOf(rapid.Just(""), rapid.Just(""), mild, nasty).Draw(t, "put in")
				value = string(example[:at]) + value + string(example[at:])
				if strings.HasSuffix(name, "Header") {
					value = rapid.OneOf(rapid.Just(value), headers).Draw(t, "headers")
				}
				if spec.Kind == label.List { // the text of headers has commas of its own
					value = strings.ReplaceAll(value, ",", separator)
				}
				set(name, value)
			}
		}
		s.Labels[label.Prefix+"notify"] = "true"
		if s.Name == "c_d" && rapid.Bool().Draw(t, "short") {
			s.Stack, s.Labels[label.Prefix+"shortName"] = "c", "true"
		}
		for _, name := range []string{"sessionType", "compressionAlgo", "compressionType", "redirectWhenHttpProto", "redirectUnlessHttpsProto"} {
			if spec, _ := routing.Labels.Lookup(name); rapid.Bool().Draw(t, name) {
				s.Labels[label.Prefix+name] = spec.Example
			}
		}
		services = append(services, s)
	}
	return services
}

// elsewhere are the labels that lead to a destination, and those that others judge.
var elsewhere = []string{"servicePath", "serviceDomain", "port", "outboundHostname", "pathType", "servicePathExclude", "userAgent", "serviceHeader", "srcPort", "srcAddr",
	"isDefaultBackend", "priority", "reqPathSearchReplace", "reqPathSearch", "reqPathReplace", "backendExtra", "templateBePath", "templateFePath", "userDef"}

// indexedHTTPLabels are the labels of what is done on the way.
func indexedHTTPLabels() (names []string) {
	specs := routing.Labels.Specs
	for _, spec := range specs {
		if spec.Indexed && !slices.Contains(elsewhere, spec.Name) {
			names = append(names, spec.Name)
		}
	}
	return names
}
