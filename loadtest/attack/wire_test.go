package attack

import (
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/loadtest/scenario"
)

// Every way to end an answer, each on kept connections: the next request must find the connection in order.
func TestAnswersEndInManyWays(t *testing.T) {
	tests := []struct {
		name, answer string
		dialed       int // connections for five requests one after the other
	}{
		{"by its length", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 1},
		{"empty", "HTTP/1.1 204 No Content\r\n\r\n", 1},
		{"in chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Trailer: a\r\n\r\n", 1},
		{"after early hints", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 1},
		{"said to be the last", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", 5},
		{"of HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", 5},
		{"with more than was asked", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 408 Timeout\r\n\r\n", 5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			address := serve(t, func(c net.Conn) {
				in := make([]byte, 4096)
				for {
					if _, err := c.Read(in); err != nil {
						return
					}
					_, _ = io.WriteString(c, tt.answer)
				}
			})
			s := load("http://"+address, 10, 500*time.Millisecond)
			s.Connections = 1
			got := attack(t, s)
			dialed := 0
			for _, o := range got {
				dialed += o.Dialed
			}
			if diff := cmp.Diff(map[Kind]int{"": 5}, count(got)); diff != "" || dialed != tt.dialed {
				t.Errorf("%d connections, want %d; kinds (-want +got):\n%s", dialed, tt.dialed, diff)
			}
		})
	}
}

func TestAnAnswerMayEndWithItsConnection(t *testing.T) {
	address := serve(t, func(c net.Conn) {
		_, _ = c.Read(make([]byte, 4096))
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\nall there is")
	})
	if diff := cmp.Diff(map[Kind]int{"": 5}, count(attack(t, load("http://"+address, 10, 500*time.Millisecond)))); diff != "" {
		t.Errorf("kinds (-want +got):\n%s", diff)
	}
}

// A server that closes idle connections between two requests costs a connection each, and no request: not even a POST.
func TestAConnectionThatWasClosedMeanwhileIsNotUsed(t *testing.T) {
	address := serve(t, func(c net.Conn) {
		_, _ = c.Read(make([]byte, 4096))
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	})
	s := load("http://"+address, 0, 0)
	// However late an answer is, the server has a second to close after it.
	s.Phases = []scenario.Phase{{Name: "one", Kind: scenario.Closed, Rates: []float64{0}, Users: 1, Think: time.Second, Duration: 3 * time.Second}}
	s.Targets[0].Method, s.Targets[0].Body = "POST", "vote=a"
	got := attack(t, s)
	retries := 0
	for _, o := range got {
		retries += o.Retries
	}
	if diff := cmp.Diff(map[Kind]int{"": len(got)}, count(got)); diff != "" || retries > 0 || len(got) < 2 {
		t.Errorf("%d requests, %d retries; kinds (-want +got):\n%s", len(got), retries, diff)
	}
}

// A connection outlives the deadline of the request before.
func TestAConnectionThatIsSeldomUsedIsKept(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	s := load(server.URL, 2, 2*time.Second)
	s.Timeout, s.Connections = 300*time.Millisecond, 1
	dialed, late := 0, 0
	for _, o := range attack(t, s) {
		dialed += o.Dialed
		if o.Kind != "" { // a machine that stands still costs a connection
			late++
		}
	}
	if dialed > 1+late {
		t.Errorf("%d connections, want one", dialed)
	}
}

func TestLongBodies(t *testing.T) {
	body := strings.Repeat("a", 4<<20)
	for name, handler := range map[string]http.HandlerFunc{
		"read slowly": func(w http.ResponseWriter, r *http.Request) {
			stall(r.Context(), 100*time.Millisecond)
			if n, _ := io.Copy(io.Discard, r.Body); n != int64(len(body)) {
				w.WriteHeader(http.StatusBadRequest)
			}
		},
		"refused before they were read": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusRequestEntityTooLarge) },
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(handler)
			defer server.Close()
			s := load(server.URL, 4, 500*time.Millisecond)
			s.Targets[0].Method, s.Targets[0].Body = "POST", body
			for _, o := range attack(t, s) {
				if want := map[string]int{"read slowly": 200}[name]; want > 0 && o.Status != want || want == 0 && o.Kind == "" {
					t.Errorf("%d %s %v", o.Status, o.Kind, o.Err)
				}
			}
		})
	}
}

func TestProtocolsAndCertificates(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]int{}
	handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		name := ""
		if r.TLS != nil {
			name = " " + r.TLS.ServerName
		}
		seen[fmt.Sprintf("%s%s", r.Proto, name)]++
	})
	secure := httptest.NewUnstartedServer(handler)
	secure.EnableHTTP2 = true
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	plain := httptest.NewUnstartedServer(handler)
	plain.Config.Protocols = new(http.Protocols)
	plain.Config.Protocols.SetUnencryptedHTTP2(true)
	plain.Start()
	defer plain.Close()
	old := httptest.NewUnstartedServer(handler)
	old.Config.ErrorLog = log.New(io.Discard, "", 0)
	old.TLS = &tls.Config{NextProtos: []string{"http/1.1"}}
	old.StartTLS()
	defer old.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})
	tests := []struct {
		name   string
		target scenario.Target
		want   string // "" is a failure
	}{
		{"HTTP/1.1 by an authority of the file", scenario.Target{URL: secure.URL, TLS: scenario.TLS{CA: ca}}, "HTTP/1.1 "},
		{"HTTP/2", scenario.Target{URL: secure.URL, HTTP2: true, TLS: scenario.TLS{CA: ca, ServerName: "example.com"}}, "HTTP/2.0 example.com"},
		{"HTTP/2 without TLS", scenario.Target{URL: plain.URL, HTTP2: true}, "HTTP/2.0"},
		{"unchecked", scenario.Target{URL: secure.URL, TLS: scenario.TLS{Insecure: true, ServerName: "any.example"}}, "HTTP/1.1 any.example"},
		{"an authority that is not known", scenario.Target{URL: secure.URL}, ""},
		{"a name that is not in the certificate", scenario.Target{URL: secure.URL, TLS: scenario.TLS{CA: ca, ServerName: "other.example"}}, ""},
		{"HTTP/2 where there is none", scenario.Target{URL: old.URL, HTTP2: true, TLS: scenario.TLS{Insecure: true}}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			mu.Lock()
			clear(seen)
			mu.Unlock()
			tt.target.Method, tt.target.Weight = "GET", 1
			s := load("", 10, 500*time.Millisecond)
			s.Targets = []scenario.Target{tt.target}
			want, kind := map[string]int{}, Other
			if tt.want != "" {
				want, kind = map[string]int{tt.want: 5}, ""
			}
			got := attack(t, s)
			if diff := cmp.Diff(map[Kind]int{kind: 5}, count(got)); diff != "" {
				t.Errorf("%v; kinds (-want +got):\n%s", got[0].Err, diff)
			}
			mu.Lock()
			defer mu.Unlock()
			if diff := cmp.Diff(want, seen); diff != "" {
				t.Errorf("the server saw (-want +got):\n%s", diff)
			}
		})
	}
}

func TestATargetMayKeepNoConnections(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	s := load("", 20, 500*time.Millisecond)
	s.Connections = 1
	s.Targets = []scenario.Target{
		{URL: server.URL, Method: "GET", Weight: 1},
		{URL: server.URL, Method: "HEAD", Weight: 1, KeepAlive: new(bool)},
	}
	dialed := map[int]int{}
	for _, o := range attack(t, s) {
		dialed[o.Target] += o.Dialed
	}
	if diff := cmp.Diff(map[int]int{0: 1, 1: 5}, dialed); diff != "" {
		t.Errorf("connections by target (-want +got):\n%s", diff)
	}
}

// serve handles each connection and then closes it.
func serve(t *testing.T, handle func(net.Conn)) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				handle(conn)
			}()
		}
	}()
	return listener.Addr().String()
}
