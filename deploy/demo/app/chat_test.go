package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

func TestChatEchoes(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(chat))
	defer server.Close()
	conn, _, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(server.URL, "http"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	for _, text := range []string{"hello", strings.Repeat("long ", 1000)} {
		if err := conn.Write(t.Context(), websocket.MessageText, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if _, back, err := conn.Read(t.Context()); err != nil || string(back) != text {
			t.Errorf("got %.20q, %v", back, err)
		}
	}
}
