package attack

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"sluice/loadtest/scenario"
)

// transport is what of http.Transport is used. http.Client would add redirects and cookies, and neither is wanted: a redirect is
// an answer like any other and is never followed.
type transport interface {
	RoundTrip(*http.Request) (*http.Response, error)
	CloseIdleConnections()
}

// newTransport gives a pool of its own to a run: no proxy from the environment, no compression, HTTP/1.1.
func newTransport(s *scenario.Scenario) transport {
	dialer := &net.Dialer{Timeout: s.Timeout, KeepAlive: 15 * time.Second}
	return &http.Transport{
		DialContext:         dialer.DialContext,
		TLSHandshakeTimeout: s.Timeout,
		DisableCompression:  true,
		DisableKeepAlives:   !s.KeepAlive,
		MaxConnsPerHost:     s.Connections,
		MaxIdleConnsPerHost: s.Connections,
		IdleConnTimeout:     90 * time.Second,
	}
}

// target is a request that only needs a context and a body to be sent.
type target struct {
	template *http.Request
	body     []byte
}

func prepare(targets []scenario.Target) ([]target, error) {
	var out []target
	for _, t := range targets {
		u, err := url.Parse(t.URL)
		if err != nil {
			return nil, fmt.Errorf("read target: %w", err)
		}
		req := &http.Request{
			Method: t.Method, URL: u, Host: u.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: http.Header{"User-Agent": {"sluice-loadtest"}},
		}
		for _, h := range t.Headers {
			if strings.EqualFold(h.Name, "Host") {
				req.Host = h.Value
				continue
			}
			req.Header.Set(h.Name, h.Value)
		}
		out = append(out, target{req, []byte(t.Body)})
	}
	return out, nil
}

// request makes the request for one sending. GetBody stays nil, so the transport cannot send a body a second time: a POST that meets a
// connection the server has just closed fails, as it does for any user. A request without a body may still be sent again by the
// transport on another connection; trace counts that.
func (t target) request(ctx context.Context) *http.Request {
	req := t.template.WithContext(ctx)
	if len(t.body) == 0 {
		req.Body = http.NoBody
		return req
	}
	req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(t.body)), int64(len(t.body))
	return req
}

// trace counts the connections that one request is put on, and those opened for it.
func trace(ctx context.Context, attempts, dialed *atomic.Int32) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(c httptrace.GotConnInfo) {
			attempts.Add(1)
			if !c.Reused {
				dialed.Add(1)
			}
		},
	})
}
