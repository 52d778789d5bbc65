package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"sluice/policy"
)

// direct asks the proxies themselves what they measured in the last minutes.
type direct struct {
	source
	names  []string // host:port; a host is a name of several addresses, or an address
	lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	client *http.Client
	asking errand[hearing]

	asked  time.Time // when the last call began; zero: never
	heard  hearing   // of the last answer
	called bool      // there was one, good or bad

	// Of the call under way alone:
	known  map[string]*peer // by address and port
	looked time.Time
}

// peer is one address of a name.
type peer struct {
	named    time.Time // when the name last had it
	newest   int64     // time of its newest point by its own clock, in Unix milliseconds; 0: none yet
	instance string
	spoke    time.Time // when there was last something new
}

// hearing is what the proxies said, and which ones said nothing.
type hearing struct {
	stats  []proxyStats // gone once they are among the samples
	spoke  []string     // instances
	silent []silentPeer // in order of address
}

// silentPeer is an address that its name has and that does not answer, with the instance that it last had, "" if unknown.
type silentPeer struct{ address, instance string }

const (
	lookEvery    = 5 * time.Second // between two looks at the names
	askedAtOnce  = 16
	longestStats = 64 << 20         // bytes of one answer: minutes of 1,000 backends are a tenth
	repeatAfter  = 10 * time.Second // when a proxy has nothing new for so long, its clock may have been set back
)

// newDirect makes the source of proxies; nil for no names.
func newDirect(names []string) *direct {
	if len(names) == 0 {
		return nil
	}
	return &direct{
		source: proxiesSource(), names: names, known: map[string]*peer{},
		lookup: func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		},
		client: &http.Client{
			// No proxy of the environment: these are addresses of an overlay network.
			Transport:     &http.Transport{MaxIdleConnsPerHost: 1, IdleConnTimeout: 30 * time.Second, DialContext: (&net.Dialer{Timeout: time.Second}).DialContext},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// begin asks all of them for what is new, or for the time to keep.
func (d *direct) begin(ctx context.Context, timeout, keep time.Duration) {
	if !d.asking.busy() {
		d.asked = time.Now()
	}
	d.asking.begin(ctx, timeout, func(ctx context.Context) (hearing, error) { return d.ask(ctx, keep) })
}

// collect takes the answers.
func (d *direct) collect(ctx context.Context, log zerolog.Logger, into *samples) {
	o, came := d.asking.take(ctx)
	if !came {
		return
	}
	d.did(log, o.begun, o.ended, o.err)
	d.heard, d.called = hearing{spoke: o.value.spoke, silent: o.value.silent}, true
	if o.err != nil {
		return
	}
	for _, s := range o.value.stats {
		s.into(into)
	}
	into.settle(o.ended)
}

// lacking says which proxies are not measured while they are the source; "" when all are.
func (d *direct) lacking() string {
	silent, all := d.heard.silent, len(d.heard.silent)+len(d.heard.spoke)
	switch n := len(silent); n {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf("proxy %s does not answer", silent[0].address)
	default:
		return fmt.Sprintf("%d of %d proxies do not answer (%s …)", n, all, silent[0].address)
	}
}

// speakers counts the proxies that answered.
func (d *direct) speakers() string {
	if len(d.heard.spoke) == 1 {
		return "1 proxy"
	}
	return fmt.Sprintf("%d proxies", len(d.heard.spoke))
}

// ask asks every address. An address that its name no longer has is asked on while a policy would wait for it: its proxy
// may still have connections.
func (d *direct) ask(ctx context.Context, keep time.Duration) (hearing, error) {
	now := time.Now()
	failure := d.look(ctx, now)
	addresses := make([]string, 0, len(d.known))
	for address, p := range d.known {
		if now.Sub(p.named) > policy.Lookback {
			delete(d.known, address)
			continue
		}
		addresses = append(addresses, address)
	}
	slices.Sort(addresses)
	var mu sync.Mutex
	var heard hearing
	var g errgroup.Group
	g.SetLimit(askedAtOnce)
	for _, address := range addresses {
		p := d.known[address]
		g.Go(func() error {
			stats, err := d.get(ctx, address, p, now, keep)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				heard.stats, heard.spoke = append(heard.stats, stats), append(heard.spoke, stats.Instance)
			case p.named.Equal(d.looked):
				heard.silent = append(heard.silent, silentPeer{address, p.instance})
				failure = errors.Join(failure, err)
			}
			return nil
		})
	}
	_ = g.Wait()
	slices.SortFunc(heard.silent, func(a, b silentPeer) int { return strings.Compare(a.address, b.address) })
	if len(heard.stats) == 0 {
		if failure == nil {
			failure = errors.New("no address is known")
		}
		return heard, fmt.Errorf("ask %s: %w", strings.Join(d.names, ", "), failure)
	}
	return heard, nil
}

// look asks for the addresses of the names. While a name cannot be looked up, the known ones stay.
func (d *direct) look(ctx context.Context, now time.Time) error {
	if now.Sub(d.looked) < lookEvery {
		return nil
	}
	var failure error
	for _, name := range d.names {
		host, port, _ := net.SplitHostPort(name) // checked at the start
		found, err := d.lookup(ctx, host)
		if err != nil {
			failure = errors.Join(failure, fmt.Errorf("look %s up: %w", host, err))
			continue
		}
		for _, addr := range found {
			address := net.JoinHostPort(addr.Unmap().String(), port)
			if d.known[address] == nil {
				d.known[address] = &peer{}
			}
			d.known[address].named = now
		}
	}
	if failure == nil {
		d.looked = now
		return nil
	}
	for _, p := range d.known { // as if their names had them still
		if p.named.Equal(d.looked) {
			p.named = now
		}
	}
	d.looked = now
	return failure
}

// get asks one proxy for what it has measured since its last answer.
func (d *direct) get(ctx context.Context, address string, p *peer, now time.Time, keep time.Duration) (proxyStats, error) {
	since := max(p.newest, now.Add(-keep).UnixMilli())
	if now.Sub(p.spoke) > repeatAfter {
		since = now.Add(-keep).UnixMilli()
		p.spoke = now
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s/v1/stats?since=%d", address, since), nil)
	if err != nil {
		return proxyStats{}, err
	}
	response, err := d.client.Do(request)
	if err != nil {
		return proxyStats{}, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return proxyStats{}, fmt.Errorf("ask %s: answered %s", address, response.Status)
	}
	stats, err := parseStats(io.LimitReader(response.Body, longestStats))
	if err != nil {
		return proxyStats{}, fmt.Errorf("ask %s: %w", address, err)
	}
	if other := p.instance != "" && p.instance != stats.Instance; other {
		p.instance, p.newest = stats.Instance, 0 // another proxy has taken the address: all of it is to be read
		return stats, nil
	}
	p.instance = stats.Instance
	if newest := stats.newest(); newest > 0 {
		p.newest, p.spoke = newest, now
	}
	return stats, nil
}
