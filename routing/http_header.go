package routing

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"sluice/internal/label"
)

// Headers says what is done to the headers of requests and answers.
type Headers struct {
	Host       string       // what tasks see as the host; "" what the client sent
	Request    []HeaderRule // in the order: delete, set, add
	Response   []HeaderRule
	HSTS       string   // the value; "" for none
	CORSAny    bool     // any origin may read answers
	CORSOrigin []string // these origins may
}

// HeaderRule is one change of a header.
type HeaderRule struct {
	Label     string // without prefix
	Action    string // as HAProxy calls it: add-header, set-header, del-header
	Name      string
	Value     string // a log-format string; "" for del-header
	Condition string // "if …", as it stands in haproxy.cfg; "" for always
}

// requestHeaderLabels and responseHeaderLabels are in the order in which they take effect.
var (
	requestHeaderLabels  = []string{"delReqHeader", "setReqHeader", "addReqHeader"}
	responseHeaderLabels = []string{"delResHeader", "setResHeader", "addResHeader"}
)

const valueDoc = " Values with blanks or commas are quoted; they may hold expressions of HAProxy such as `%[dst_port]`."

var headerLabels = []label.Spec{
	{Name: "addReqHeader", Kind: label.Clauses, Indexed: true, Aliases: []string{label.Prefix + "addHeader"}, Example: "X-Add one,X-Port %[dst_port]", Check: checkRequestHeaders,
		Doc: "`Name value [if condition]`, several with commas: headers added to requests." + valueDoc},
	{Name: "setReqHeader", Kind: label.Clauses, Indexed: true, Aliases: []string{label.Prefix + "setHeader"}, Example: "X-Client %[src] if { ssl_fc }", Check: checkRequestHeaders,
		Doc: "`Name value [if condition]`, several with commas: headers of requests that are replaced." + valueDoc},
	{Name: "delReqHeader", Kind: label.Clauses, Indexed: true, Example: "X-Debug,Cookie if { path_beg /static/ }", Check: checkDeletedRequestHeaders,
		Doc: "`Name [if condition]`, several with commas: headers that tasks do not see."},
	{Name: "addResHeader", Kind: label.Clauses, Indexed: true, Example: "X-R r1", Check: checkResponseHeaders,
		Doc: "`Name value [if condition]`, several with commas: headers added to answers." + valueDoc},
	{Name: "setResHeader", Kind: label.Clauses, Indexed: true, Example: `Strict-Transport-Security "max-age=16000000; includeSubDomains; preload;"`, Check: checkResponseHeaders,
		Doc: "`Name value [if condition]`, several with commas: headers of answers that are replaced." + valueDoc},
	{Name: "delResHeader", Kind: label.Clauses, Indexed: true, Example: "Server,X-Powered-By", Check: checkDeletedResponseHeaders,
		Doc: "`Name [if condition]`, several with commas: headers that clients do not see."},
	{Name: "setHost", Kind: label.Text, Indexed: true, Example: "internal.example.com", Check: checkHost,
		Doc: "Host that tasks see instead of the client's."},
	{Name: "hsts", Kind: label.Text, Indexed: true, Example: "max-age=31536000; includeSubDomains", Check: checkHSTS,
		Doc: "`Strict-Transport-Security` of answers over https: its value, or seconds, or `true` for a year."},
	{Name: "corsAllowOrigin", Kind: label.List, Indexed: true, Example: "https://www.example.com", Check: checkOrigins,
		Doc: "Origins whose pages may read the answers (`*`: all). The proxy answers their preflight requests and allows what they ask for."},
}

func (r *httpReader) headers() Headers {
	h := Headers{Host: r.g.Text("setHost")}
	for _, name := range requestHeaderLabels {
		rules, _ := parseHeaders(name, r.g.Clauses(name), onRequest) // checked when the label was read
		h.Request = append(h.Request, rules...)
	}
	for _, name := range responseHeaderLabels {
		rules, _ := parseHeaders(name, r.g.Clauses(name), onResponse)
		h.Response = append(h.Response, rules...)
	}
	if text := r.g.Text("hsts"); text != "" {
		h.HSTS, _ = parseHSTS(text)
	}
	h.CORSOrigin = r.g.List("corsAllowOrigin")
	if len(h.CORSOrigin) == 1 && h.CORSOrigin[0] == "*" {
		h.CORSAny, h.CORSOrigin = true, nil
	}
	return h
}

func checkRequestHeaders(value any) error {
	_, err := parseHeaders("setReqHeader", value.(label.ClauseList), onRequest)
	return err
}

func checkResponseHeaders(value any) error {
	_, err := parseHeaders("setResHeader", value.(label.ClauseList), onResponse)
	return err
}

func checkDeletedRequestHeaders(value any) error {
	_, err := parseHeaders("delReqHeader", value.(label.ClauseList), onRequest)
	return err
}

func checkDeletedResponseHeaders(value any) error {
	_, err := parseHeaders("delResHeader", value.(label.ClauseList), onResponse)
	return err
}

// maxHeader bounds a value in bytes: a message and what is added to it share a buffer of 16 kB, and HAProxy answers 500
// when that is not enough.
const maxHeader = 4096

var headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$") // RFC 9110 section 5.6.2

// parseHeaders reads a label of headers, by the name of which it knows what is to be done.
func parseHeaders(labelName string, list label.ClauseList, side side) ([]HeaderRule, error) {
	if list.Text == "" {
		return nil, fmt.Errorf("is empty")
	}
	items, err := parseItems(list.Text, list.Separator)
	if err != nil {
		return nil, err
	}
	action := labelName[:3] + "-header"
	var rules []HeaderRule
	for _, item := range items {
		rule := HeaderRule{Label: labelName, Action: action, Name: item[0].text}
		rest := item[1:]
		switch lower := strings.ToLower(rule.Name); {
		case !headerName.MatchString(rule.Name):
			return nil, fmt.Errorf("has a name that no header can have: %q", rule.Name)
		case lower == "content-length" || lower == "transfer-encoding":
			return nil, fmt.Errorf("changes %s, on which the framing of messages rests", rule.Name)
		}
		if action != "del-header" {
			if len(rest) == 0 || rest[0].text == "" {
				return nil, fmt.Errorf("has no value for %s", rule.Name)
			}
			if len(rest[0].text) > maxHeader {
				return nil, fmt.Errorf("has a value of %d bytes, more than %d", len(rest[0].text), maxHeader)
			}
			if rule.Value, err = logFormat(rest[0].text, side); err != nil {
				return nil, err
			}
			rest = rest[1:]
		}
		if len(rest) > 0 {
			if rule.Condition, err = condition(rest, side); err != nil {
				return nil, err
			}
		}
		rules = append(rules, rule)
	}
	return rules, nil
}

func checkHost(value any) error {
	host := value.(string)
	if name, port, found := strings.Cut(host, ":"); found && !strings.HasPrefix(host, "[") {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return fmt.Errorf("has no port behind the colon")
		}
		host = name
	}
	if addr, err := netip.ParseAddrPort(host); err == nil && addr.Addr().Zone() == "" {
		return nil
	}
	if strings.HasPrefix(host, "*") {
		return fmt.Errorf("is not a host")
	}
	return checkHosts([]string{host})
}

func checkHSTS(value any) error {
	_, err := parseHSTS(value.(string))
	return err
}

var hstsForm = regexp.MustCompile(`(?i)^max-age=\d{1,10}(; *(includeSubDomains|preload))*;?$`) // RFC 6797 section 6.1

func parseHSTS(text string) (string, error) {
	switch seconds, err := strconv.ParseUint(text, 10, 32); {
	case err == nil:
		return fmt.Sprintf("max-age=%d", seconds), nil
	case strings.EqualFold(text, "true"):
		return "max-age=31536000", nil
	case strings.EqualFold(text, "false"):
		return "", nil
	case hstsForm.MatchString(text):
		return text, nil
	}
	return "", fmt.Errorf("is neither true nor seconds nor a value such as max-age=31536000; includeSubDomains")
}

var originForm = regexp.MustCompile(`^[a-z][a-z0-9+.-]*://([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?$`) // RFC 6454 section 6.2

func checkOrigins(value any) error {
	origins := value.([]string)
	if len(origins) == 0 {
		return fmt.Errorf("names no origin")
	}
	for _, origin := range origins {
		if origin == "*" && len(origins) > 1 {
			return fmt.Errorf("has * beside other origins")
		}
		if origin != "*" && !originForm.MatchString(origin) {
			return fmt.Errorf("has an item that is no origin such as https://www.example.com: %q", origin)
		}
	}
	return nil
}
