package daemon

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestOnlyLoopbackOrTheTokenMayChangeSomething(t *testing.T) {
	for _, row := range []struct {
		who    string
		token  string // that is set
		from   string
		header string
		want   int
	}{
		{"a program beside it", "", "127.0.0.1:1", "", 200},
		{"a program beside it, by IPv6", "secret", "[::1]:1", "", 200},
		{"a program beside it, IPv4 in IPv6", "", "[::ffff:127.0.0.1]:1", "", 200},
		{"somebody else, no token set", "", "10.0.0.9:1", "", 403},
		{"somebody else, an empty token where none is set", "", "10.0.0.9:1", "Authorization: Bearer ", 403},
		{"somebody else without the token", "secret", "10.0.0.9:1", "", 401},
		{"the token", "secret", "10.0.0.9:1", "Authorization: Bearer secret", 200},
		{"the token, lower case scheme", "secret", "10.0.0.9:1", "Authorization: bearer secret", 200},
		{"the token in DFP's manner", "secret", "10.0.0.9:1", "X-Api-Token: secret", 200},
		{"a wrong token", "secret", "10.0.0.9:1", "X-Api-Token: secret2", 401},
		{"the token as basic auth", "secret", "10.0.0.9:1", "Authorization: Basic secret", 401},
		{"somebody whom HAProxy passed on", "", "127.0.0.1:1", "X-Forwarded-For: 1.2.3.4", 403},
		{"somebody whom another proxy passed on", "", "127.0.0.1:1", "Forwarded: for=1.2.3.4", 403},
		{"a web page in a browser beside it", "", "127.0.0.1:1", "Sec-Fetch-Site: cross-site", 403},
		{"a rebound name in a browser", "", "127.0.0.1:1", "Sec-Fetch-Site: same-origin", 403},
		{"the address bar of a browser", "", "127.0.0.1:1", "Sec-Fetch-Site: none", 200},
		{"no address", "", "@", "", 403},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = row.from
		if name, value, ok := strings.Cut(row.header, ": "); ok {
			r.Header.Set(name, value)
		}
		w := httptest.NewRecorder()
		Guard{Token: row.token}.Changing(func(http.ResponseWriter, *http.Request) {})(w, r)
		if w.Code != row.want {
			t.Errorf("%s: got %d, want %d", row.who, w.Code, row.want)
		}
		if row.token != "" && strings.Contains(w.Body.String(), row.token) {
			t.Errorf("%s: the answer holds the token", row.who)
		}
	}
}
