package routing

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// maxConditionWords and maxCondition keep a line below the words that HAProxy takes: the one counts them in the label, the
// other in haproxy.cfg, where an expression may have three more and four words stand in front of the condition.
const (
	maxConditionWords = 40
	maxCondition      = maxWords - 4
)

// namedConditions are those of HAProxy's own that labels may use.
var namedConditions = map[string]side{
	"TRUE": onBoth, "FALSE": onBoth, "LOCALHOST": onBoth,
	"METH_CONNECT": onRequest, "METH_DELETE": onRequest, "METH_GET": onRequest, "METH_HEAD": onRequest, "METH_OPTIONS": onRequest,
	"METH_POST": onRequest, "METH_PUT": onRequest, "METH_TRACE": onRequest,
}

// condition checks `if|unless term…`, where a term is a named condition or `{ expression [-i] [-m how] value… }`, each
// with `!` in front when it must not hold, and gives it in the form in which it may stand in haproxy.cfg. Regular
// expressions and files of patterns are left out: the one may be refused by HAProxy, the other reads the proxy's files.
func condition(words []word, side side) (string, error) {
	if words[0].quoted || words[0].text != "if" && words[0].text != "unless" {
		return "", fmt.Errorf("has %q behind the value, which is neither if nor unless (a value with blanks is written in quotes)", words[0].text)
	}
	if len(words) > maxConditionWords {
		return "", fmt.Errorf("has a condition of %d words, more than %d", len(words), maxConditionWords)
	}
	braces := 0
	for _, w := range words {
		if !w.quoted && strings.TrimPrefix(w.text, "!") == "{" {
			braces++
		}
	}
	if n := len(words) + 3*braces; n > maxCondition {
		return "", fmt.Errorf("has a condition of %d words with what HAProxy needs beside them, more than %d", n, maxCondition)
	}
	out, terms := []string{words[0].text}, 0
	for rest := words[1:]; len(rest) > 0; {
		first := rest[0].text
		bare := strings.TrimPrefix(first, "!")
		switch {
		case rest[0].quoted:
			return "", fmt.Errorf("has %q in the place of a condition", first)
		case first == "or" || first == "||":
			if terms == 0 {
				return "", fmt.Errorf("has %s with nothing in front of it", first)
			}
			out, rest, terms = append(out, "||"), rest[1:], 0
		case namedConditions[bare]&side != 0:
			out, rest, terms = append(out, first), rest[1:], terms+1
		case bare == "{":
			end := slices.Index(rest, word{text: "}"})
			if end < 0 {
				return "", fmt.Errorf("has { without }")
			}
			inner, err := anonymousCondition(rest[1:end], side)
			if err != nil {
				return "", err
			}
			out, rest, terms = append(out, first, inner, "}"), rest[end+1:], terms+1
		default:
			return "", fmt.Errorf("has the condition %q, which labels cannot use here (write { … })", first)
		}
	}
	if terms == 0 {
		return "", fmt.Errorf("has a condition without an end")
	}
	return strings.Join(out, " "), nil
}

// matchers are the ways to compare text.
var matchers = []string{"str", "beg", "end", "sub", "dir", "dom", "found"}

// suffixForm takes path_beg or hdr_end(host) apart, which HAProxy reads as `path -m beg` and `hdr(host) -m end`.
var suffixForm = regexp.MustCompile(`^([a-z_.]+)_(beg|end|sub|dir|dom)(\(.*\))?$`)

func anonymousCondition(words []word, side side) (string, error) {
	if len(words) == 0 {
		return "", fmt.Errorf("has an empty condition")
	}
	source, how := words[0].text, ""
	if m := suffixForm.FindStringSubmatch(source); m != nil {
		source, how = m[1]+m[3], m[2]
	}
	checked, kind, err := expression(source, side)
	if err != nil {
		return "", err
	}
	out, values, folded := []string{checked}, words[1:], false
	for len(values) > 0 && !values[0].quoted && strings.HasPrefix(values[0].text, "-") {
		flag := values[0].text
		values = values[1:]
		if flag == "--" {
			break
		}
		switch {
		case flag == "-i":
			folded = true
		case flag == "-m" && len(values) > 0 && slices.Contains(matchers, values[0].text):
			how, values = values[0].text, values[1:]
		default:
			return "", fmt.Errorf("has the option %s in a condition, which labels cannot use so", flag)
		}
	}
	if how == "found" || kind == asTruth {
		if len(values) > 0 || how != "found" && how != "" {
			return "", fmt.Errorf("compares %s, which is only asked for", source)
		}
		if how == "found" {
			out = append(out, "-m found")
		} else if strings.HasPrefix(checked, "var(") { // a variable has no matcher of its own
			out = append(out, "-m bool")
		}
		return strings.Join(out, " "), nil
	}
	operands, err := comparison(kind, how, folded, values)
	if err != nil {
		return "", fmt.Errorf("compares %s %w", source, err)
	}
	return strings.Join(append(out, operands...), " "), nil
}

var (
	operatorForm = regexp.MustCompile(`^(eq|ge|gt|le|lt)$`)
	numberForm   = regexp.MustCompile(`^[0-9]{1,9}$`)
)

// comparison checks the values that a sample is compared with. The error reads after "compares X".
func comparison(kind kind, how string, folded bool, values []word) (out []string, err error) {
	if len(values) == 0 {
		return nil, fmt.Errorf("with nothing")
	}
	if kind != asText && (how != "" || folded) {
		return nil, fmt.Errorf("as text, which it is not")
	}
	switch kind {
	case asNumber:
		if len(values) == 2 && operatorForm.MatchString(values[0].text) {
			out, values = append(out, values[0].text), values[1:]
		}
		for _, v := range values {
			if !numberForm.MatchString(v.text) {
				return nil, fmt.Errorf("with %q, which is no number", v.text)
			}
			out = append(out, v.text)
		}
		return out, nil
	case asAddress:
		for _, v := range values {
			prefix, err := ParsePrefix(v.text)
			if err != nil {
				return nil, fmt.Errorf("with %q, which is no address", v.text)
			}
			out = append(out, prefix.String())
		}
		return out, nil
	}
	if how == "" {
		how = "str"
	}
	out = append(out, "-m "+how)
	if folded {
		out = append(out, "-i")
	}
	out = append(out, "--")
	for _, v := range values {
		if v.text == "" || v.text == "}" || !v.quoted && strings.ContainsAny(v.text, "{}") {
			return nil, fmt.Errorf("with %q, which cannot be (write braces in quotes, and with something else)", v.text)
		}
		out = append(out, quote(v.text))
	}
	return out, nil
}
