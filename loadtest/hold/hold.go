// Package hold opens long connections beside the load and keeps them, as the users of a chat or a dashboard do.
//
//	Hold ─a connection at its time─┬> WebSocket ─sign of life, echo, sign of life …─┬> lost, or closed when the load has ended
//	                               └> GET ─an answer that goes on as a stream───────┘
//
// Long connections show what requests do not: whether a reload, an update or a scale-down cuts off who is in the middle of something.
package hold

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"sluice/loadtest/attack"
	"sluice/loadtest/result"
	"sluice/loadtest/scenario"
)

// pause is the time from a loss to the next handshake.
const pause = time.Second

// grace is how long the server has to agree that a connection is closed.
const grace = 2 * time.Second

// Run opens the connections of the scenario, each at its time, and keeps them until ctx ends. It calls record, from many goroutines, for
// everything that happens to one, and returns when all are closed.
func Run(ctx context.Context, s *scenario.Scenario, start time.Time, record func(result.Held)) {
	var all sync.WaitGroup
	for _, h := range s.Hold {
		g := newGroup(h, s.Timeout, start, record)
		for i := range h.Connections {
			at := start.Add(h.At + time.Duration(float64(i)/h.Rate*float64(time.Second)))
			all.Go(func() {
				if wait(ctx, time.Until(at)) {
					g.keep(ctx)
				}
			})
		}
	}
	all.Wait()
}

// conn is one connection that is held.
type conn interface {
	// stay returns when the connection is lost, with the reason, or when ctx ends.
	stay(ctx context.Context) error
	// leave ends the connection as its protocol has it, within grace.
	leave()
	// drop ends it at once.
	drop()
}

// group is what the connections of one Hold share.
type group struct {
	hold    scenario.Hold
	timeout time.Duration
	start   time.Time
	host    string // of the request; "" is that of the URL
	headers http.Header
	client  *http.Client
	record  func(result.Held)
}

func newGroup(h scenario.Hold, timeout time.Duration, start time.Time, record func(result.Held)) *group {
	g := &group{hold: h, timeout: timeout, start: start, headers: http.Header{"User-Agent": {"sluice-loadtest"}}, record: record}
	for _, header := range h.Headers {
		if strings.EqualFold(header.Name, "Host") {
			g.host = header.Value
			continue
		}
		g.headers.Set(header.Name, header.Value)
	}
	host := ""
	if u, err := url.Parse(h.URL); err == nil {
		host = u.Hostname()
	}
	g.client = &http.Client{
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: timeout, KeepAlive: 15 * time.Second}).DialContext,
			TLSClientConfig:     attack.TLSConfig(h.TLS, host),
			DisableCompression:  true,
			MaxIdleConnsPerHost: -1, // a connection is held or it is not: none waits for another turn
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return g
}

// keep opens one connection and, if asked to, opens it again whenever it is lost.
func (g *group) keep(ctx context.Context) {
	for again := false; ; again = true {
		begin := time.Now()
		c, err := g.open(ctx)
		switch {
		case ctx.Err() != nil && err != nil:
			return
		case err != nil:
			g.note(result.Refused, time.Since(begin), false, err)
		default:
			g.note(result.Opened, time.Since(begin), again, nil)
			if err = c.stay(ctx); ctx.Err() != nil {
				c.leave()
				g.note(result.Closed, 0, false, nil)
				return
			}
			c.drop()
			g.note(result.Lost, 0, false, err)
		}
		if !g.hold.Reopen || !wait(ctx, pause) {
			return
		}
	}
}

func (g *group) open(ctx context.Context) (conn, error) {
	if g.hold.Stream() {
		return openStream(ctx, g)
	}
	return openTalk(ctx, g)
}

func (g *group) note(what result.Hold, took time.Duration, again bool, err error) {
	g.record(result.Held{At: time.Since(g.start), Target: g.hold.URL, What: what, Took: took, Again: again, Err: err})
}

// wait says whether ctx still goes on after d.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(max(0, d))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
