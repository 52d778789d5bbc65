package routing

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/label"
)

func TestParseItems(t *testing.T) {
	for _, row := range []struct {
		meaning, text string
		want          [][]word
	}{
		{"words and items", "a b,c  d", [][]word{{{"a", false}, {"b", false}}, {{"c", false}, {"d", false}}}},
		{"nothing between commas", " ,a, ,", [][]word{{{"a", false}}}},
		{"commas and blanks in quotes", `a "b, c" 'd, e'`, [][]word{{{"a", false}, {"b, c", true}, {"d, e", true}}}},
		{"quotes in quotes", `"it's" '"' "\""`, [][]word{{{"it's", true}, {`"`, true}, {`"`, true}}}},
		{"an empty word", `a ""`, [][]word{{{"a", false}, {"", true}}}},
		{"escapes", `a\ b\, \\`, [][]word{{{`a b,`, true}, {`\`, true}}}},
		{"commas in an expression", "a %[src,ipmask(24)],b", [][]word{{{"a", false}, {"%[src,ipmask(24)]", false}}, {{"b", false}}}},
		{"a percent sign that begins no expression", "%%[a,b]", [][]word{{{"%%[a", false}}, {{"b]", false}}}},
		{"commas in a condition", "a if { b,c d },e", [][]word{{{"a", false}, {"if", false}, {"{", false}, {"b,c", false}, {"d", false}, {"}", false}}, {{"e", false}}}},
	} {
		t.Run(row.meaning, func(t *testing.T) {
			got, err := parseItems(row.text, ",")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(row.want, got, cmp.AllowUnexported(word{})); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestHeaderLabelsThatAreRefused(t *testing.T) {
	for _, row := range []struct{ value, reason string }{
		{"", "is empty"},
		{",", "is empty"},
		{"X-A", "has no value for X-A"},
		{`X-A ""`, "has no value for X-A"},
		{"X:A a", `has a name that no header can have: "X:A"`},
		{`"X A" a`, `has a name that no header can have: "X A"`},
		{"Transfer-Encoding chunked", "changes Transfer-Encoding, on which the framing of messages rests"},
		{"X-A " + strings.Repeat("a", 4097), "has a value of 4097 bytes, more than 4096"},
		{`X-A "a`, "has a quote without an end"},
		{`X-A a\`, "ends in a backslash, which escapes nothing"},
		{`X-A a\nb`, `has the escape \n, which is not supported`},
		{"X-A %[src", "has %[ without ]"},
		{"X-A %[src port]", "has a blank inside %[ ]"},
		{"X-A %[env(PATH)]", "uses env(PATH), which labels cannot"},
		{"X-A %[lua.x]", "uses lua.x, which labels cannot"},
		{"X-A %[var(txn.be)]", "uses var(txn.be), which labels cannot"},
		{"X-A %[src(x)]", "uses src(x), which labels cannot"},
		{"X-A %[req.hdr(a,1)]", "uses req.hdr(a,1) with arguments that labels cannot use"},
		{"X-A %[src,map(/etc/passwd)]", "uses the converter map(/etc/passwd), which labels cannot"},
		{"X-A %[path,ipmask(24)]", "uses the converter ipmask(24) on what it does not take"},
		{"X-A %[path,field(x)]", "uses the converter field(x) with arguments that labels cannot use"},
		{"X-A %[status]", "uses status, which is not known before the answer comes"},
		{"X-A a b", `has "b" behind the value, which is neither if nor unless (a value with blanks is written in quotes)`},
		{`X-A a "if" TRUE`, `has "if" behind the value, which is neither if nor unless (a value with blanks is written in quotes)`},
		{"X-A a if", "has a condition without an end"},
		{"X-A a if TRUE or", "has a condition without an end"},
		{"X-A a if or TRUE", "has or with nothing in front of it"},
		{"X-A a if old_host", `has the condition "old_host", which labels cannot use here (write { … })`},
		{"X-A a if { }", "has an empty condition"},
		{"X-A a if { path /a", "has { without }"},
		{"X-A a if { path }", "compares path with nothing"},
		{"X-A a if { path -f /etc/passwd }", "has the option -f in a condition, which labels cannot use so"},
		{"X-A a if { path_reg . }", "uses path_reg, which labels cannot"},
		{"X-A a if { path -m reg . }", "has the option -m in a condition, which labels cannot use so"},
		{`X-A a if { path "}" }`, `compares path with "}", which cannot be (write braces in quotes, and with something else)`},
		{"X-A a if { ssl_fc 1 }", "compares ssl_fc, which is only asked for"},
		{"X-A a if { src a.test }", `compares src with "a.test", which is no address`},
		{"X-A a if { dst_port http }", `compares dst_port with "http", which is no number`},
		{"X-A a if" + strings.Repeat(" TRUE", 41), "has a condition of 42 words, more than 40"},
		{"X-A a if" + strings.Repeat(" { path a }", 9), "has a condition of 64 words with what HAProxy needs beside them, more than 59"},
		{"X-A a if" + strings.Repeat(" { ssl_fc }", 10), "has a condition of 61 words with what HAProxy needs beside them, more than 59"},
	} {
		if _, err := parseHeaders("setReqHeader", label.ClauseList{Text: row.value, Separator: ","}, onRequest); err == nil || err.Error() != row.reason {
			t.Errorf("%.60q is answered by %v, want %s", row.value, err, row.reason)
		}
	}
}

func TestLogFormat(t *testing.T) {
	for value, want := range map[string]string{
		"plain":            "plain",
		"%[src]":           "%[src]",
		"a%[hdr(host)]b":   "a%[req.hdr(host)]b",
		"100%":             "100%%",
		"100%%":            "100%%",
		"%%[src]":          "%%[src]",
		"%ci:%cp":          "%ci:%cp",
		"%cinema %{+Q}o %": "%%cinema %%{+Q}o %%",
	} {
		if got, err := logFormat(value, onRequest); err != nil || got != want {
			t.Errorf("%q becomes %q, %v, want %q", value, got, err, want)
		}
	}
}

var quotedText = regexp.MustCompile(`'[^']*'("'"'[^']*')*`)

func FuzzParseHeaders(f *testing.F) {
	for _, value := range []string{"X-A a", `X-A "a, b" if { path_beg /a } or !METH_GET,X-B %[src,ipmask(8)]`, `X-A \`, "X-A %[", "X-A a if { hdr(x) -m found }", `X-A "`, "X-A a if" + strings.Repeat(" { path a }", 9), "X-A a if { path '}' }"} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		for i, name := range slices.Concat(requestHeaderLabels, responseHeaderLabels) {
			separator := []string{",", "|", "::"}[i%3]
			rules, err := parseHeaders(name, label.ClauseList{Text: value, Separator: separator}, onRequest)
			if err == nil && len(rules) == 0 {
				t.Errorf("%q is read as no rule at all", value)
			}
			for _, rule := range rules {
				if rule.Name == "" || rule.Value == "" && rule.Action != "del-header" {
					t.Errorf("%q is read as %+v", value, rule)
				}
				if words := strings.Fields(quotedText.ReplaceAllString(rule.Condition, "Q")); len(words) > maxWords-4 {
					t.Errorf("%q becomes a condition of %d words", value, len(words))
				}
			}
		}
	})
}

// allSamples lists a header rule for each fetch, alone and with each converter that takes it.
func allSamples(side side) (items []string) {
	examples := map[*regexp.Regexp]string{noArgs: "", nameArg: "(x)", digitsArg: "(7)", placeArgs: "(1,.)", marksArg: "(.)", choiceArgs: "(a,b)", maskArg: "(24)"}
	for _, key := range slices.Sorted(maps.Keys(samples)) {
		s := samples[key]
		if s.sides&side == 0 {
			continue
		}
		call := strings.TrimSuffix(key, "(") + examples[s.args]
		items = append(items, "X-A %["+call+"]")
		for _, name := range slices.Sorted(maps.Keys(converters)) {
			if c := converters[name]; c.takes == asText || c.takes == s.kind {
				items = append(items, "X-A %["+call+","+name+examples[c.args]+"]")
			}
		}
		comparison := map[kind]string{asText: " -m beg x -- y", asNumber: " ge 7", asAddress: " 10.0.0.0/8 ::1", asTruth: ""}[s.kind]
		if s.kind == asText {
			comparison = " -m beg -i -- -x y"
		}
		items = append(items, "X-A a if { "+call+comparison+" } !{ "+call+" -m found }")
	}
	for _, name := range slices.Sorted(maps.Keys(namedConditions)) {
		if namedConditions[name]&side != 0 {
			items = append(items, "X-A a unless !"+name)
		}
	}
	return items
}

// AllSamples is for the tests that ask HAProxy.
func AllSamples() (request, response []string) { return allSamples(onRequest), allSamples(onResponse) }
