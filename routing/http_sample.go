package routing

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// side tells which messages a rule sees.
type side int

const (
	onRequest side = 1 << iota
	onResponse
	onBoth = onRequest | onResponse
)

// kind is the type of a sample, as HAProxy's type checks need it.
type kind int

const (
	asText kind = iota
	asNumber
	asAddress
	asTruth
)

// The forms that the arguments of a fetch or converter can have, parentheses included.
var (
	noArgs     = regexp.MustCompile(`^$`)
	nameArg    = regexp.MustCompile(`^\([A-Za-z0-9_.-]{1,64}\)$`)
	digitsArg  = regexp.MustCompile(`^\([0-9]{1,4}\)$`)
	placeArgs  = regexp.MustCompile(`^\([1-9][0-9]{0,2},[A-Za-z0-9_.:;/|=-]\)$`)
	marksArg   = regexp.MustCompile(`^\([A-Za-z0-9_.:;/|=-]{1,16}\)$`)
	choiceArgs = regexp.MustCompile(`^\([A-Za-z0-9_.:;/|=-]{0,64},[A-Za-z0-9_.:;/|=-]{0,64}\)$`)
	maskArg    = regexp.MustCompile(`^\(([0-9]|[12][0-9]|3[0-2])\)$`)
)

// sample is a fetch that labels may use. What is not here could read files, the environment or other services' variables,
// cost too much, or is not known where the rule stands.
type sample struct {
	sides side
	kind  kind
	args  *regexp.Regexp
}

var samples = map[string]sample{
	"src": {onBoth, asAddress, noArgs}, "src_port": {onBoth, asNumber, noArgs}, "dst": {onBoth, asAddress, noArgs}, "dst_port": {onBoth, asNumber, noArgs},
	"ssl_fc": {onBoth, asTruth, noArgs}, "ssl_fc_sni": {onBoth, asText, noArgs}, "ssl_fc_protocol": {onBoth, asText, noArgs}, "ssl_fc_cipher": {onBoth, asText, noArgs},
	"ssl_c_used": {onBoth, asTruth, noArgs}, "ssl_c_verify": {onBoth, asNumber, noArgs}, "ssl_c_s_dn": {onBoth, asText, noArgs}, "ssl_c_s_dn(": {onBoth, asText, nameArg},
	"ssl_c_i_dn": {onBoth, asText, noArgs}, "ssl_c_i_dn(": {onBoth, asText, nameArg},
	"fc_http_major": {onBoth, asNumber, noArgs}, "hostname": {onBoth, asText, noArgs}, "fe_name": {onBoth, asText, noArgs}, "be_name": {onBoth, asText, noArgs},
	"date": {onBoth, asNumber, noArgs}, "rand(": {onBoth, asNumber, digitsArg}, "uuid": {onBoth, asText, noArgs},
	"method": {onRequest, asText, noArgs}, "req.ver": {onRequest, asText, noArgs},
	"path": {onRequest, asText, noArgs}, "pathq": {onRequest, asText, noArgs}, "query": {onRequest, asText, noArgs}, "url": {onRequest, asText, noArgs}, "base": {onRequest, asText, noArgs},
	"url_param(": {onRequest, asText, nameArg}, "req.hdr(": {onRequest, asText, nameArg}, "req.fhdr(": {onRequest, asText, nameArg}, "req.cook(": {onRequest, asText, nameArg},
	"status": {onResponse, asNumber, noArgs}, "srv_name": {onResponse, asText, noArgs},
	"res.hdr(": {onResponse, asText, nameArg}, "res.fhdr(": {onResponse, asText, nameArg}, "res.cook(": {onResponse, asText, nameArg},
}

// carried are samples that an old worker tells its successor of in its own way (haproxy.cfg.tmpl).
var carried = map[string]string{"ssl_fc": "var(txn.tls,0)", "ssl_c_used": "var(txn.client,0)"}

// converter changes a sample. Every kind can be read as text, so only other kinds restrict it.
type converter struct {
	takes, gives kind
	args         *regexp.Regexp
}

var converters = map[string]converter{
	"lower": {asText, asText, noArgs}, "upper": {asText, asText, noArgs}, "base64": {asText, asText, noArgs}, "url_dec": {asText, asText, noArgs}, "length": {asText, asNumber, noArgs},
	"host_only": {asText, asText, noArgs}, "port_only": {asText, asNumber, noArgs}, "field": {asText, asText, placeArgs}, "word": {asText, asText, placeArgs},
	"ltrim": {asText, asText, marksArg}, "rtrim": {asText, asText, marksArg}, "iif": {asTruth, asText, choiceArgs}, "ipmask": {asAddress, asAddress, maskArg}, "http_date": {asNumber, asText, noArgs},
}

// canonical names the fetch of a side that a shorter name stands for.
func canonical(fetch string, side side) string {
	prefix := "req."
	if side == onResponse {
		prefix = "res."
	}
	switch fetch {
	case "hdr(", "fhdr(", "cook(":
		return prefix + fetch
	case "urlp(":
		return "url_param("
	}
	return fetch
}

var callForm = regexp.MustCompile(`^([a-z][a-z0-9_.]*)(\([^()]*\))?$`)

// expression checks a sample expression, `fetch[(arguments)][,converter[(arguments)]…]`, and gives it in the form in which
// it may stand in haproxy.cfg, with its kind.
func expression(source string, side side) (string, kind, error) {
	parts := splitCalls(source)
	call := callForm.FindStringSubmatch(parts[0])
	if call == nil {
		return "", 0, fmt.Errorf("has an expression that cannot be read: %q", source)
	}
	key := call[1]
	if call[2] != "" {
		key += "("
	}
	key = canonical(key, side)
	s, known := samples[key]
	switch {
	case !known:
		return "", 0, fmt.Errorf("uses %s, which labels cannot", parts[0])
	case s.sides&side == 0 && side == onResponse:
		return "", 0, fmt.Errorf("uses %s, which is forgotten when the answer comes", parts[0])
	case s.sides&side == 0:
		return "", 0, fmt.Errorf("uses %s, which is not known before the answer comes", parts[0])
	case !s.args.MatchString(call[2]):
		return "", 0, fmt.Errorf("uses %s with arguments that labels cannot use", parts[0])
	}
	result, kind := cmp.Or(carried[key], strings.TrimSuffix(key, "(")+call[2]), s.kind
	for _, part := range parts[1:] {
		call := callForm.FindStringSubmatch(part)
		if call == nil {
			return "", 0, fmt.Errorf("has a converter that cannot be read: %q", part)
		}
		c, known := converters[call[1]]
		switch {
		case !known:
			return "", 0, fmt.Errorf("uses the converter %s, which labels cannot", part)
		case !c.args.MatchString(call[2]):
			return "", 0, fmt.Errorf("uses the converter %s with arguments that labels cannot use", part)
		case c.takes != asText && c.takes != kind:
			return "", 0, fmt.Errorf("uses the converter %s on what it does not take", part)
		}
		result, kind = result+","+part, c.gives
	}
	return result, kind, nil
}

// splitCalls cuts at the commas outside parentheses.
func splitCalls(source string) (parts []string) {
	depth, start := 0, 0
	for i, c := range source {
		switch {
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == ',' && depth == 0:
			parts = append(parts, source[start:i])
			start = i + 1
		}
	}
	return append(parts, source[start:])
}

// logVariables are the log-format variables that mean something in a header.
var logVariables = []string{"ci", "cp", "fi", "fp"}

var variableForm = regexp.MustCompile(`^[A-Za-z0-9]+`)

// logFormat checks the expressions of a value, `%[…]`, and gives it as HAProxy's log-format, in which a percent sign
// that begins nothing known stands for itself.
func logFormat(value string, side side) (string, error) {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(value, "%")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		value = after
		if inner, bracket := strings.CutPrefix(after, "["); bracket {
			source, rest, closed := strings.Cut(inner, "]")
			if !closed {
				return "", fmt.Errorf("has %%[ without ]")
			}
			canonical, _, err := expression(source, side)
			if err != nil {
				return "", err
			}
			b.WriteString("%[" + canonical + "]")
			value = rest
			continue
		}
		if variable := variableForm.FindString(after); slices.Contains(logVariables, variable) {
			b.WriteString("%" + variable)
			value = after[len(variable):]
			continue
		}
		b.WriteString("%%")
		value = strings.TrimPrefix(after, "%")
	}
}
