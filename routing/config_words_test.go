package routing_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sluice/routing"
)

// configWords takes a line of haproxy.cfg apart as HAProxy does (parse_line of HAProxy 2.6), and gives the comment
// behind the words, without its mark. condition is the index of the first word behind an if or unless without quotes.
func configWords(text string) (words []string, condition int, comment string, err error) {
	var word strings.Builder
	begun, quoted, quote := false, false, byte(0)
	end := func() {
		if begun {
			words = append(words, word.String())
		}
		if !quoted && condition == 0 && (word.String() == "if" || word.String() == "unless") {
			condition = len(words)
		}
		word.Reset()
		begun, quoted = false, false
	}
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quote == '\'' && c != '\'', quote == '"' && c != '"' && c != '\\' && c != '$':
			word.WriteByte(c)
		case quote != 0 && c == quote:
			quote = 0
		case c == '\'' || c == '"':
			quote, begun, quoted = c, true, true
		case c == '\\' || c == '$':
			return nil, 0, "", fmt.Errorf("has %q outside single quotes", c)
		case c == ' ':
			end()
		case c == '#':
			end()
			return words, condition, strings.TrimSpace(text[i+1:]), nil
		case c < ' ' || c == 0x7f:
			return nil, 0, "", fmt.Errorf("has the control character %q", c)
		default:
			word.WriteByte(c)
			begun = true
		}
	}
	end()
	if quote != 0 {
		return nil, 0, "", fmt.Errorf("has a quote without an end")
	}
	return words, condition, "", nil
}

// checkBraces tells what an anonymous condition says that its author did not mean: values are compared with its end and
// with HAProxy's flags after the quotes are gone.
func checkBraces(words []string) error {
	inside, values := false, false
	for i, w := range words {
		switch {
		case !inside && (w == "{" || w == "!{"):
			inside, values = true, false
		case !inside && w == "}":
			return fmt.Errorf("has } outside a condition")
		case inside && w == "}":
			inside = false
		case inside && w == "":
			return fmt.Errorf("has %q inside a condition", w)
		case inside && w == "--":
			values = true
		case inside && !values && strings.HasPrefix(w, "-") && w != "-i" && w != "-m":
			return fmt.Errorf("has the flag %q", w)
		case inside && !values && i > 0 && words[i-1] != "-m" && words[i-1] != "-i" && strings.HasPrefix(words[i-1], "-"):
			return fmt.Errorf("has a value behind the flag %q", words[i-1])
		}
	}
	if inside {
		return fmt.Errorf("has a condition without an end")
	}
	return nil
}

// logFormats are the directives whose words are log-formats, and what those may say.
var (
	logFormats  = regexp.MustCompile(`^(http-request (redirect|return|set-header|add-header)|http-response (set-header|add-header)|http-check send) `)
	fromRequest = regexp.MustCompile(`^(src|dst|src_port|dst_port|ssl_[a-z_]+|fc_http_major|hostname|fe_name|be_name|date|rand|uuid|method|status|srv_name|path|pathq|query|url|base|url_param|re[qs]\.[a-z]+|var\(txn\.(tls|client|origin)[,)]|var\(sess\.from\))`)
	ownFormat   = regexp.MustCompile(`%\[(pathq\]|req\.hdr\(host\),regsub\()`)
)

// checkLogFormat tells a log-format that says what no label may: redirects and checks have the proxy's own expressions
// alone, all others read the message.
func checkLogFormat(words []string) error {
	directive := strings.Join(words[:min(2, len(words))], " ")
	if !logFormats.MatchString(directive + " ") {
		return nil
	}
	own := directive == "http-request redirect" || directive == "http-check send"
	for i, word := range words {
		if directive == "http-check send" && words[i-min(i, 1)] == "uri" {
			continue // is no log-format: that is uri-lf
		}
		word = strings.ReplaceAll(word, "%%", "")
		if own && strings.Contains(ownFormat.ReplaceAllString(word, ""), "%") {
			return fmt.Errorf("has the log-format %q", word)
		}
		for _, expression := range strings.Split(word, "%[")[1:] {
			if !fromRequest.MatchString(expression) {
				return fmt.Errorf("has the expression %q", expression)
			}
		}
	}
	return nil
}

// askers are the labels and settings that may ask for a directive.
var askers = map[string]string{
	"backend": "port httpsPort aclName", "id": "port httpsPort aclName", "userlist": "users usersSecret USERS", "user": "users usersSecret USERS", "acl": "allowFrom denyFrom redirectFromDomain corsAllowOrigin",
	"balance": "loadBalance balanceGroup", "hash-type": "loadBalance balanceGroup", "cookie": "sessionType", "dynamic-cookie-key": "sessionType",
	"timeout server": "timeoutServer", "timeout tunnel": "timeoutTunnel timeoutClient timeoutServer", "timeout client": "timeoutClient", "retries": "retries", "retry-on": "retryOn",
	"option httpchk": "checkPath", "option clitcpka": "clitcpka", "http-check send": "checkPath", "http-check expect": "checkPath",
	"option http-keep-alive": "connectionMode", "option http-server-close": "connectionMode", "option httpclose": "connectionMode",
	"compression algo": "compressionAlgo COMPRESSION_ALGO", "compression type": "compressionType COMPRESSION_TYPE", "stick-table type": "rateLimit",
	"http-request deny":       "allowFrom denyFrom rateLimit verifyClientSsl denyHttp allowedMethods deniedMethods",
	"http-request track-sc0":  "rateLimit",
	"http-request redirect":   "redirectFromDomain httpsOnly redirectWhenHttpProto redirectUnlessHttpsProto HTTPS_ONLY",
	"http-request return":     "corsAllowOrigin",
	"http-request auth":       "users usersSecret USERS",
	"http-request del-header": "delReqHeader users usersSecret USERS", "http-request set-header": "setReqHeader setHeader setHost", "http-request add-header": "addReqHeader addHeader",
	"http-response set-header": "setResHeader hsts corsAllowOrigin", "http-response add-header": "addResHeader corsAllowOrigin", "http-response del-header": "delResHeader",
	"http-request set-path": "reqPathSearch reqPathSearchReplace", "http-request set-var(txn.origin)": "corsAllowOrigin",
	"http-request set-var(txn.be)": "servicePath serviceDomain redirectFromDomain port httpsPort",
	"default_backend":              "isDefaultBackend reqMode srcPort", "tcp-request content": "serviceDomain servicePath allowFrom denyFrom", "bind": "srcPort", "mode": "reqMode",
	"server": "weight maxConn sslVerifyNone checkTcp checkPath checkInterval",
}

// rawLabelNames are those whose lines are whatever they are.
var rawLabelNames = []string{"backendExtra", "templateBePath", "templateFePath"}

// auditor says of the lines of a configuration whether somebody asked for them.
type auditor struct {
	services map[string]routing.Service
	frame    map[string]bool // the lines of a configuration without services
	used     map[string]int  // label -> lines that it asked for
}

// audit gives what is wrong with a line; "" is nothing.
func (a auditor) audit(line string) string {
	if line == "" || a.frame[line] || strings.HasPrefix(line, "    # ") || strings.HasPrefix(line, "# ") {
		return ""
	}
	words, condition, comment, err := configWords(strings.TrimPrefix(line, "    "))
	if a.isRaw(line) {
		return ""
	}
	switch {
	case err != nil:
		return err.Error()
	case len(words) > 63: // and the comment
		return fmt.Sprintf("has %d words", len(words))
	}
	if err := checkLogFormat(words); err != nil {
		return err.Error()
	}
	if condition > 0 {
		if err := checkBraces(words[condition:]); err != nil {
			return err.Error()
		}
	}
	indented := strings.HasPrefix(line, "    ")
	if section := words[0] == "backend" || words[0] == "userlist" || words[0] == "frontend"; section == indented {
		return "is a section, or none, that nobody asked for"
	}
	if comment == "" {
		return a.auditFrame(line, words)
	}
	directive := words[0]
	if _, known := askers[directive]; !known && len(words) > 1 {
		directive += " " + words[1]
	}
	if strings.HasPrefix(comment, "DEBUG") && slices.Contains([]string{"log global", "option tcplog", "option dontlog-normal"}, strings.Join(words, " ")) {
		return "" // of every listener
	}
	asked := false
	for _, one := range strings.Split(comment, " # ") {
		names, reason := a.labels(one)
		if reason != "" {
			return reason
		}
		for _, name := range names {
			asked = asked || slices.Contains(strings.Fields(askers[directive]), name)
			a.used[name]++
		}
	}
	if !asked {
		return "is asked for by labels that do not ask for " + directive
	}
	return ""
}

// labels reads `service com.df.label.1 com.df.other SETTING`.
func (a auditor) labels(origin string) (names []string, reason string) {
	words := strings.Fields(origin)
	service, known := a.services[words[0]]
	if !known || len(words) < 2 {
		return nil, "is of no service, or of no label: " + origin
	}
	for _, key := range words[1:] {
		name, ours := strings.CutPrefix(key, "com.df.")
		if _, has := service.Labels[key]; ours && !has {
			return nil, fmt.Sprintf("is of a label that %s does not have: %s", words[0], key)
		}
		name, _, _ = strings.Cut(name, ".")
		if ours != strings.ContainsFunc(name, func(r rune) bool { return r >= 'a' && r <= 'z' }) {
			return nil, "is of something that is neither a label nor a setting: " + key
		}
		names = append(names, name)
	}
	return names, ""
}

func (a auditor) isRaw(line string) bool {
	for _, name := range rawLabelNames {
		if at := strings.LastIndex(line, " # "); at >= 0 && strings.Contains(line[at:], "com.df."+name) {
			names, reason := a.labels(line[at+3:])
			return reason == "" && len(names) == 1
		}
	}
	return false
}

// auditFrame judges lines that have no origin because they are the same whoever asks.
func (a auditor) auditFrame(line string, words []string) string {
	text := strings.Join(words, " ")
	for _, form := range []string{"http-request set-var(txn.be) ", "http-request set-var(txn.path) path,concat(/?)", "http-request set-var(txn.host) ", "http-request unset-var(txn.be) if ",
		"http-request allow if { var(txn.be) -m found }", "http-request allow if { base,concat(/?),map_beg(routes.map),set-var(txn.be) -m found }",
		"http-request allow if { path,concat(/?),map_beg(", "http-request allow if { var(txn.host),", "http-request allow if { var(txn.path),map_beg(", "http-request allow if { req.fhdr(host,1),host_only,lower,rtrim(.),", "http-request allow if { dst",
		// some services make the frontend keep the handover's condition on these
		"http-request set-header X-Forwarded-For %[var(sess.from)]", "http-request set-header X-Forwarded-For %[src]", "http-request add-header X-Forwarded-For %[src] if trusted",
		"http-request set-header X-Forwarded-Proto http",
		"tcp-request content set-var(txn.be) var(txn.sni),", "tcp-request content set-var(txn.sni) ", "tcp-request content accept ", "tcp-request content reject ", "tcp-request inspect-delay ",
		"mode tcp", "no option idle-close-on-response", "use_backend %[var(txn.be)]", "default_backend https_", "server ", "frontend tcp_", "frontend sni_", "backend https_", "bind "} {
		if strings.HasPrefix(text, form) && !strings.ContainsAny(line, `'"`) {
			return ""
		}
	}
	return "is of nobody"
}
