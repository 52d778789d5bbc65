package routing

import (
	"crypto/sha256"
	"encoding/hex"
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

// Fingerprint tells whether two backends would be written the same way, whatever their servers are. What HAProxy
// refused once is known by it until a label changes.
func (b Backend) Fingerprint() string {
	var text strings.Builder
	if err := templates.ExecuteTemplate(&text, "backend", b); err != nil {
		return b.Name // Render reports the error
	}
	sum := sha256.Sum256([]byte(text.String()))
	return hex.EncodeToString(sum[:8])
}

// Filter gives the table without the backends that keep refuses, and without the routes to them.
func (t Table) Filter(keep func(Backend) bool) Table {
	var kept Table
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
	return kept
}

// WithoutServers gives the table without the servers for which closed answers a reason. A backend that loses all of
// them says so in its note.
func (t Table) WithoutServers(closed func(Server) error) Table {
	kept := Table{Routes: t.Routes, Backends: make([]Backend, len(t.Backends))}
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
