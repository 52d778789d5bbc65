package routing

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// Statistics is HAProxy's page of statistics. The zero value is none.
type Statistics struct {
	On             bool
	URI            string
	User, Password string // "" for a page without a password
	Port           int    // of its own; 0 puts the page on the http entries
}

// Credentials are what `stats auth` takes.
func (s Statistics) Credentials() string { return s.User + ":" + s.Password }

// RequestLog writes a line for each request to HAProxy's standard output. The zero value writes none.
type RequestLog struct {
	On                    bool
	ErrorsOnly            bool
	HTTPFormat, TCPFormat string // HAProxy's log-format; "" for its usual lines
}

// Probe is a frontend with the format for tcp connections, which no service may use yet, for HAProxy to judge. It is "" where
// there is nothing to judge.
func (l RequestLog) Probe() string {
	if !l.On || l.TCPFormat == "" {
		return ""
	}
	return "\nfrontend probe\n    mode tcp\n    bind abns@sluice-probe\n    log-format " + quote(l.TCPFormat) + " # DEBUG_TCP_FORMAT\n"
}

// Capture puts a request header into the log, cut to a length in bytes.
type Capture struct {
	Name   string
	Length int
}

// ParseCaptures reads `Host:15,X-Forwarded-For:20`. Errors read after the setting's name.
func ParseCaptures(text string) (captures []Capture, err error) {
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		name, length, _ := strings.Cut(item, ":")
		n, err := strconv.Atoi(length)
		if !headerName.MatchString(name) || strings.ContainsAny(name, "#'") || err != nil || n < 1 || n > 1024 {
			return nil, fmt.Errorf("is not Name:length[,Name:length…] with lengths of 1 to 1024, got %q", item)
		}
		captures = append(captures, Capture{name, n})
	}
	return captures, nil
}

// Extra are lines that the operator adds to haproxy.cfg as they are.
type Extra struct{ Global, Frontend []string }

// ParseExtra reads lines with commas between them, as Docker Flow Proxy has it, or with line breaks where there are any:
// then a comma has no meaning.
func ParseExtra(text string) ([]string, error) {
	separator := ","
	if strings.ContainsAny(text, "\r\n") {
		separator, text = "\n", strings.ReplaceAll(text, "\r", "\n")
	}
	var lines []string
	for line := range strings.SplitSeq(text, separator) {
		if line = strings.TrimSpace(strings.ReplaceAll(line, "\t", " ")); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := checkRawLine(line, nil); err != nil {
			return nil, err
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// ParseLogFormat reads a log-format as haproxy.cfg would have it, one word in quotes or with escaped blanks, or as it is.
func ParseLogFormat(text string) (string, error) {
	text = strings.TrimSpace(text)
	if i := strings.IndexFunc(text, unicode.IsControl); i >= 0 {
		return "", fmt.Errorf("has a control character at byte %d, got %q", i, text)
	}
	if items, err := parseItems(text, "\x00"); err == nil && len(items) == 1 && len(items[0]) == 1 {
		return items[0][0].text, nil
	}
	return text, nil
}
