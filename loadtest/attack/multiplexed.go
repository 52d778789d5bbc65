package attack

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
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

// errUnderWay is why a request with a body is not sent again.
var errUnderWay = errors.New("the connection was lost with the request under way")

// send lets the transport send a request without a body again, and one with a body as long as none of it has left: a
// connection that ends in the moment in which it is chosen loses nothing.
func (m multiplexed) send(q request, deadline time.Time) answer {
	ctx, cancel := context.WithDeadline(m.ctx, deadline)
	defer cancel()
	var sent, dialed atomic.Int32
	req := q.template.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(c httptrace.GotConnInfo) {
			if !c.Reused {
				dialed.Add(1)
			}
		},
		WroteHeaders: func() { sent.Add(1) },
	}))
	req.Body = http.NoBody
	if len(q.body) > 0 {
		req.GetBody = func() (io.ReadCloser, error) {
			if sent.Load() > 0 {
				return nil, errUnderWay
			}
			return io.NopCloser(bytes.NewReader(q.body)), nil
		}
		req.Body, _ = req.GetBody()
	}
	var a answer
	res, err := m.transport.RoundTrip(req)
	if err == nil {
		a.status = res.StatusCode
		_, err = io.Copy(io.Discard, res.Body)
		res.Body.Close()
	}
	a.err, a.retries, a.dialed = err, max(0, int(sent.Load())-1), int(dialed.Load())
	return a
}
