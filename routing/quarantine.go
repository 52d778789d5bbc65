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

// Blame finds the backend whose section HAProxy refused, by the line number in what `haproxy -c` wrote, and HAProxy's
// own words. ok is false when no line of a backend is named: then the fault is not a service's.
func Blame(c Config, output string) (backend, reason string, ok bool) {
	lines := strings.Split(c.Text, "\n")
	for _, match := range complaint.FindAllStringSubmatch(output, -1) {
		n, err := strconv.Atoi(match[1])
		if err != nil || n < 1 || n > len(lines) {
			continue
		}
		if name, ok := routeLine(lines[n-1]); ok {
			return name, match[2], true
		}
		for i := n - 1; i >= 0; i-- {
			if name, found := strings.CutPrefix(lines[i], "backend "); found {
				name, _, _ = strings.Cut(name, " ")
				return name, match[2], true
			}
			if lines[i] != "" && lines[i][0] != ' ' { // another section
				break
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
	kept := Table{Default: t.Default, defaultLine: t.defaultLine}
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
