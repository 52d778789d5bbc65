package routing

import (
	"slices"
	"strings"
)

// Every request meets the lines of the frontend, so they are as few as the routes and the settings allow.

// frame says what the frontend's fixed lines must reckon with.
type frame struct {
	Early bool   // a request that is handed over is known by txn.be from the first line on, for others ask for it
	Ends  bool   // the lookup may end the work as soon as it has found a backend: nothing behind it must be reached
	From  string // the expression that X-Forwarded-For is made of
}

func newFrame(t Table, s Settings, terminates bool) frame {
	f := frame{From: clientSource(t, s)}
	f.Ends = len(rawFrontend(t.Backends)) == 0 && !(terminates && len(exchanges(t)) > 0)
	chooses := slices.ContainsFunc(s.Extra.Frontend, func(text string) bool { return strings.Contains(text, "txn.be") })
	f.Early = !f.Ends || chooses || len(s.TrustedProxies) > 0
	return f
}

// clientSource is the expression that X-Forwarded-For is made of: the connection's client, unless a line of the operator's
// changes that for single requests.
func clientSource(t Table, s Settings) string {
	lines := slices.Clone(s.Extra.Frontend)
	for _, l := range rawFrontend(t.Backends) {
		lines = append(lines, l.text)
	}
	if slices.ContainsFunc(lines, func(text string) bool { return strings.Contains(text, "set-src") }) {
		return "src"
	}
	return "var(sess.from)"
}

// UsesHTTPClient tells whether HAProxy may fetch something itself, over TLS: scripts of the operator's do.
func (s Settings) UsesHTTPClient() bool {
	return slices.ContainsFunc(s.Extra.Global, func(text string) bool {
		return strings.HasPrefix(text, "lua-") || strings.HasPrefix(text, "httpclient") || strings.HasPrefix(text, "ocsp") || strings.HasPrefix(text, "tune.ssl.ocsp")
	})
}

// chosen are the lines behind the lookup, which use what it found. A name that no backend has leads to the default backend,
// so the last line needs no condition.
func (f frame) chosen(t Table, terminates bool) (lines []line) {
	if terminates {
		lines = exchanges(t)
	}
	if !f.Early {
		lines = append(lines,
			line{text: "# An old worker still gets one request on each connection that was idle at the reload. It knows neither new routes nor"},
			line{text: "# the tasks of now, and HAProxy lets nobody tell it: it hands such requests to its successor."},
			line{text: "use_backend handover if { stopping } { srv_is_up(handover/successor) }"})
	}
	lines = append(lines, line{text: "use_backend %[var(txn.be)]"})
	if t.Default != "" {
		lines = append(lines, t.defaultLine)
	}
	return lines
}
