package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"sluice/internal/label"
)

func TestOnlyLoopbackOrTheTokenMayChangeSomething(t *testing.T) {
	for _, row := range []struct {
		who    string
		token  string // of the proxy
		from   string
		header string
		want   int
	}{
		{"a program beside the proxy", "", "127.0.0.1:1", "", 200},
		{"a program beside the proxy, by IPv6", "secret", "[::1]:1", "", 200},
		{"a program beside the proxy, IPv4 in IPv6", "", "[::ffff:127.0.0.1]:1", "", 200},
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
		{"a web page in a browser beside the proxy", "", "127.0.0.1:1", "Sec-Fetch-Site: cross-site", 403},
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
		guard{token: row.token}.changing(func(http.ResponseWriter, *http.Request) {})(w, r)
		if w.Code != row.want {
			t.Errorf("%s: got %d, want %d", row.who, w.Code, row.want)
		}
		if row.token != "" && strings.Contains(w.Body.String(), row.token) {
			t.Errorf("%s: the answer holds the token", row.who)
		}
	}
}

func TestNoPasswordLeavesTheProxy(t *testing.T) {
	config := withoutPasswords(`
userlist u
    user admin insecure-password geheim
    user joe password "$6$geheim$x"
    stats auth none:geheim
    user ann insecure-password 'a'"'"'geheim' # kept
    stats auth 'x:"it"'"'"'s geheim'
    user ben insecure-password "a \" geheim"
    http-request set-header Authorization "Basic geheim" if x
    http-request add-header authorization Basic\ geheim
    http-request del-header Authorization if kept`)
	if strings.Contains(config, "geheim") || !strings.Contains(config, "user admin insecure-password (hidden)") || !strings.Contains(config, "if kept") {
		t.Error(config)
	}
	problems := withoutSecrets([]label.Problem{
		{Label: "com.df.users.1", Value: "geheim"}, {Label: "com.df.USERS", Value: "geheim"}, {Label: "com.df.serviceCert", Value: "geheim"},
		{Label: "com.df.servicePath com.df.users", Value: "geheim"}, {Label: "com.df.addReqHeader", Value: "Authorization Basic geheim"}, {Label: "com.df.port", Value: "8o80"},
	})
	for _, p := range problems[:5] {
		if p.Value != hidden {
			t.Errorf("%s shows %s", p.Label, p.Value)
		}
	}
	if problems[5].Value != "8o80" {
		t.Errorf("what is no secret is hidden: %v", problems[5])
	}
}
