package conformance

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// httpsCases are those of "HTTPS" and "Methods, headers, redirects, agents" that one proxy with certificates, CA_FILE and
// an entry for TLS on this port can run.
func httpsCases(port int, known, unknown issued) []testCase {
	return []testCase{
		{number: "68", services: []service{svc("svc", "servicePath=/s", "httpsOnly=true")}, requests: []request{
			get("a.test/s/x?y=1", "302", answers("Location", "https://a.test/s/x?y=1")), // a host without a port is that of port 443
			get("a.test:80/s/x", "302", answers("Location", fmt.Sprintf("https://a.test:%d/s/x", port))),
			get("a.test/s/x", "svc", secure, gets("X-Forwarded-Proto", "https"))}},
		{number: "69", services: []service{svc("moved", "servicePath=/moved", "httpsOnly=true", "httpsRedirectCode=301"),
			svc("kept", "servicePath=/kept", "httpsOnly=true", "httpsRedirectCode=308")}, requests: []request{
			get("a.test/moved", "301"), get("a.test/kept", "308"), get("a.test/kept", "kept", secure)}},
		{number: "74", services: []service{svc("svc", "servicePath=/", "denyHttp=true")}, requests: []request{
			get("a.test/", "403"), get("a.test/", "svc", secure)}},
		{number: "75", services: []service{svc("svc", "servicePath=/")}, requests: []request{
			get("a.test/", "svc", secure, header("X-Forwarded-Proto: http"), gets("X-Forwarded-Proto", "https")),
			get("a.test/", "svc", secure, header("X-Forwarded-Proto: http, http", "X-Forwarded-Proto: ftp"), gets("X-Forwarded-Proto", "https"))}},
		{number: "81", services: []service{svc("svc", "serviceDomain=a.test", "verifyClientSsl=true"), svc("other", "serviceDomain=b.test")}, requests: []request{
			get("a.test/", "403", secure), get("a.test/", "svc", showing(known)), get("b.test/", "other", secure), get("b.test/", "other", showing(known)),
			get("a.test/", "refused", showing(unknown))}},
		{number: "82", services: []service{svc("svc", "servicePath=/", "verifyClientSsl=true")}, requests: []request{get("a.test/", "403")}},
		{number: "92", services: []service{svc("svc", "serviceDomain=b.test", "redirectFromDomain=a.test")}, requests: []request{
			get("a.test/p?q=1", "301", secure, checked(func(s seen) error {
				location := s.header.Get("Location")
				if location != "https://b.test/p?q=1" && location != fmt.Sprintf("https://b.test:%d/p?q=1", port) {
					return fmt.Errorf("Location: %s", location)
				}
				return nil
			})), get("b.test/p", "svc", secure)}},
	}
}

func TestHTTPS(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, "Conformance")
	clients, strangers := newAuthority(t, "Clients"), newAuthority(t, "Strangers")
	trusted := filepath.Join(t.TempDir(), "clients.pem")
	if err := os.WriteFile(trusted, clients.pem, 0o600); err != nil {
		t.Fatal(err)
	}
	p := startSecure(t, a, map[string][]byte{"certs/b.test.pem": a.issue(t, "b.test").pem, "certs/a.test.pem": a.issue(t, "a.test").pem}, "CA_FILE="+trusted)
	for _, c := range httpsCases(p.tls, clients.issue(t, "somebody"), strangers.issue(t, "somebody")) {
		t.Run(c.number, func(t *testing.T) { c.run(t, p) })
	}
	t.Run("76", func(t *testing.T) {
		for name, want := range map[string]string{"a.test": "a.test", "b.test": "b.test", "": "a.test", "elsewhere.test": "a.test"} {
			if got := p.served(t, name).Subject.CommonName; got != want {
				t.Errorf("who asks for %q gets the certificate of %s, want %s", name, got, want)
			}
		}
		state, err := shake(t, p.tls, "a.test", "h2", "http/1.1")
		if err != nil || state.NegotiatedProtocol != "h2" {
			t.Errorf("ALPN: got %q, %v", state.NegotiatedProtocol, err)
		}
	})
	t.Run("79", func(t *testing.T) {
		for name, given := range map[string]func(string) string{
			"real line breaks": func(text string) string { return text },
			`written as \n`:    func(text string) string { return strings.ReplaceAll(text, "\n", `\n`) },
		} {
			t.Run(name, func(t *testing.T) {
				c := a.issue(t, "c.test")
				p.must(t, "cert", serve(t, "cert"), "serviceDomain=c.test", "serviceCert="+given(string(c.pem)))
				if got := p.served(t, "c.test").SerialNumber.String(); got != c.serial {
					t.Errorf("the certificate of c.test is another one")
				}
				testCase{}.ask(t, p, get("c.test/", "cert", secure))
				p.keepsSecret(t, c)
			})
		}
	})
}

// TestHTTPSOnly is case 71, and the other setting that needs a proxy of its own.
func TestHTTPSOnly(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, "Conformance")
	p := startSecure(t, a, map[string][]byte{"certs/a.test.pem": a.issue(t, "a.test").pem}, "HTTPS_ONLY=true", "ENABLE_H2=false")
	c := testCase{services: []service{svc("svc", "servicePath=/"), svc("open", "servicePath=/open", "httpsOnly=false")}, requests: []request{
		get("a.test/", "302", answers("Location", "https://a.test/")), get("a.test/", "svc", secure), get("a.test/open", "open")}}
	t.Run("71", func(t *testing.T) { c.run(t, p) })
	t.Run("without HTTP/2", func(t *testing.T) {
		if state, err := shake(t, p.tls, "a.test", "h2", "http/1.1"); err != nil || state.NegotiatedProtocol != "http/1.1" {
			t.Errorf("ALPN: got %q, %v", state.NegotiatedProtocol, err)
		}
	})
}

// TestSecrets are the cases 60, 61 and 78: what Docker secrets give, here below the proxy's folder.
func TestSecrets(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, "Conformance")
	p := startSecure(t, a, map[string][]byte{"secrets/cert-x.pem": a.issue(t, "x.test").pem, "secrets/other.pem": a.issue(t, "other.test").pem,
		"secrets/dfp_users_monitoring": []byte("observer:" + hash + "\n")})
	for _, c := range []testCase{
		{number: "60", services: []service{svc("svc", "servicePath=/", "usersSecret=monitoring", "usersPassEncrypted=true")}, requests: []request{
			get("/", "401"), get("/", "svc", user("observer:password")), get("/", "401", user("observer:other"))}},
		{number: "61", services: []service{svc("svc", "servicePath=/", "users=observer", "usersSecret=monitoring", "usersPassEncrypted=true")}, requests: []request{
			get("/", "401"), get("/", "svc", user("observer:password"))}},
	} {
		t.Run(c.number, func(t *testing.T) { c.run(t, p) })
	}
	t.Run("78", func(t *testing.T) {
		for _, name := range []string{"x.test", "other.test"} {
			if got := p.served(t, name).Subject.CommonName; got != "x.test" {
				t.Errorf("who asks for %s gets the certificate of %s", name, got)
			}
		}
	})
}

// TestWithoutACertificate wants a port that was asked for with TLS to be reported and to serve all the same.
func TestWithoutACertificate(t *testing.T) {
	t.Parallel()
	p := startSecure(t, newAuthority(t, "nobody's"), nil)
	p.must(t, "svc", serve(t, "svc"), "servicePath=/")
	if text := fmt.Sprintf("%+v", p.problems(t)); !strings.Contains(text, "there is no certificate") {
		t.Errorf("problems: %s", text)
	}
	response, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/", p.tls))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("without TLS the port answers %s", response.Status)
	}
}

// keepsSecret wants no answer of the API to hold the key of a certificate.
func (p *proxy) keepsSecret(t *testing.T, c issued) {
	t.Helper()
	_, key, _ := strings.Cut(string(c.pem), "-----BEGIN PRIVATE KEY-----\n")
	secret := strings.Split(key, "\n")[1] // the first line begins alike for all keys
	for _, path := range []string{"v1/routes", "v1/docker-flow-proxy/config", "v1/docker-flow-proxy/config?type=json", "v1/docker-flow-proxy/certs", "metrics"} {
		if text := p.body(t, path); strings.Contains(text, "PRIVATE") || strings.Contains(text, secret) {
			t.Errorf("/%s answers a private key", path)
		}
	}
	if text := p.output.String(); strings.Contains(text, "PRIVATE") || strings.Contains(text, secret) {
		t.Error("the log holds a private key")
	}
}
