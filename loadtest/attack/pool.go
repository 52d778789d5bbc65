package attack

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"
)

// pool sends over HTTP/1.1. One goroutine writes a request and reads its answer on a connection that is its own meanwhile; net/http
// hands both to two further goroutines for each connection, and that is most of what a request costs.
type pool struct {
	ctx     context.Context
	dialer  *net.Dialer
	address string
	tls     *tls.Config // nil is a plain connection
	keep    bool
	release func() bool

	mu   sync.Mutex
	idle []*conn // the last used is the next used: few connections stay in use
	busy map[*conn]struct{}
}

// conn is one connection. Only its owner of the moment touches it; others may close it.
type conn struct {
	net.Conn
	raw  syscall.RawConn
	in   *bufio.Reader
	idle time.Time // since when, while it waits in the pool
}

// idleLimit is for how long an unused connection is kept. Servers close theirs too (HAProxy here after 15 s), and a request
// that is on its way in that moment is lost: who sends what must not be sent twice closes first.
const idleLimit = 10 * time.Second

func newPool(ctx context.Context, dialer *net.Dialer, address string, config *tls.Config, keep bool) *pool {
	p := &pool{ctx: ctx, dialer: dialer, address: address, tls: config, keep: keep, busy: map[*conn]struct{}{}}
	p.release = context.AfterFunc(ctx, p.close)
	return p
}

// close ends all connections, those in use too.
func (p *pool) close() {
	p.release()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.idle {
		c.Close()
	}
	for c := range p.busy {
		c.Close()
	}
	p.idle = nil
}

func (p *pool) send(q request, deadline time.Time) answer {
	var a answer
	c := p.take(deadline)
	kept := c != nil
	for {
		if c == nil {
			if c, a.err = p.dial(deadline); a.err != nil {
				return a
			}
			a.dialed++
		}
		var begun, again bool
		a.status, begun, again, a.err = c.exchange(q)
		p.give(c, again && p.keep)
		if a.err == nil || !kept || begun || !q.repeatable || !gone(a.err) {
			return a
		}
		// The server hung up on a kept connection while the request was on its way into it. HTTP lets a client send it again.
		a.retries++
		c, kept = nil, false
	}
}

// gone says whether the error is that the other side has closed the connection.
func gone(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// take gives a kept connection that is still open, or nil. The deadline of the request before may have passed since.
func (p *pool) take(deadline time.Time) *conn {
	for {
		c := p.pop()
		if c == nil || time.Since(c.idle) < idleLimit && c.SetDeadline(deadline) == nil && c.open(p.tls == nil) {
			return c
		}
		p.give(c, false)
	}
}

func (p *pool) pop() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) == 0 {
		return nil
	}
	c := p.idle[len(p.idle)-1]
	p.idle = p.idle[:len(p.idle)-1]
	p.busy[c] = struct{}{}
	return c
}

func (p *pool) give(c *conn, again bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.busy, c)
	if !again || p.ctx.Err() != nil {
		c.Close()
		return
	}
	c.idle = time.Now()
	p.idle = append(p.idle, c)
}

func (p *pool) dial(deadline time.Time) (*conn, error) {
	ctx, cancel := context.WithDeadline(p.ctx, deadline)
	defer cancel()
	plain, err := p.dialer.DialContext(ctx, "tcp", p.address)
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: plain}
	if tcp, ok := plain.(*net.TCPConn); ok {
		c.raw, _ = tcp.SyscallConn() // without it a closed connection is only found by using it
	}
	if p.tls != nil {
		secure := tls.Client(plain, p.tls)
		if err := secure.HandshakeContext(ctx); err != nil {
			plain.Close()
			return nil, err
		}
		c.Conn = secure
	}
	if err := c.SetDeadline(deadline); err != nil {
		plain.Close()
		return nil, err
	}
	c.in = bufio.NewReader(c.Conn)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy[c] = struct{}{}
	if p.ctx.Err() != nil { // close has been here and did not see it
		c.Close()
	}
	return c, nil
}

// long is the size of a request, in bytes, from which on it is written beside the reading: a server may answer before it has read it all.
const long = 64 << 10

// exchange sends a request and reads its answer. begun says whether anything of the answer came, again whether the connection can be used again.
func (c *conn) exchange(q request) (status int, begun, again bool, err error) {
	wait, failed := c.write(q.bytes)
	if _, err := c.in.Peek(1); err != nil {
		return 0, false, false, errors.Join(failed, err) // failed says why nothing came
	}
	res, err := c.answer(q)
	if err != nil {
		return 0, true, false, err
	}
	if _, err = io.Copy(io.Discard, res.Body); err != nil {
		return res.StatusCode, true, false, err
	}
	if wait != nil {
		select {
		case failed = <-wait:
		default: // the server does not want the rest
			return res.StatusCode, true, false, nil
		}
	}
	again = failed == nil && !res.Close && c.in.Buffered() == 0 && res.StatusCode != http.StatusSwitchingProtocols
	return res.StatusCode, true, again, nil
}

// write sends a request. A long one is written meanwhile, and its error comes later.
func (c *conn) write(request []byte) (<-chan error, error) {
	if len(request) < long {
		_, err := c.Write(request)
		return nil, err
	}
	wait := make(chan error, 1)
	go func() {
		_, err := c.Write(request)
		wait <- err
	}()
	return wait, nil
}

// answer reads the head of the answer and passes over those that only announce it, such as 103.
func (c *conn) answer(q request) (*http.Response, error) {
	for {
		res, err := http.ReadResponse(c.in, q.template)
		if err != nil || res.StatusCode >= 200 || res.StatusCode == http.StatusSwitchingProtocols {
			return res, err
		}
	}
}
