package main

import (
	"context"
	"io"
	"net/http"

	"github.com/coder/websocket"
)

// chat echoes what comes over a WebSocket until the client leaves: the long connections of the demo. They take no place
// at the desk, for nothing is worked on.
func chat(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // Accept has answered
	}
	defer conn.CloseNow()
	for {
		if err := echo(r.Context(), conn); err != nil {
			return // the client left, or sent what is no message
		}
	}
}

func echo(ctx context.Context, conn *websocket.Conn) error {
	kind, from, err := conn.Reader(ctx)
	if err != nil {
		return err
	}
	to, err := conn.Writer(ctx, kind)
	if err != nil {
		return err
	}
	if _, err := io.Copy(to, from); err != nil {
		return err
	}
	return to.Close()
}
