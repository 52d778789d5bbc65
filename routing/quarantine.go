package routing

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// complaint finds the line that HAProxy complains about: "[ALERT] (123) : config : parsing [/x/haproxy.cfg:57] : …".
var complaint = regexp.MustCompile(`\[[^\[\]]*haproxy\.cfg:(\d+)\]\s*:?\s*(.*)`)

// alerts leaves out warnings and notices, which are no reason to refuse and may be about anybody.
func alerts(output string) string {
	var kept strings.Builder
	alert := true
	for line := range strings.Lines(output) {
		if strings.HasPrefix(line, "[") { // others continue the one before
			alert = strings.HasPrefix(line, "[ALERT]")
		}
		if alert {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// anonymous finds the section in a complaint without a line, about what HAProxy looks up when it has read everything:
// "[ALERT] (123) : config : Proxy 'web-be80_0': unable to find table 'x' …".
var anonymous = regexp.MustCompile(`\[ALERT\].*?(?:[Pp]roxy|backend) '([^']+)'\s*:?,?\s*(.*)`)

// Blame finds the backend that HAProxy refused, by the line number in what `haproxy -c` wrote or by the name of the
// section, and HAProxy's own words. Lines of frontends are blamed on the backend that they are of, those of a userlist on
// the first backend that uses it. ok is false when no backend is named: then the fault is not a service's, or nobody can
// tell whose.
func Blame(c Config, output string) (backend, reason string, ok bool) {
	lines, output := strings.Split(c.Text, "\n"), alerts(output)
	for _, match := range complaint.FindAllStringSubmatch(output, -1) {
		n, err := strconv.Atoi(match[1])
		if err != nil || n < 1 || n > len(lines) {
			continue
		}
		if name, ok := ownerOf(lines, n-1); ok {
			return name, match[2], true
		}
	}
	for _, match := range anonymous.FindAllStringSubmatch(output, -1) {
		if _, known := c.Servers[match[1]]; known {
			return match[1], match[2], true
		}
	}
	return "", "", false
}

// settingComment ends the lines that a setting asked for.
var settingComment = regexp.MustCompile(` # ([A-Z][A-Z_]+(?: [A-Z][A-Z_]+)*)$`)

// BlameSetting finds the settings whose line HAProxy refused, the line, and HAProxy's own words.
func BlameSetting(c Config, output string) (names, line, reason string, ok bool) {
	lines, output := strings.Split(c.Text, "\n"), alerts(output)
	for _, match := range complaint.FindAllStringSubmatch(output, -1) {
		if n, err := strconv.Atoi(match[1]); err == nil && n >= 1 && n <= len(lines) {
			if found := settingComment.FindStringSubmatchIndex(lines[n-1]); found != nil {
				return lines[n-1][found[2]:found[3]], strings.TrimSpace(lines[n-1][:found[0]]), match[2], true
			}
		}
	}
	return "", "", "", false
}

// ownerOf finds the backend that the line with this index belongs to.
func ownerOf(lines []string, at int) (backend string, ok bool) {
	section := at
	for section >= 0 && (lines[section] == "" || lines[section][0] == ' ') {
		section--
	}
	if section < 0 {
		return "", false
	}
	kind, name, _ := strings.Cut(lines[section], " ")
	name, _, _ = strings.Cut(name, " ")
	switch kind {
	case "backend":
		return name, true
	case "userlist":
		return userlistOwner(lines, name)
	}
	if name, ok := rawOwner(lines, at); ok {
		return name, true
	}
	if name, ok := routeLine(lines[at]); ok {
		return name, true
	}
	return listenerOwner(lines, section)
}

// userlistOwner finds the first backend that asks for passwords by a list. That of USERS is nobody's.
func userlistOwner(lines []string, list string) (backend string, ok bool) {
	for _, line := range lines {
		if name, found := strings.CutPrefix(line, "backend "); found {
			backend, _, _ = strings.Cut(name, " ")
		}
		if list != globalUsers && strings.Contains(line, " unless { http_auth("+list+") } ") {
			return backend, true
		}
	}
	return "", false
}

// listenerOwner finds the backend to which a frontend of reqMode=tcp leads; one of sni leads to many.
func listenerOwner(lines []string, section int) (backend string, ok bool) {
	if !strings.HasPrefix(lines[section], "frontend tcp_") {
		return "", false
	}
	for _, line := range lines[section+1:] {
		if rest, ok := strings.CutPrefix(line, "    default_backend "); ok {
			backend, _, _ = strings.Cut(rest, " ")
			return backend, true
		}
		if line != "" && line[0] != ' ' {
			break
		}
	}
	return "", false
}

// certificateComplaints find the certificate that HAProxy complains about.
var certificateComplaints = []*regexp.Regexp{
	regexp.MustCompile(`line (\d+) in file '[^']*` + regexp.QuoteMeta(certificateList) + `'`),
	regexp.MustCompile(`'([^']*)'`),
}

// BlameCertificate finds the certificate that HAProxy refused in what `haproxy -c` wrote, by its Name, and HAProxy's own
// words. ok is false when none is named.
func BlameCertificate(c Config, output string) (name, reason string, ok bool) {
	text := strings.Split(c.Text, "\n")
	for line := range strings.Lines(alerts(output)) {
		line = strings.TrimSpace(line)
		place := complaint.FindStringSubmatch(line)
		if place == nil {
			continue
		}
		// a label could make HAProxy quote the name of a file
		if n, err := strconv.Atoi(place[1]); err != nil || n < 1 || n > len(text) || !strings.HasPrefix(text[n-1], "    bind ") {
			continue
		}
		for _, form := range certificateComplaints {
			for _, match := range form.FindAllStringSubmatch(line, -1) {
				n, err := strconv.Atoi(match[1])
				for _, f := range c.Certificates {
					first := n
					n -= len(f.lines())
					named := strings.TrimSuffix(match[1], ".key")
					if err == nil && first >= 1 && n < 1 || named == f.File || strings.HasSuffix(named, "/"+f.File) {
						return f.Name, line, true
					}
				}
			}
		}
	}
	return "", "", false
}

// routeLine finds the backend that a line of the frontend chooses.
func routeLine(line string) (backend string, ok bool) {
	_, rest, ok := strings.Cut(line, "set-var(txn.be) str(")
	if !ok {
		return "", false
	}
	backend, _, ok = strings.Cut(rest, ")")
	return backend, ok
}

// Fingerprint tells whether a backend and the routes to it would be written the same way, whatever its servers are.
// What HAProxy refused once is known by it until a label changes.
func (t Table) Fingerprint(b Backend) string {
	var text strings.Builder
	if err := templates.ExecuteTemplate(&text, "backend", b); err != nil {
		return b.Name // Render reports the error
	}
	fmt.Fprintln(&text, b.Raw.Frontend, b.HTTP.Auth, b.HTTP.Servers, b.memberOptions(), b.TCP.Client, b.TCP.KeepAlive)
	for _, r := range t.AllRoutes() {
		if r.Backend == b.Name {
			fmt.Fprintf(&text, "%+v\n", r)
		}
	}
	sum := sha256.Sum256([]byte(text.String()))
	return hex.EncodeToString(sum[:8])
}

// Filter gives the table without the backends that keep refuses, and without the routes to them.
func (t Table) Filter(keep func(Backend) bool) Table {
	kept := Table{Default: t.Default, defaultLine: t.defaultLine, Certificates: t.Certificates}
	gone := map[string]bool{}
	for _, b := range t.Backends {
		if keep(b) {
			kept.Backends = append(kept.Backends, b)
		} else {
			gone[b.Name] = true
		}
	}
	for _, r := range t.Routes {
		if !gone[r.Backend] {
			kept.Routes = append(kept.Routes, r)
		}
	}
	if gone[kept.Default] {
		kept.Default = ""
	}
	kept.Listeners = withoutRoutes(t.Listeners, gone)
	return kept
}

// WithoutServers gives the table without the servers for which closed answers a reason. A backend that loses all of
// them says so in its note.
func (t Table) WithoutServers(closed func(Server) error) Table {
	kept := t
	kept.Backends = make([]Backend, len(t.Backends))
	for i, b := range t.Backends {
		var open []Server
		for _, s := range b.Servers {
			if err := closed(s); err == nil {
				open = append(open, s)
			} else if b.Note == "" {
				b.Note = "a task takes no connection yet: " + err.Error()
			}
		}
		b.Servers = open
		kept.Backends[i] = b
	}
	return kept
}
