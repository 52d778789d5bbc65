package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"sluice/policy"
)

// How webhooks are told. A queue that is full loses the newest: the older ones were told first.
const (
	notifyQueue   = 256
	notifyAtOnce  = 4
	notifyTries   = 3
	notifyTimeout = 5 * time.Second
	notifyPause   = time.Second // before the second try; doubles
)

// change is what a webhook is told, as JSON.
type change struct {
	Service string         `json:"service"`
	Stack   string         `json:"stack,omitempty"`
	From    int            `json:"from"`
	To      int            `json:"to"`
	Verdict policy.Verdict `json:"verdict"`
	Reason  string         `json:"reason"`
	At      time.Time      `json:"at"`
}

// notifier tells the addresses of com.df.scale.notify of changes, and never keeps anybody waiting.
type notifier struct {
	log     zerolog.Logger
	metrics *metrics
	client  *http.Client
	queue   chan call
	pause   time.Duration

	mu      sync.Mutex
	failing map[string]bool // addresses whose failure is in the log
}

type call struct {
	address string
	body    change
}

func newNotifier(log zerolog.Logger, m *metrics) *notifier {
	return &notifier{
		log: log, metrics: m, queue: make(chan call, notifyQueue), pause: notifyPause, failing: map[string]bool{},
		client: &http.Client{Timeout: notifyTimeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
}

// tell hands over a change.
func (n *notifier) tell(addresses []string, c change) {
	for _, address := range addresses {
		select {
		case n.queue <- call{address, c}:
		default:
			n.metrics.webhooks.WithLabelValues("dropped").Inc()
			n.failed(address, fmt.Errorf("%d changes wait already", notifyQueue))
		}
	}
}

// run sends until ctx ends.
func (n *notifier) run(ctx context.Context) {
	var g sync.WaitGroup
	for range notifyAtOnce {
		g.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case c := <-n.queue:
					n.send(ctx, c)
				}
			}
		})
	}
	g.Wait()
}

// send tries a few times.
func (n *notifier) send(ctx context.Context, c call) {
	pause := n.pause
	for try := 1; ; try++ {
		err := n.post(ctx, c)
		if err == nil {
			n.metrics.webhooks.WithLabelValues("sent").Inc()
			n.well(c.address)
			return
		}
		if ctx.Err() != nil {
			return
		}
		if try == notifyTries {
			n.metrics.webhooks.WithLabelValues("failed").Inc()
			n.failed(c.address, err)
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		pause *= 2
	}
}

func (n *notifier) post(ctx context.Context, c call) error {
	body, err := json.Marshal(c.body)
	if err != nil {
		return fmt.Errorf("encode change: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.address, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("call webhook: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := n.client.Do(request)
	if sent := (*url.Error)(nil); errors.As(err, &sent) {
		err = sent.Err // without the address, which may hold a secret
	}
	if err != nil {
		return fmt.Errorf("call webhook: %w", err)
	}
	defer response.Body.Close()
	_, _ = io.CopyN(io.Discard, response.Body, 64<<10) // so that the connection can be used again
	if response.StatusCode >= 300 {
		return fmt.Errorf("call webhook: HTTP status %d", response.StatusCode)
	}
	return nil
}

// failed logs an address once until it works again.
func (n *notifier) failed(address string, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.failing[address] {
		n.log.Warn().Str("host", hostOf(address)).Err(err).Msg("a webhook was not told of a change")
	}
	n.failing[address] = true
}

// hostOf is what may be told of an address: the rest is often a secret.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "unreadable"
	}
	return u.Host
}

func (n *notifier) well(address string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.failing[address] {
		n.log.Info().Str("host", hostOf(address)).Msg("a webhook answers again")
	}
	delete(n.failing, address)
}
