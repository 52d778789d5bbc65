package conformance

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// answer is what a fixture server tells about a request that reached it.
type answer struct {
	Service string
	Port    int
	Method  string
	Path    string // with the query
	Host    string
	Header  http.Header
	Length  int64 // of the request's body
}

// serve starts a fixture server on a port of the kernel's choice and answers the port.
func serve(t *testing.T, service string) int { return serveAt(t, service, "127.0.0.1:0") }

func serveAt(t *testing.T, service, address string) int {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if pause, err := time.ParseDuration(r.Header.Get("X-Fixture-Pause")); err == nil {
			select {
			case <-time.After(pause):
			case <-r.Context().Done():
			}
		}
		if r.Header.Get("Upgrade") == "echo" {
			echo(w)
			return
		}
		length, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			return // the client has gone away
		}
		w.Header().Set("X-Backend", service)
		w.Header().Set("X-Del", "from the backend")
		w.Header().Set("Content-Type", "text/plain")
		body, err := json.Marshal(answer{service, port, r.Method, r.URL.RequestURI(), r.Host, r.Header, length})
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = w.Write(body)
		if length, err := strconv.Atoi(r.Header.Get("X-Fixture-Length")); err == nil {
			_, _ = w.Write([]byte(strings.Repeat(" ", length))) // JSON allows it at the end
		}
	})}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return port
}

// echo switches protocols and says again what it is told, as a WebSocket would.
func echo(w http.ResponseWriter) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	_, _ = io.Copy(conn, buffered) // until the client ends it
}
