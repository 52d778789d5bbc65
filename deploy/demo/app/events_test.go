package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestEventsGoOnUntilTheServerLeaves(t *testing.T) {
	leaving, leave := context.WithCancel(t.Context())
	server := httptest.NewServer(events(leaving, time.Millisecond))
	defer server.Close()
	answer, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	in, n := bufio.NewReader(answer.Body), 0
	for n < 5 {
		line, err := in.ReadString('\n')
		if err != nil {
			t.Fatalf("ended after %d events: %v", n, err)
		}
		if strings.HasPrefix(line, "data: ") {
			n++
		}
	}
	leave()
	if _, err := io.Copy(io.Discard, in); err != nil {
		t.Errorf("the stream was cut off: %v", err)
	}
}
