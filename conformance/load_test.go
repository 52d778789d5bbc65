package conformance

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/loadtest/attack"
	"sluice/loadtest/scenario"
)

// load is a steady load over TLS that counts what fails: the attack of a scenario, and one client that stays on one
// connection.
type load struct {
	stop     context.CancelFunc
	wait     sync.WaitGroup
	targets  []scenario.Target
	requests []atomic.Int64 // by target; the last are those over one connection
	dials    atomic.Int64   // of the client that wants one connection
	mu       sync.Mutex
	failures []string
}

func (p *proxy) load(t *testing.T) *load {
	t.Helper()
	file := filepath.Join("testdata", "certificates.yml")
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	entry := func(string) (string, bool) { return fmt.Sprint(p.tls), true }
	authority := func(string) ([]byte, error) { return p.authority.pem, nil }
	s, err := scenario.Parse(file, content, entry, authority)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{stop: cancel, targets: s.Targets, requests: make([]atomic.Int64, len(s.Targets)+1)}
	t.Cleanup(func() { cancel(); l.wait.Wait() })
	l.wait.Go(func() {
		if _, err := attack.Run(ctx, s, scenario.NewSchedule(s.Phases), time.Now(), l.record); err != nil {
			l.fail(err.Error())
		}
	})
	l.wait.Go(func() { l.stay(ctx, p) })
	l.goOn(t)
	return l
}

func (l *load) record(o attack.Outcome) {
	switch {
	case o.Kind == attack.Cut: // by the end of the test
	case o.Kind != "" || o.Status != http.StatusOK || o.Retries > 0:
		l.fail(fmt.Sprintf("%s: %s %d, %d retries: %v", l.targets[o.Target].Name, o.Kind, o.Status, o.Retries, o.Err))
	default:
		l.requests[o.Target].Add(1)
	}
}

func (l *load) fail(reason string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures = append(l.failures, reason)
}

// stay sends one request after another over a connection that nothing but a reload may end.
func (l *load) stay(ctx context.Context, p *proxy) {
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: p.authority.trust, ServerName: "a.test"},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			l.dials.Add(1)
			return (&net.Dialer{Timeout: time.Minute}).DialContext(ctx, network, address)
		}}}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		request, err := http.NewRequest(http.MethodPost, fmt.Sprintf("https://127.0.0.1:%d/", p.tls), io.NopCloser(strings.NewReader("x"))) // a body that cannot be read twice
		if err != nil {
			l.fail(err.Error())
			return
		}
		request.Host = "a.test"
		response, err := client.Do(request)
		if err == nil {
			_, err = io.Copy(io.Discard, response.Body)
			response.Body.Close()
			if response.StatusCode != http.StatusOK {
				err = fmt.Errorf("answer %s", response.Status)
			}
		}
		if err != nil {
			l.fail("one connection: " + err.Error())
			continue
		}
		l.requests[len(l.targets)].Add(1)
	}
}

// goOn waits until every kind of client has had a hundred more answers.
func (l *load) goOn(t *testing.T) {
	t.Helper()
	for i := range l.requests {
		deadline, enough := time.Now().Add(2*time.Minute), l.requests[i].Load()+100
		for ; l.requests[i].Load() < enough; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				l.end(t)
				t.Fatalf("clients of kind %d get no answers", i)
			}
		}
	}
}

// end ends the load and wants none of its requests to have failed.
func (l *load) end(t *testing.T) {
	t.Helper()
	l.stop()
	l.wait.Wait()
	for i, target := range l.targets {
		t.Logf("%d requests over %s", l.requests[i].Load(), target.Name)
	}
	t.Logf("%d requests over one connection; %d failed in all", l.requests[len(l.targets)].Load(), len(l.failures))
	if len(l.failures) > 0 {
		t.Errorf("%d requests failed, the first: %v", len(l.failures), l.failures[:min(3, len(l.failures))])
	}
}
