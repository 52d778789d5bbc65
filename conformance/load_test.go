package conformance

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// load is a steady load of requests over TLS that counts what fails.
type load struct {
	stop      context.CancelFunc
	wait      sync.WaitGroup
	requests  [3]atomic.Int64 // over one connection, HTTP/1.1, HTTP/2
	dials     atomic.Int64    // of the client that wants one connection
	mu        sync.Mutex
	failures  []string
	protocols [3]string
}

func (p *proxy) load(t *testing.T) *load {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{stop: cancel, protocols: [3]string{"HTTP/1.1", "HTTP/1.1", "HTTP/2.0"}}
	t.Cleanup(func() { cancel(); l.wait.Wait() })
	for i, workers := range []int{1, 3, 3} {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: p.authority.trust, ServerName: "a.test"}, ForceAttemptHTTP2: i == 2, MaxIdleConnsPerHost: workers,
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				if i == 0 {
					l.dials.Add(1)
				}
				return (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, network, address)
			}}
		client := &http.Client{Transport: transport, Timeout: 10 * time.Second}
		for range workers {
			l.wait.Go(func() { l.work(ctx, client, i, fmt.Sprintf("https://127.0.0.1:%d/", p.tls)) })
		}
	}
	l.goOn(t)
	return l
}

// goOn waits until every kind of client has had a hundred more answers.
func (l *load) goOn(t *testing.T) {
	t.Helper()
	for i := range l.requests {
		deadline, enough := time.Now().Add(20*time.Second), l.requests[i].Load()+100
		for ; l.requests[i].Load() < enough; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				l.end(t)
				t.Fatalf("clients of kind %d get no answers", i)
			}
		}
	}
}

// work sends POSTs, which Go's client does not quietly send again.
func (l *load) work(ctx context.Context, client *http.Client, kind int, target string) {
	for tick := time.NewTicker(10 * time.Millisecond); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
		failure := ""
		request, err := http.NewRequest(http.MethodPost, target, io.NopCloser(strings.NewReader("x"))) // a body that cannot be read twice
		if err == nil {
			request.Host = "a.test"
			var response *http.Response
			if response, err = client.Do(request); err == nil {
				_, err = io.Copy(io.Discard, response.Body)
				response.Body.Close()
				if response.StatusCode != http.StatusOK || response.Proto != l.protocols[kind] {
					failure = response.Proto + " " + response.Status
				}
			}
		}
		if err != nil {
			failure = err.Error()
		}
		if failure != "" {
			l.mu.Lock()
			l.failures = append(l.failures, fmt.Sprintf("%s: %s", l.protocols[kind], failure))
			l.mu.Unlock()
			continue
		}
		l.requests[kind].Add(1)
	}
}

// end ends the load and wants none of its requests to have failed.
func (l *load) end(t *testing.T) {
	t.Helper()
	l.stop()
	l.wait.Wait()
	t.Logf("requests: %d over one connection, %d over HTTP/1.1, %d over HTTP/2; %d failed", l.requests[0].Load(), l.requests[1].Load(), l.requests[2].Load(), len(l.failures))
	if len(l.failures) > 0 {
		t.Errorf("%d requests failed, the first: %v", len(l.failures), l.failures[:min(3, len(l.failures))])
	}
}
