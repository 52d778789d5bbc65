package conformance

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// derivedHTTPS are cases that one proxy with certificates and secrets can run; hosts that clients name in TLS are a.test
// and b.test. src names a free port of tcp, and another one.
func derivedHTTPS(p *proxy, src, other int) []testCase {
	elsewhere := fmt.Sprintf("https://b.test:%d/p", p.tls)
	return []testCase{
		{number: "httpsPort", services: []service{svc("h-port", "servicePath=/h-port", "port=@h-port-http", "httpsPort=@h-port-https")}, requests: []request{
			get("a.test/h-port", "h-port-http"), get("a.test/h-port", "h-port-https", secure)}},
		{number: "srcPort and srcHttpsPort", services: []service{svc("h-src", "servicePath=/h-src", "srcPort={P}", "port=@h-src-http", "srcHttpsPort={S}", "httpsPort=@h-src-https")}, requests: []request{
			get("a.test/h-src", "h-src-http"), get("a.test/h-src", "h-src-https", secure), get("a.test/h-src", "503", second)}},
		{number: "srcPort of TLS", services: []service{svc("h-tls", "servicePath=/h-tls", "srcPort={S}")}, requests: []request{get("a.test/h-tls", "h-tls", secure), get("a.test/h-tls", "503")}},
		{number: "denyHttp by index", services: []service{svc("h-deny", "servicePath.1=/h-deny/1", "denyHttp.1=true", "servicePath.2=/h-deny/2", "port=@h-deny")}, requests: []request{
			get("a.test/h-deny/1", "403"), get("a.test/h-deny/1", "h-deny", secure), get("a.test/h-deny/2", "h-deny")}},
		{number: "httpsOnly and everything behind it", services: []service{svc("h-only", "servicePath=/h-only", "httpsOnly=true", "users=a:b", "reqPathSearchReplace=^/h-only,")}, requests: []request{
			get("a.test/h-only", "302"), get("a.test/h-only", "401", secure), get("a.test/h-only", "h-only", secure, user("a:b"), sees("/"), gets("X-Forwarded-Proto", "https"))}},
		{number: "hsts", services: []service{svc("h-hsts", "servicePath.1=/h-hsts/1", "hsts.1=true", "servicePath.2=/h-hsts/2", "hsts.2=3600", "servicePath.3=/h-hsts/3", "hsts.3=max-age=5; includeSubDomains", "port=@h-hsts")}, requests: []request{
			get("a.test/h-hsts/1", "h-hsts", secure, answers("Strict-Transport-Security", "max-age=31536000")), get("a.test/h-hsts/2", "h-hsts", secure, answers("Strict-Transport-Security", "max-age=3600")),
			get("a.test/h-hsts/3", "h-hsts", secure, answers("Strict-Transport-Security", "max-age=5; includeSubDomains")), get("a.test/h-hsts/1", "h-hsts", answers("Strict-Transport-Security"))}},
		{number: "conditions on TLS", services: []service{svc("h-cond", "servicePath=/h-cond", "addReqHeader=X-Forwarded-Ssl on if { ssl_fc }", "setResHeader=X-Tls yes if { ssl_fc }")}, requests: []request{
			get("a.test/h-cond", "h-cond", secure, gets("X-Forwarded-Ssl", "on"), answers("X-Tls", "yes")), get("a.test/h-cond", "h-cond", gets("X-Forwarded-Ssl"), answers("X-Tls"))}},
		{number: "redirectFromDomain before users, with the scheme", services: []service{svc("h-from", "serviceDomain=b.test", "servicePath=/h-from", "redirectFromDomain=old.test", "users=a:b", "httpsOnly=true")}, requests: []request{
			get(fmt.Sprintf("old.test:%d/p", p.tls), "301", overTLS("a.test"), answers("Location", elsewhere)), get("old.test/p", "301", answers("Location", "http://b.test/p"))}},
		{number: "sslVerifyNone", services: []service{svc("h-verify", "servicePath.1=/h-verify/1", fmt.Sprintf("port.1=%d", src), "sslVerifyNone=true", "servicePath.2=/h-verify/2", "sslVerifyNone.2=false", fmt.Sprintf("port.2=%d", src))}, requests: []request{
			get("a.test/h-verify/1", "200"), get("a.test/h-verify/2", "400")}}, // a TLS server of Go answers plain requests so
		{number: "usersSecret on lines", services: []service{svc("h-lines", "servicePath=/h-lines", "usersSecret=lines"), svc("h-names", "servicePath=/h-names", "usersSecret=lines", "users=two")}, requests: []request{
			get("/h-lines", "401"), get("/h-lines", "h-lines", user("one:1")), get("/h-lines", "h-lines", user("two:2")), get("/h-names", "401", user("one:1")), get("/h-names", "h-names", user("two:2"))}},
		{number: "the page of statistics by secrets", services: nil, requests: []request{get("/admin?stats", "401"), get("/admin?stats;csv", "200", user("ann:s3cret"))}},
		{number: "sni beside decrypted names on one port", services: []service{svc("h-sni", "reqMode=sni", "srcPort={S}", "serviceDomain=sni.test,*.sni.test", fmt.Sprintf("port=%d", src)),
			svc("h-reg", "reqMode=sni", fmt.Sprintf("srcPort=%d", other), "pathType=req_ssl_sni -i -m reg", `servicePath=^(api\.)`, fmt.Sprintf("port=%d", src)),
			svc("h-end", "reqMode=sni", fmt.Sprintf("srcPort=%d", other), "pathType=req_ssl_sni -i -m end", "servicePath=.end.test", fmt.Sprintf("port=%d", src))}},
	}
}

// overTLS goes over the entry with TLS and names this host there.
func overTLS(name string) func(*request) {
	return func(r *request) { r.secure, r.name = true, name }
}

// TestDerivedHTTPS has one declaration for all its cases.
func TestDerivedHTTPS(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, "Conformance")
	files := map[string][]byte{"certs/0.test.pem": a.issue(t, "0.test").pem, "certs/a.test.pem": a.issue(t, "a.test").pem, "certs/b.test.pem": a.issue(t, "b.test", "*.b.test").pem,
		"secrets/cert_x": a.issue(t, "x.test").pem, "secrets/cert-y.pem": a.issue(t, "y.test").pem, "secrets/certz.pem": a.issue(t, "z.test").pem,
		"secrets/dfp_users_lines": []byte("one:1\ntwo:2\n"), "secrets/dfp_stats_user": []byte("ann\n"), "secrets/dfp_stats_pass": []byte("s3cret\n"), "secrets/dfp_preferred_certificate": []byte("b.*, y*")}
	p := startSecure(t, a, files)
	other := freePorts(t, 1)[0]
	cases := derivedHTTPS(p, serveTLS(t, "inside.test"), other)
	runTogether(t, p, cases)
	t.Run("derived: certificates", func(t *testing.T) {
		for name, want := range map[string]string{"a.test": "a.test", "b.test": "b.test", "c.b.test": "b.test", "x.test": "x.test", "y.test": "y.test", "z.test": "b.test", "": "b.test", "0.test": "0.test", "A.Test": "a.test"} {
			if got := p.served(t, name).Subject.CommonName; got != want {
				t.Errorf("who asks for %q gets the certificate of %s, want %s", name, got, want)
			}
		}
	})
	t.Run("derived: names of sni", func(t *testing.T) {
		for host, port := range map[string]int{"sni.test": p.tls, "a.sni.test": p.tls, "api.test": other, "x.end.test": other} {
			if got := visit(port, host); got != "inside.test inside.test" {
				t.Errorf("%s: got %q", host, got)
			}
		}
		for _, host := range []string{"end.test", "xapi.test", ""} {
			if got := visit(other, host); got != "closed" {
				t.Errorf("%q: got %q", host, got)
			}
		}
	})
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("derived: protocols are switched, TLS %t", secure), func(t *testing.T) { p.switches(t, secure) })
	}
	t.Run("derived: HTTP/2 and large bodies", p.takesLargeBodies)
	t.Run("derived: old TLS", func(t *testing.T) {
		conn, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", p.tls), &tls.Config{ServerName: "a.test", RootCAs: a.trust, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
		if err == nil {
			conn.Close()
			t.Error("TLS 1.1 is spoken")
		}
	})
}

// switches asks a service to speak another protocol and hears it say what it was told.
func (p *proxy) switches(t *testing.T, secure bool) {
	t.Helper()
	address := fmt.Sprintf("127.0.0.1:%d", p.entry)
	var conn net.Conn
	var err error
	if secure {
		conn, err = tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", p.tls), &tls.Config{ServerName: "a.test", RootCAs: p.authority.trust})
	} else {
		conn, err = net.Dial("tcp", address)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(conn, "GET /h-cond HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, nil)
	if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v %v", response, err)
	}
	if _, err := io.WriteString(conn, "hello\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := reader.ReadString('\n'); line != "hello\n" {
		t.Errorf("got %q, %v", line, err)
	}
}

// takesLargeBodies sends one with a length, one in chunks and one after 100 Continue, by both versions of HTTP.
func (p *proxy) takesLargeBodies(t *testing.T) {
	const size = 3 << 20
	for _, two := range []bool{false, true} {
		transport := &http.Transport{TLSClientConfig: &tls.Config{ServerName: "a.test", RootCAs: p.authority.trust}, ForceAttemptHTTP2: two, ExpectContinueTimeout: time.Minute}
		client := http.Client{Transport: transport, Timeout: time.Minute}
		defer transport.CloseIdleConnections()
		for form, body := range map[string]io.Reader{"length": bytes.NewReader(make([]byte, size)), "chunks": io.LimitReader(zeros{}, size), "expect": bytes.NewReader(make([]byte, size))} {
			request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, fmt.Sprintf("https://127.0.0.1:%d/h-cond", p.tls), body)
			if err != nil {
				t.Fatal(err)
			}
			request.Host = "a.test"
			if form == "expect" {
				request.Header.Set("Expect", "100-continue")
			}
			response, err := client.Do(request)
			if err != nil {
				t.Errorf("%s, HTTP/2 %t: %v", form, two, err)
				continue
			}
			var a answer
			err = json.NewDecoder(response.Body).Decode(&a)
			response.Body.Close()
			if err != nil || response.StatusCode != http.StatusOK || a.Length != size || two != (response.ProtoMajor == 2) {
				t.Errorf("%s, HTTP/2 %t: %s %s %d bytes %v", form, two, response.Proto, response.Status, a.Length, err)
			}
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestDerivedSettings are cases of one proxy that trusts its client and has users of its own.
func TestDerivedSettings(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "users")
	if err := os.WriteFile(secret, []byte("g:gp,h:hp\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, "TRUSTED_PROXIES=127.0.0.1/32,192.0.2.0/24", "USERS_FILE="+secret, "FILTER_PROXY_INSTANCE_NAME=false", "DFP_SERVICE_1_SERVICE_NAME=env-1", "DFP_SERVICE_1_SERVICE_PATH=/env-1", fmt.Sprintf("DFP_SERVICE_1_PORT=%d", serve(t, "env-1")),
		"DFP_SERVICE_1_OUTBOUND_HOSTNAME=127.0.0.1", "DFP_SERVICE_1_REQ_PATH_SEARCH_REPLACE=^/env-1,/seen", "DFP_SERVICE_1_IGNORE_AUTHORIZATION=true", "DFP_SERVICE_1_SET_RES_HEADER=X-Env one", "DFP_SERVICE_1_ALLOWED_METHODS=GET",
		"DFP_SERVICE_3_SERVICE_NAME=env-3", "DFP_SERVICE_3_SERVICE_DOMAIN=env.test", fmt.Sprintf("DFP_SERVICE_3_PORT=%d", serve(t, "env-3")), "DFP_SERVICE_3_OUTBOUND_HOSTNAME=127.0.0.1", "DFP_SERVICE_3_USERS=x:y", "DFP_SERVICE_3_SERVICE_PATH_EXCLUDE=/no")
	open := "ignoreAuthorization=true"
	runTogether(t, p, []testCase{
		{number: "services of the environment", requests: []request{get("/env-1/a", "env-1", sees("/seen/a"), answers("X-Env", "one")), get("/env-1", "403", method("POST")),
			get("env.test/", "401", answers("Www-Authenticate", `Basic realm="env-3Realm"`)), get("env.test/", "env-3", user("x:y"))}},
		{number: "users of the proxy", services: []service{svc("s-all", "servicePath=/s-all"), svc("s-own", "servicePath=/s-own", "users=o:p"), svc("s-none", "servicePath=/s-none", open), svc("s-some", "servicePath=/s-some", "users=h")}, requests: []request{
			get("/s-all", "401", answers("Www-Authenticate", `Basic realm="defaultRealm"`)), get("/s-all", "s-all", user("g:gp"), gets("Authorization")), get("/s-own", "401", user("g:gp"), answers("Www-Authenticate", `Basic realm="s-ownRealm"`)), get("/s-own", "s-own", user("o:p")),
			get("/s-none", "s-none"), get("/s-some", "s-some", user("h:hp")), get("/s-some", "401", user("g:gp"))}},
		{number: "redirects by what a front proxy says", services: []service{svc("s-when", "servicePath=/s-when", "redirectWhenHttpProto=true", "httpsRedirectCode=308", open), svc("s-unless", "servicePath=/s-unless", "redirectUnlessHttpsProto=true", open)}, requests: []request{
			get("/s-when", "s-when"), get("a.test/s-when", "308", header("X-Forwarded-Proto: HTTP"), answers("Location", "https://a.test/s-when")), get("/s-when", "s-when", header("X-Forwarded-Proto: https")),
			get("/s-unless", "302"), get("/s-unless", "302", header("X-Forwarded-Proto: http")), get("/s-unless", "s-unless", header("X-Forwarded-Proto: https"), gets("X-Forwarded-Proto", "https"))}},
		{number: "clients of a front proxy", services: []service{svc("s-from", "servicePath=/s-from", "allowFrom=10.0.0.0/8", open)}, requests: []request{
			get("/s-from", "403"), get("/s-from", "s-from", header("X-Forwarded-For: 203.0.113.9, 10.0.0.1"), checked(func(s seen) error {
				return equal("X-Forwarded-For", strings.Join(s.answer.Header.Values("X-Forwarded-For"), ", "), "203.0.113.9, 10.0.0.1, 127.0.0.1")
			})), get("/s-from", "403", header("X-Forwarded-For: 10.0.0.1, 203.0.113.9"))}},
		{number: "the default takes whatever no route takes, without its conditions", services: []service{svc("s-default", "servicePath=/s-default", "serviceDomain=default.test", "userAgent=amiga", "isDefaultBackend=true", open), svc("s-ex", "servicePath=/s-ex", "servicePathExclude=/s-ex/no", open)}, requests: []request{
			get("/whatever", "s-default"), get("/s-ex/no", "s-default"), get("/s-ex", "s-ex"), get("default.test/s-default", "s-default", agent("curl"))}},
	})
}

// runTogether declares the services of all cases at once and then looks at each.
func runTogether(t *testing.T, p *proxy, cases []testCase) {
	t.Helper()
	var whole testCase
	for _, c := range cases {
		whole.services = append(whole.services, c.services...)
	}
	fill := p.filler(t)
	replies := p.declare(t, whole.filled(fill))
	all := p.problems(t)
	for _, c := range cases {
		t.Run("derived: "+c.number, func(t *testing.T) {
			c.judge(t, replies)
			for _, r := range c.requests {
				c.ask(t, p, r)
			}
			var own []problem
			for _, one := range all {
				for _, s := range c.services {
					if s.name == one.Service {
						own = append(own, one)
					}
				}
			}
			c.told(t, own, fill)
		})
	}
}
