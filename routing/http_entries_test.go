package routing_test

import (
	"bufio"
	"compress/gzip"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/internal/haproxy/haproxytest"
	"sluice/routing"
)

// entries is a HAProxy with an http and an https entry.
type entries struct {
	plain, secure string
	settings      routing.Settings
	haproxy       *haproxytest.HAProxy
	client        tls.Certificate // that CAFile vouches for
}

func newEntries(t *testing.T) *entries {
	t.Helper()
	e := &entries{plain: haproxytest.Address(t), secure: haproxytest.Address(t)}
	e.settings = patient(e.plain, e.secure)
	e.settings.Entries[1].TLS = true
	authority := newCertificate(t, "authority")
	e.client = authority.issue(newKey(t), "client").client()
	e.settings.TLS.CAFile = filepath.Join(t.TempDir(), "clients.pem")
	if err := os.WriteFile(e.settings.TLS.CAFile, authority.root(), 0o600); err != nil {
		t.Fatal(err)
	}
	e.settings.TLS.Certificates = []routing.Certificate{newCertificate(t, "a.test").named("a.test.pem")}
	e.settings.Handover = "abns@sluice-" + e.plain
	e.haproxy = haproxytest.Start(t, render(t, routing.Table{}, e.settings).Files())
	return e
}

// serve routes the services, all to one task that tells what it saw.
func (e *entries) serve(t *testing.T, text string, options routing.Options, trusted []netip.Prefix) {
	t.Helper()
	table, _ := routing.BuildTable(scene(t, text), options)
	task := startTask(t, mirror())
	for i, b := range table.Backends {
		table.Backends[i].Servers = []routing.Server{{Name: b.Service + ".1", Addr: task}}
	}
	e.settings.TrustedProxies = trusted
	e.haproxy.Put(render(t, table, e.settings).Files())
}

// mirror answers with the headers of the request, as JSON. Some paths make it do more.
func mirror() http.HandlerFunc {
	var asked sync.Map
	return func(w http.ResponseWriter, r *http.Request) {
		_, again := asked.LoadOrStore(r.URL.Path, true)
		r.Header.Set("Host", r.Host)
		w.Header().Set("X-Backend", "own")
		w.Header().Set("X-Del", "own")
		w.Header().Set("Content-Type", "text/plain")
		switch {
		case strings.HasSuffix(r.URL.Path, "/slow"):
			select {
			case <-r.Context().Done():
				return
			case <-time.After(1500 * time.Millisecond): // a task's own pause, not the test's
			}
		case strings.HasSuffix(r.URL.Path, "/status/404"):
			w.WriteHeader(http.StatusNotFound)
		case strings.HasSuffix(r.URL.Path, "/once") && !again:
			w.WriteHeader(http.StatusServiceUnavailable)
		case strings.HasSuffix(r.URL.Path, "/big"):
			r.Header.Set("Padding", strings.Repeat("x", 4096))
		}
		_ = json.NewEncoder(w).Encode(r.Header)
	}
}

// check sends a request and compares the answer, both as the cases write them.
func (e *entries) check(t *testing.T, asked, want string) {
	t.Helper()
	response, saw := e.ask(t, asked)
	words := strings.Fields(want)
	if got := response.Status[:3]; got != words[0] {
		t.Errorf("%s is answered by %s, want %s", asked, got, words[0])
		return
	}
	for _, word := range words[1:] {
		word = strings.ReplaceAll(word, "␣", " ")
		_, absent := strings.CutPrefix(word, "-")
		word = strings.TrimPrefix(word, "-")
		header := response.Header
		if rest, ofRequest := strings.CutPrefix(word, "saw:"); ofRequest {
			word, header = rest, saw
		}
		name, value, _ := strings.Cut(word, ":")
		switch got := strings.Join(header.Values(name), ","); {
		case absent && len(header.Values(name)) > 0:
			t.Errorf("%s: %s is %q, want it absent", asked, name, got)
		case !absent && got != value:
			t.Errorf("%s: %s is %q, want %q", asked, name, got, value)
		}
	}
}

// ask sends a request and reads the answer, with the headers that the task saw.
func (e *entries) ask(t *testing.T, asked string) (*http.Response, http.Header) {
	t.Helper()
	words := strings.Fields(asked)
	host, target, _ := strings.Cut(words[2], "/")
	var text strings.Builder
	text.WriteString(words[1] + " /" + target + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n")
	for _, word := range words[3:] {
		name, value, _ := strings.Cut(strings.ReplaceAll(word, "␣", " "), ":")
		if name == "as" {
			name, value = "Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(value))
		}
		text.WriteString(name + ": " + value + "\r\n")
	}
	response := exchange(t, e.dial(t, words[0]), text.String()+"\r\n")
	body := io.Reader(response.Body)
	if response.Header.Get("Content-Encoding") == "gzip" {
		var err error
		if body, err = gzip.NewReader(body); err != nil {
			t.Fatal(err)
		}
	}
	content, err := io.ReadAll(body)
	if err != nil {
		t.Fatalf("%s: %v", asked, err)
	}
	return response, headersOf(content)
}

// headersOf reads what mirror wrote.
func headersOf(content []byte) http.Header {
	saw := http.Header{}
	_ = json.Unmarshal(content, &saw) // HAProxy's own answers are no JSON
	return saw
}

// dial opens a connection to the http entry (P), to the https entry (S), or to it with a client certificate (C).
func (e *entries) dial(t *testing.T, entry string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", map[string]string{"P": e.plain, "S": e.secure, "C": e.secure}[entry])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	switch entry {
	case "S":
		return tls.Client(conn, &tls.Config{InsecureSkipVerify: true, ServerName: "a.test"})
	case "C":
		return tls.Client(conn, &tls.Config{InsecureSkipVerify: true, ServerName: "a.test", Certificates: []tls.Certificate{e.client}})
	}
	return conn
}

// exchange sends a request and reads the head of the answer.
func exchange(t *testing.T, conn net.Conn, request string) *http.Response {
	t.Helper()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: strings.Fields(request)[0]})
	if err != nil {
		t.Fatalf("%.100q: %v", request, err)
	}
	return response
}
