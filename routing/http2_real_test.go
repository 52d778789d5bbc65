package routing_test

import (
	"crypto/tls"
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
// on each connection (GOAWAY) and answers what it has taken; Go's client sends no request twice whose body it has begun.
func TestReloadsLoseNoRequestOverHTTP2(t *testing.T) {
	address := haproxytest.Address(t)
	s := secured(address, newCertificate(t, "a.test").named("a.pem"))
	table, _ := build(cases(t, "svc servicePath=/"))
	table.Backends[0].Servers = []routing.Server{{Name: "svc.1", Addr: startService(t, table.Backends[0])}}
	h := haproxytest.Start(t, render(t, table, s).Files())
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer client.CloseIdleConnections()
	var done atomic.Bool
	var sent, lost atomic.Int64
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for !done.Load() {
				sent.Add(1)
				body := io.NopCloser(strings.NewReader("hello")) // of a kind that the client cannot send again
				response, err := client.Post("https://"+address+"/x", "text/plain", body)
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
