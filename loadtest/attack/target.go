package attack

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"sluice/loadtest/scenario"
)

// sender sends a request and reads the whole answer. A redirect is an answer like any other.
type sender interface {
	send(q request, deadline time.Time) answer
	close()
}

type answer struct {
	status          int // 0 without an answer
	retries, dialed int
	err             error
}

// request is one kind of request in the two forms in which senders want it.
type request struct {
	bytes      []byte // as HTTP/1.1 puts it on the wire
	template   *http.Request
	body       []byte
	repeatable bool // may be sent again by itself when a kept connection breaks: RFC 9110, section 9.2.2
}

type target struct {
	sender  sender
	request request
}

// connection is what targets must share to share connections.
type connection struct {
	scheme, address string
	keep, http2     bool
	serverName      string
	insecure        bool
	ca              string
}

// prepare makes everything that does not change from request to request. Senders stop what they do when ctx ends.
func prepare(ctx context.Context, s *scenario.Scenario) ([]target, func(), error) {
	senders := map[connection]sender{}
	closeAll := func() {
		for _, s := range senders {
			s.close()
		}
	}
	var out []target
	for _, t := range s.Targets {
		u, err := url.Parse(t.URL)
		if err != nil {
			return nil, nil, fmt.Errorf("read target: %w", err)
		}
		c := connection{
			scheme: u.Scheme, address: address(u), keep: s.KeepAlive, http2: t.HTTP2,
			serverName: t.TLS.ServerName, insecure: t.TLS.Insecure, ca: string(t.TLS.CA),
		}
		if t.KeepAlive != nil {
			c.keep = *t.KeepAlive
		}
		if senders[c] == nil {
			senders[c] = c.sender(ctx, u, s)
		}
		q, err := newRequest(t, u, c.keep)
		if err != nil {
			return nil, nil, fmt.Errorf("prepare request for %s: %w", t.URL, err)
		}
		out = append(out, target{senders[c], q})
	}
	return out, closeAll, nil
}

func (c connection) sender(ctx context.Context, u *url.URL, s *scenario.Scenario) sender {
	dialer := &net.Dialer{Timeout: s.Timeout, KeepAlive: 15 * time.Second}
	config := TLSConfig(scenario.TLS{CA: []byte(c.ca), ServerName: c.serverName, Insecure: c.insecure}, u.Hostname())
	if c.http2 {
		return newMultiplexed(ctx, dialer, config, c.keep)
	}
	if u.Scheme == "http" {
		config = nil
	}
	return newPool(ctx, dialer, c.address, config, c.keep)
}

// TLSConfig is how the certificate of host is checked.
func TLSConfig(t scenario.TLS, host string) *tls.Config {
	c := &tls.Config{ServerName: host, InsecureSkipVerify: t.Insecure}
	if t.ServerName != "" {
		c.ServerName = t.ServerName
	}
	if len(t.CA) > 0 {
		c.RootCAs = x509.NewCertPool()
		c.RootCAs.AppendCertsFromPEM(t.CA)
	}
	return c
}

func address(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

func newRequest(t scenario.Target, u *url.URL, keep bool) (request, error) {
	req := &http.Request{
		Method: t.Method, URL: u, Host: u.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"User-Agent": {"sluice-loadtest"}}, Close: !keep, Body: http.NoBody,
	}
	for _, h := range t.Headers {
		if strings.EqualFold(h.Name, "Host") {
			req.Host = h.Value
			continue
		}
		req.Header.Set(h.Name, h.Value)
	}
	if t.Body != "" {
		req.Body, req.ContentLength = io.NopCloser(strings.NewReader(t.Body)), int64(len(t.Body))
	}
	var wire bytes.Buffer
	if err := req.Write(&wire); err != nil {
		return request{}, err
	}
	return request{
		bytes: wire.Bytes(), template: req, body: []byte(t.Body),
		repeatable: t.Body == "" && slices.Contains([]string{"GET", "HEAD", "OPTIONS", "TRACE"}, t.Method),
	}, nil
}
