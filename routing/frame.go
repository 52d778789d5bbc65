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
	// Numbers are the backends that maps call by their id, for HAProxy finds a number sooner than a name; nil where a line
	// asks which backend was found, which it does by name.
	Numbers map[string]int
}

func newFrame(t Table, s Settings, terminates bool) frame {
	f := frame{From: clientSource(t, s)}
	f.Ends = len(rawFrontend(t.Backends)) == 0 && !(terminates && len(exchanges(t)) > 0)
	chooses := slices.ContainsFunc(s.Extra.Frontend, func(text string) bool { return strings.Contains(text, "txn.be") })
	f.Early = !f.Ends || chooses || len(s.TrustedProxies) > 0
	if f.Ends && !namesAsked(t, s) {
		f.Numbers = numbers(t.Backends)
	}
	return f
}

// namesAsked tells whether a line of the operator's or of a label may ask for the name of what was found, or has ids of its own.
func namesAsked(t Table, s Settings) bool {
	own := append(slices.Clone(s.Extra.Frontend), s.Log.HTTPFormat)
	for _, b := range t.Backends {
		for _, l := range slices.Concat(b.Raw.Backend, b.Raw.Template) {
			own = append(own, l.text)
		}
	}
	return slices.ContainsFunc(own, func(text string) bool {
		words := strings.Fields(text)
		return strings.Contains(text, "txn.be") || len(words) > 0 && words[0] == "id"
	})
}

// numbers gives backends an id, in their order, so that equal tables have equal ones. They change with the shape alone: what
// runs and what is told to it at runtime mean the same backends.
func numbers(backends []Backend) map[string]int {
	ids := map[string]int{}
	for i, b := range backends {
		if b.Mode == "" {
			ids[b.Name] = firstID + i
		}
	}
	return ids
}

// ByNumber tells whether maps call backends by number.
func (f frame) ByNumber() bool { return f.Numbers != nil }

// firstID is above the numbers that HAProxy gives to what has none.
const firstID = 1000

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
