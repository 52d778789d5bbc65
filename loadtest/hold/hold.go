// Package hold opens WebSocket connections beside the load and keeps them, as the users of a chat or a dashboard do.
//
//	Hold ─a connection at its time─> handshake ─sign of life, echo, sign of life …─> lost, or closed when the load has ended
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

	"github.com/coder/websocket"

	"sluice/loadtest/attack"
	"sluice/loadtest/result"
	"sluice/loadtest/scenario"
)

// pause is the time from a loss to the next handshake.
const pause = time.Second

// grace is how long the server has to agree that a connection is closed.
const grace = 2 * time.Second

// messageLimit bounds what one message may have, in bytes; a longer one is a loss.
const messageLimit = 1 << 20

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

// group is what the connections of one Hold share.
type group struct {
	hold    scenario.Hold
	timeout time.Duration
	start   time.Time
	options *websocket.DialOptions
	record  func(result.Held)
}

func newGroup(h scenario.Hold, timeout time.Duration, start time.Time, record func(result.Held)) *group {
	options := &websocket.DialOptions{HTTPHeader: http.Header{"User-Agent": {"sluice-loadtest"}}}
	for _, header := range h.Headers {
		if strings.EqualFold(header.Name, "Host") {
			options.Host = header.Value
			continue
		}
		options.HTTPHeader.Set(header.Name, header.Value)
	}
	host := ""
	if u, err := url.Parse(h.URL); err == nil {
		host = u.Hostname()
	}
	options.HTTPClient = &http.Client{
		Transport: &http.Transport{
			DialContext:     (&net.Dialer{Timeout: timeout, KeepAlive: 15 * time.Second}).DialContext,
			TLSClientConfig: attack.TLSConfig(h.TLS, host),
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &group{h, timeout, start, options, record}
}

// keep opens one connection and, if asked to, opens it again whenever it is lost.
func (g *group) keep(ctx context.Context) {
	for again := false; ; again = true {
		begin := time.Now()
		conn, err := g.dial(ctx)
		switch {
		case ctx.Err() != nil && err != nil:
			return
		case err != nil:
			g.note(result.Refused, time.Since(begin), false, err)
		default:
			g.note(result.Opened, time.Since(begin), again, nil)
			if err = g.talk(ctx, conn); ctx.Err() != nil {
				impatient := time.AfterFunc(grace, func() { _ = conn.CloseNow() })
				_ = conn.Close(websocket.StatusNormalClosure, "")
				impatient.Stop()
				g.note(result.Closed, 0, false, nil)
				return
			}
			_ = conn.CloseNow()
			g.note(result.Lost, 0, false, err)
		}
		if !g.hold.Reopen || !wait(ctx, pause) {
			return
		}
	}
}

func (g *group) note(what result.Hold, took time.Duration, again bool, err error) {
	g.record(result.Held{At: time.Since(g.start), Target: g.hold.URL, What: what, Took: took, Again: again, Err: err})
}

func (g *group) dial(ctx context.Context) (*websocket.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, g.hold.URL, g.options)
	if err != nil {
		return nil, err
	}
	conn.SetReadLimit(messageLimit)
	return conn, nil
}

// talk gives signs of life until one gets no echo, the connection breaks, or ctx ends.
func (g *group) talk(ctx context.Context, conn *websocket.Conn) error {
	broken, echoes := make(chan error, 1), make(chan struct{}, 1)
	go g.listen(conn, broken, echoes)
	tick := time.NewTicker(g.hold.Every)
	defer tick.Stop()
	for {
		begin := time.Now()
		if err := g.sign(ctx, conn, broken, echoes); err != nil {
			return err
		}
		g.note(result.Echoed, time.Since(begin), false, nil)
		select {
		case <-tick.C:
		case err := <-broken:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// listen reads until the connection ends. Reading is what answers the server's pings and what notices the end.
func (g *group) listen(conn *websocket.Conn, broken chan<- error, echoes chan<- struct{}) {
	for {
		_, message, err := conn.Read(context.Background()) // ends with the connection
		if err != nil {
			broken <- err
			return
		}
		if g.hold.Message != "" && string(message) == g.hold.Message {
			select {
			case echoes <- struct{}{}:
			default: // nobody waits for it
			}
		}
	}
}

// sign gives one sign of life and waits for its echo.
func (g *group) sign(ctx context.Context, conn *websocket.Conn, broken <-chan error, echoes <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	if g.hold.Message == "" {
		err := conn.Ping(ctx)
		select {
		case why := <-broken: // says more than that the ping failed
			return why
		default:
			return err
		}
	}
	select {
	case <-echoes: // one that came unasked
	default:
	}
	if err := conn.Write(ctx, websocket.MessageText, []byte(g.hold.Message)); err != nil {
		return err
	}
	select {
	case <-echoes:
		return nil
	case err := <-broken:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
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
