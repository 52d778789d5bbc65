package routing_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"sluice/internal/label"
	"sluice/routing"
)

// nastyWords are what breaks out of configurations: ends of words, lines, conditions and expressions, flags, HAProxy's
// own names.
var nastyWords = []string{"}", "{", " } ", "!{", "'", `"`, `'"'`, `\`, `\\`, `\'`, "#", " # x com.df.port", "\n", "\r\n", "\nbackend x\n    server x 127.0.0.1:1", "\t", "\x00", "\x7f", "\u2028", "\u00a0", "é", "日本", "\xff",
	"%", "%%", "%[", "%[src]", "%[env(HOME)]", "%[var(proc.sluice_shape)]", "%[path,regsub(\"a\",\"b\")]", "%{+Q}o", "%ci", "]", "[", "(", ")", "(?", "$", "$HOME", "${HOME}", "`id`", ";", "|", "||", "&&", "or", "!", "=",
	"-f", "-f /etc/passwd", "-i", "-m", "-m reg", "-M", "-n", "-u", "--", "-", "if", "unless", "if TRUE", "if { src 127.0.0.1 }", "if {", "if }", "{ path_reg }", "TRUE", "LOCALHOST",
	"global", "backend", "frontend f", "userlist", "users", "handover", "services", "web:users", "http_auth(users)", "allow_from", "deny_from", "cors_origin", "old_host", "trusted", "@1", "@", "*", "*.", ".", "..", ",", ",,", ":", "::", "/", "//", "/?", "?", "\\1", "\\0", "\\n", "0", "-1", "1e9", "0x10", "99999999999999999999", "NaN",
	"~", "^", "[", "[]", "[::1]", "::1", "127.0.0.1", "0.0.0.0/0", "%00", "%2f", "<", ">", "", " ", "  "}

// valuesOf are values that labels are used with, beside their examples.
var valuesOf = map[string][]string{
	"pathType":             {"path", "path_beg", "path_reg", "path_end", "path_sub", "path_dir", "path_dom", "path_reg", "req_ssl_sni -i -m reg", "req_ssl_sni -m beg", "req.ssl_sni"},
	"servicePath":          {"/", "/a", "/a/b,/c", `^/a{1,2}/[}]$`, "}", "-f", "-i", "/a/(b|c)", `\.php$`, "/é", "{", "[}]", ".php,}", "--"},
	"serviceDomain":        {"a.test", "*.a.test", "*.b.a.test,c.test", "[::1]", "10.0.0.1", "-f", "-i", "}", `^a.*\.test$`, "%[env(HOME)]", "%ci", "*", "A.TEST.", "--"},
	"serviceDomainAlgo":    {"hdr_reg(host)", "hdr_end(host)", "hdr_beg(host)", "hdr_dom(host)", "exact", "req.ssl_sni"},
	"userAgent":            {"}", "-f,/etc/passwd", "-i", "Mozilla/5.0 (X11; Linux) #1", `it's "x"`, "--", "{,}"},
	"serviceHeader":        {"X-A:}", "X-A:", "X-A:-f", "X-A:-i,Y:--", `X-A:it's "#" \`, "X-A:{ b }", "a:b,c:d,e:f,g:h,i:j,k:l,m:n,o:p,q:r,s:t,u:v"},
	"servicePathExclude":   {"/a,/b,/c", "/", "}", "/a}"},
	"reqPathSearchReplace": {`^/(a|b)/(.*)$,/\2/\1`, "a,%[src]", `a",b`, "a),b", `#,"`, "a,b:c,d", `[[:alpha:]],}`, "},{"},
	"reqPathSearch":        {"}", "a'b", `"#`, "-f"}, "reqPathReplace": {"}", `\1`, "%[src]", "'"},
	"setReqHeader": {`X "a b" if { path_beg -i /a -- }`, "X %[src]", "X %[req.hdr(host),lower] unless { src 10.0.0.0/8 }", "X }", "X -f if { path } }", "X a if { path '}' }", "X a if { hdr(host) -m str -- '-f' }", `X "%[env(HOME)]"`, "X a if { path -f /etc/passwd }",
		"X a if { ssl_fc } { ssl_fc } { ssl_fc } { ssl_fc } { ssl_fc } { ssl_fc } { ssl_fc } { ssl_fc } { ssl_fc } { ssl_fc } { ssl_fc } { ssl_fc }", "X a if { path a } { path b } { path c } { path d } { path e } { path f } { path g } { path h } { path i }"},
	"setResHeader": {"X %[res.hdr(server)]", "X 'a' if { status 200 404 }", "X %[status] if { status ge 400 }"},
	"users":        {`a:}`, `a:b'"#\ $HOME %`, "-f:x", "}:{", "a", "é:日本"}, "usersSecret": {"monitoring", "nowhere"},
	"loadBalance": {"source", "uri", "hdr(x-a)", "url_param(a)", "random", "first"}, "corsAllowOrigin": {"*", "https://a.test:8443", "http://[::1]:80"},
	"redirectFromDomain": {"-f", "old.test,older.test"}, "setHost": {"[::1]:80", "a.test:80", "-f"}, "checkPath": {`/'"#\`, "/%[src]", "/{}"}, "reqMode": {"tcp", "sni", "sni"},
	"srcPort": {"6379", "443", "80", "8445"}, "srcHttpsPort": {"443"}, "srcAddr": {"127.0.0.1", "::1", "::ffff:1.2.3.4", "fe80::1%eth0"}, "aclName": {"handover", "users", "https_443", "-f", "..", "x-be80_1"},
	"backendExtra":   {"http-request deny if { path }", "frontend x", "acl x path '}'\\nhttp-request deny if x", "timeout server", ".if 1", "server x 127.0.0.1:1"},
	"templateBePath": {"/t/be"}, "templateFePath": {"/t/fe"}, "hsts": {"true", "600"}, "retryOn": {"all-retryable-errors", "503,504"}, "connectionMode": {"forceclose", "http-tunnel"},
}

// companions are labels without which another means little.
var companions = map[string]string{"pathType": "servicePath", "checkPath": "serviceDomain", "redirectFromDomain": "serviceDomain", "reqPathReplace": "reqPathSearch", "checkInterval": "checkPath", "checkExpect": "checkPath",
	"usersPassEncrypted": "users", "balanceGroup": "serviceGroup", "templateBePath": "userDef", "srcHttpsPort": "httpsPort"}

// changes are what drawValue does to a value, most often nothing.
var changes = append(slices.Repeat([]int{0}, 20), 1, 2, 3, 3, 4, 5, 6, 7)

// drawValue draws what somebody might write behind a label: mostly something that can be used, else anything.
func drawValue(t *rapid.T, spec label.Spec, certificate string) string {
	known := append([]string{spec.Example, spec.Example}, valuesOf[spec.Name]...)
	if spec.Name == "serviceCert" {
		known = []string{certificate, certificate}
	}
	known = append(known, spec.Values...)
	value := rapid.SampledFrom(known).Draw(t, spec.Name)
	word := rapid.SampledFrom(nastyWords)
	switch rapid.SampledFrom(changes).Draw(t, "change") { // IntRange prefers small numbers
	case 1: // anything
		return strings.Join(rapid.SliceOfN(word, 0, 4).Draw(t, "words"), rapid.SampledFrom([]string{"", " ", ","}).Draw(t, "between"))
	case 2:
		return rapid.String().Draw(t, "text")
	case 3: // something put in
		at := rapid.IntRange(0, len(value)).Draw(t, "at")
		return value[:at] + word.Draw(t, "put in") + value[at:]
	case 4: // something in the place of a byte
		at := rapid.IntRange(0, len(value)).Draw(t, "at")
		return value[:at] + word.Draw(t, "put in") + value[min(at+1, len(value)):]
	case 5:
		return value + "," + word.Draw(t, "item")
	case 6:
		return value[:rapid.IntRange(0, len(value)).Draw(t, "cut")]
	case 7:
		return strings.Repeat(value+rapid.SampledFrom([]string{"", ",", " "}).Draw(t, "between"), rapid.SampledFrom([]int{2, 3, 7, 30, 70, 600}).Draw(t, "times"))
	}
	return value
}

// drawWhole draws services with any labels, most of whose destinations lead somewhere.
func drawWhole(t *rapid.T, certificate string) (services []routing.Service) {
	specs := rapid.SampledFrom(routing.Labels.Specs)
	whole := rapid.SampledFrom(slices.DeleteFunc(slices.Clone(routing.Labels.Specs), func(s label.Spec) bool { return s.Indexed }))
	names := []string{"web", "web_b", "e.f", "stack_api", "-f", "users", "handover", "}", "x y", "a#b"}
	for i, name := range names[:rapid.SampledFrom([]int{4, 6, 7, 8, 10}).Draw(t, "services")] {
		s := routing.Service{Name: name, Networks: []string{"proxy"}, Labels: map[string]string{label.Prefix + "notify": "true"}, Tasks: drawTasks(t, name)}
		if i == 3 {
			s.Stack = "stack"
		}
		for n := 1; n <= 4; n++ {
			set := func(name, value string) { s.Labels[fmt.Sprintf("%s%s.%d", label.Prefix, name, n)] = value }
			set("port", fmt.Sprint(80+n))
			switch rapid.SampledFrom([]int{0, 1, 2, 3, 4, 5}).Draw(t, "mode") {
			case 0:
				set("reqMode", "tcp")
				set("srcPort", fmt.Sprint(6000+rapid.IntRange(0, 20).Draw(t, "port")))
			case 1:
				set("reqMode", "sni")
				set("srcPort", rapid.SampledFrom([]string{"443", "8445"}).Draw(t, "port"))
				set("serviceDomain", fmt.Sprintf("%c%d.test", 'a'+i, n))
			case 2:
				set("serviceDomain", fmt.Sprintf("%c%d.test", 'a'+i, n))
			default:
				set("servicePath", fmt.Sprintf("/%d/%d", i, n))
			}
			for range rapid.SampledFrom([]int{0, 1, 2, 3, 4, 5}).Draw(t, "labels") {
				spec := specs.Draw(t, "label")
				if spec.Name == "port" || spec.Name == "notify" || !spec.Indexed {
					continue
				}
				set(spec.Name, drawValue(t, spec, certificate))
				beside, known := companions[spec.Name]
				mode := s.Labels[fmt.Sprintf("%sreqMode.%d", label.Prefix, n)]
				if companion, _ := routing.Labels.Lookup(beside); known && (mode == "" || beside == "serviceGroup") && rapid.Bool().Draw(t, "both") {
					set(beside, drawValue(t, companion, ""))
				}
			}
		}
		for range rapid.SampledFrom([]int{0, 1, 2, 3}).Draw(t, "whole labels") {
			if spec := whole.Draw(t, "label"); spec.Name != "notify" {
				s.Labels[label.Prefix+spec.Name] = drawValue(t, spec, certificate)
			}
		}
		if spec := specs.Draw(t, "default"); spec.Name != "notify" && rapid.SampledFrom([]int{0, 1, 2, 3, 4, 5}).Draw(t, "whether") == 0 {
			s.Labels[label.Prefix+spec.Name] = drawValue(t, spec, certificate)
		}
		if rapid.SampledFrom([]int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}).Draw(t, "other") == 0 {
			s.Labels[label.Prefix+rapid.SampledFrom(nastyWords).Draw(t, "unknown")] = rapid.SampledFrom(nastyWords).Draw(t, "value")
		}
		services = append(services, s)
	}
	return services
}

func drawWholeOptions(t *rapid.T) routing.Options {
	o := routing.Options{Network: "proxy", Secrets: secrets(), HTTPSOnly: rapid.Bool().Draw(t, "https only"), HTTPSPort: rapid.SampledFrom([]int{0, 443, 8443}).Draw(t, "https port"),
		ClientCA: rapid.Bool().Draw(t, "authority"), EntryPorts: []int{80, 443}, TLSPorts: []int{443}, OwnPorts: []int{8080},
		Separator:       rapid.SampledFrom([]string{"", "", "", "|", "::"}).Draw(t, "separator"),
		DomainAlgo:      rapid.SampledFrom([]string{"", "", "hdr_dom(host)", "hdr_reg(host)"}).Draw(t, "domain algo"),
		CompressionAlgo: rapid.SampledFrom([][]string{nil, {"gzip"}}).Draw(t, "algo"), CompressionType: rapid.SampledFrom([][]string{nil, {"text/html"}}).Draw(t, "type"),
		AllowRaw: rapid.SampledFrom([]int{0, 1, 2, 3}).Draw(t, "raw") == 0, Templates: map[string]string{}}
	if rapid.SampledFrom([]int{0, 1, 2, 3}).Draw(t, "users") == 0 {
		o.Users = []routing.User{{Name: "a", Password: `it's "#`}}
	}
	for _, file := range []string{"/t/be", "/t/fe"} {
		o.Templates[file] = "http-request set-header X-User {{.UserDef}}\n{{range .ServiceDest}}acl p_{{.Port}} path_beg {{range .ServicePath}} {{.}}{{end}}{{end}}"
	}
	return o
}

// countLabels counts the labels of services, and how many kinds they are of.
func countLabels(services []routing.Service, all map[string]int) (n int) {
	for _, s := range services {
		for _, key := range slices.Sorted(maps.Keys(s.Labels)) {
			name, _, _ := strings.Cut(strings.TrimPrefix(key, label.Prefix), ".")
			all[name]++
			n++
		}
	}
	return n
}
