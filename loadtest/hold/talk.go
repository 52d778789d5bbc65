package hold

import (
	"context"
	"time"

	"github.com/coder/websocket"

	"sluice/loadtest/result"
)

// messageLimit bounds what one message may have, in bytes; a longer one is a loss.
const messageLimit = 1 << 20

// talk is a WebSocket that gives signs of life.
type talk struct {
	group *group
	conn  *websocket.Conn
}

func openTalk(ctx context.Context, g *group) (conn, error) {
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	c, _, err := websocket.Dial(ctx, g.hold.URL, &websocket.DialOptions{HTTPClient: g.client, HTTPHeader: g.headers, Host: g.host})
	if err != nil {
		return nil, err
	}
	c.SetReadLimit(messageLimit)
	return &talk{g, c}, nil
}

func (t *talk) drop() { _ = t.conn.CloseNow() }

func (t *talk) leave() {
	impatient := time.AfterFunc(grace, t.drop)
	defer impatient.Stop()
	_ = t.conn.Close(websocket.StatusNormalClosure, "")
}

// stay gives signs of life until one gets no echo, the connection breaks, or ctx ends.
func (t *talk) stay(ctx context.Context) error {
	broken, echoes := make(chan error, 1), make(chan struct{}, 1)
	go t.listen(broken, echoes)
	tick := time.NewTicker(t.group.hold.Every)
	defer tick.Stop()
	for {
		begin := time.Now()
		if err := t.sign(ctx, broken, echoes); err != nil {
			return err
		}
		t.group.note(result.Echoed, time.Since(begin), false, nil)
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
func (t *talk) listen(broken chan<- error, echoes chan<- struct{}) {
	for {
		_, message, err := t.conn.Read(context.Background()) // ends with the connection
		if err != nil {
			broken <- err
			return
		}
		if t.group.hold.Message != "" && string(message) == t.group.hold.Message {
			select {
			case echoes <- struct{}{}:
			default: // nobody waits for it
			}
		}
	}
}

// sign gives one sign of life and waits for its echo.
func (t *talk) sign(ctx context.Context, broken <-chan error, echoes <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, t.group.timeout)
	defer cancel()
	if t.group.hold.Message == "" {
		err := t.conn.Ping(ctx)
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
	if err := t.conn.Write(ctx, websocket.MessageText, []byte(t.group.hold.Message)); err != nil {
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
