package attack

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// multiplexed sends over HTTP/2, which is net/http's. It opens as many connections as the server's limit of streams asks for.
type multiplexed struct {
	ctx       context.Context
	transport *http.Transport
}

// newMultiplexed speaks HTTP/2 alone: a server that does not is a failure.
func newMultiplexed(ctx context.Context, dialer *net.Dialer, config *tls.Config, keep bool) multiplexed {
	var protocols http.Protocols
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	return multiplexed{ctx, &http.Transport{
		DialContext: dialer.DialContext, TLSClientConfig: config, TLSHandshakeTimeout: dialer.Timeout, Protocols: &protocols,
		DisableCompression: true, DisableKeepAlives: !keep, IdleConnTimeout: 90 * time.Second,
	}}
}

func (m multiplexed) close() { m.transport.CloseIdleConnections() }

// send leaves GetBody nil, so the transport cannot send a body a second time. It may send a request without a body again.
func (m multiplexed) send(q request, deadline time.Time) answer {
	ctx, cancel := context.WithDeadline(m.ctx, deadline)
	defer cancel()
	var attempts, dialed atomic.Int32
	req := q.template.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(c httptrace.GotConnInfo) {
			attempts.Add(1)
			if !c.Reused {
				dialed.Add(1)
			}
		},
	}))
	req.Body = http.NoBody
	if len(q.body) > 0 {
		req.Body = io.NopCloser(bytes.NewReader(q.body))
	}
	var a answer
	res, err := m.transport.RoundTrip(req)
	if err == nil {
		a.status = res.StatusCode
		_, err = io.Copy(io.Discard, res.Body)
		res.Body.Close()
	}
	a.err, a.retries, a.dialed = err, max(0, int(attempts.Load())-1), int(dialed.Load())
	return a
}
