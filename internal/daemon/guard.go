package daemon

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/netip"
	"strings"
)

// Guard lets only those change something who bring the token or come from this network namespace's own loopback.
type Guard struct {
	Token  string                                                // "": loopback alone
	Refuse func(w http.ResponseWriter, code int, message string) // answers everybody else; nil: {"error": message}
}

// Changing wraps a handler that changes state.
func (g Guard) Changing(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch {
		case fromLoopback(r) || g.Knows(r):
			next(w, r)
		case g.Token == "":
			g.refuse(w, http.StatusForbidden, "only requests from loopback may change something, for API_TOKEN is not set")
		default:
			w.Header().Set("WWW-Authenticate", "Bearer")
			g.refuse(w, http.StatusUnauthorized, "the token is missing or wrong: Authorization: Bearer TOKEN, or X-Api-Token: TOKEN")
		}
	}
}

func (g Guard) refuse(w http.ResponseWriter, code int, message string) {
	if g.Refuse == nil {
		Answer(w, code, map[string]string{"error": message})
		return
	}
	g.Refuse(w, code, message)
}

// Knows tells whether a request brings the token.
func (g Guard) Knows(r *http.Request) bool {
	given := r.Header.Get("X-Api-Token")
	if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		given = strings.TrimSpace(token)
	}
	// Sums are of one length, so that the comparison tells nothing about that of the token.
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(g.Token))
	return g.Token != "" && subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// fromLoopback tells whether a program beside the command asks on its own behalf. What HAProxy or another proxy passes on
// comes from loopback too, and so does what a web page makes a browser ask for; their headers give them away.
func fromLoopback(r *http.Request) bool {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !from.Addr().Unmap().IsLoopback() {
		return false
	}
	site := r.Header.Get("Sec-Fetch-Site")
	return r.Header.Get("X-Forwarded-For") == "" && r.Header.Get("Forwarded") == "" && (site == "" || site == "none")
}
