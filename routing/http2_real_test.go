package routing_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/internal/haproxy/haproxytest"
	"sluice/routing"
)

// TestReloadsLoseNoRequestOverHTTP2 posts all the time while HAProxy is reloaded ten times. A worker that leaves says so
// on each connection (GOAWAY) and answers what it has taken.
func TestReloadsLoseNoRequestOverHTTP2(t *testing.T) {
	address := haproxytest.Address(t)
	s := secured(address, newCertificate(t, "a.test").named("a.pem"))
	table, _ := build(cases(t, "svc servicePath=/"))
	table.Backends[0].Servers = []routing.Server{{Name: "svc.1", Addr: startService(t, table.Backends[0])}}
	h := haproxytest.Start(t, render(t, table, s).Files())
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer client.CloseIdleConnections()
	var done atomic.Bool
	var sent, lost atomic.Int64
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for !done.Load() {
				sent.Add(1)
				response, err := client.Do(once(t, "https://"+address+"/x"))
				if err == nil {
					_, err = io.ReadAll(response.Body)
					response.Body.Close()
				}
				if err != nil || response.StatusCode != 200 || response.ProtoMajor != 2 {
					lost.Add(1)
					t.Errorf("request %d: %v, %+v", sent.Load(), err, response)
					return
				}
			}
		})
	}
	for range 10 {
		before := sent.Load()
		h.Until("requests go on", func() bool { return sent.Load() > before+100 || lost.Load() > 0 })
		h.Put(render(t, table, s).Files())
	}
	done.Store(true)
	wait.Wait()
	t.Logf("%d requests, %d lost", sent.Load(), lost.Load())
}

// once is a request that the client cannot send again when it has begun its body. One that finds its connection closed
// before that was never sent, and goes to another.
func once(t *testing.T, url string) *http.Request {
	body := &begun{text: strings.NewReader("hello")}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, body)
	if err != nil {
		t.Error(err)
	}
	request.ContentLength = int64(body.text.Len())
	request.GetBody = func() (io.ReadCloser, error) {
		if body.read.Load() {
			return nil, errors.New("the body was begun")
		}
		return body, nil
	}
	return request
}

// begun is a body that knows whether somebody has read of it.
type begun struct {
	text *strings.Reader
	read atomic.Bool
}

func (b *begun) Read(p []byte) (int, error) {
	b.read.Store(true)
	return b.text.Read(p)
}

func (b *begun) Close() error { return nil }
