package scenario

import (
	"crypto/x509"
	"net/http"
	"strings"

	"go.yaml.in/yaml/v3"
)

func (d *decoder) targetFields(t *Target) []field {
	return append([]field{
		{"url", "http://HOST:PORT/PATH", "where requests go; https:// too. A redirect is an answer like any other and is never followed", d.textTo(&t.URL, "url")},
		{"name", "text", "what expectations call this target", d.textTo(&t.Name, "name")},
		{"method", "GET", "the request's method", d.textTo(&t.Method, "method")},
		{"headers", "{name: value}", "headers of the request; Host sets its host", d.headersTo(&t.Headers)},
		{"body", "text", "the request's body", d.textTo(&t.Body, "body")},
		{"bodyFile", "file", "the request's body, from a file beside the scenario", func(n *yaml.Node) {
			var data []byte
			d.fileTo(&data, "bodyFile")(n)
			t.Body = string(data)
		}},
		{"weight", "1", "the target's share among all targets", d.wholeTo(&t.Weight, "weight", 1000)},
		{"keepAlive", "true", "false opens a connection for each request; unless given, what the scenario says", func(n *yaml.Node) {
			keep := true
			d.boolTo(&keep, "keepAlive")(n)
			t.KeepAlive = &keep
		}},
		{"http2", "false", "true speaks HTTP/2: over TLS, or with prior knowledge to an http:// address", d.boolTo(&t.HTTP2, "http2")},
	}, d.tlsField(&t.TLS))
}

func (d *decoder) target(n *yaml.Node) Target {
	t, before := Target{Method: http.MethodGet, Weight: 1}, len(d.problems)
	given := d.object(n, "a target", d.targetFields(&t))
	if t.URL == "" && len(d.problems) == before {
		d.problem(n.Line, "a target needs a url")
	}
	if given["body"] > 0 && given["bodyFile"] > 0 {
		d.problem(given["bodyFile"], "a target has a body or a bodyFile, not both")
	}
	return t
}

func (d *decoder) headersTo(to *[]Header) func(*yaml.Node) {
	return func(n *yaml.Node) {
		d.pairs(n, "headers", func(name, value string) {
			if name == "" || strings.ContainsFunc(name, notInToken) || strings.ContainsAny(value, "\r\n") {
				d.problem(n.Line, "headers: %q cannot be sent as a header", name+": "+value)
				return
			}
			*to = append(*to, Header{name, value})
		})
	}
}

// notInToken says which characters the name of a header has not (RFC 9110, section 5.6.2).
func notInToken(c rune) bool {
	letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
	return !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", c)
}

func (d *decoder) tlsField(t *TLS) field {
	return field{"tls", "{ca, serverName, insecure}", "how the server's certificate is checked", func(n *yaml.Node) {
		d.object(n, "tls", d.tlsFields(t))
	}}
}

func (d *decoder) tlsFields(t *TLS) []field {
	return []field{
		{"ca", "file", "PEM file of the authorities to trust instead of the machine's", func(n *yaml.Node) {
			d.fileTo(&t.CA, "ca")(n)
			if t.CA != nil && !x509.NewCertPool().AppendCertsFromPEM(t.CA) {
				d.problem(n.Line, "ca: %s holds no certificate", n.Value)
			}
		}},
		{"serverName", "name", "the name to ask for and to check, instead of the URL's host", d.textTo(&t.ServerName, "serverName")},
		{"insecure", "false", "true checks nothing: for certificates that a test signed itself", d.boolTo(&t.Insecure, "insecure")},
	}
}
