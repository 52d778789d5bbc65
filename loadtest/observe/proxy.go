package observe

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Proxy reads the backends of services, and HAProxy's workers, from the APIs of all proxies.
type Proxy struct {
	URLs     []string // of APIs, without a path; a name that has several addresses stands for all of them
	Services []string
	Client   *http.Client
	Lookup   func(ctx context.Context, host string) ([]string, error) // the addresses of a name
}

// reach is how far back a look asks. More than one sample, so that a look that failed leaves no hole.
const reach = 10 * time.Second

// Name says what failed, in a report.
func (p Proxy) Name() string { return "proxy" }

// stats is the answer of /v1/stats. A proxy that is older has fewer values in a point, and no workers.
type stats struct {
	Instance string    `json:"instance"`
	Workers  [][]int64 `json:"workers"` // Unix milliseconds, workers, draining, reloads
	Reloads  []struct {
		At     int64  `json:"at"` // Unix milliseconds
		Reason string `json:"reason"`
	} `json:"reloads"`
	Backends map[string]struct {
		Service string       `json:"service"`
		Points  [][]*float64 `json:"points"` // Unix milliseconds, scur_mean, scur_max, req_rate_mean, qcur, errors so far
	} `json:"backends"`
}

// Look gives every sample of the last seconds, of each proxy that answers. When one of several does not, the error is a silence.
func (p Proxy) Look(ctx context.Context) (Reading, error) {
	silent := silence{}
	addresses, alone := p.addresses(ctx, silent), len(p.URLs) == 1
	answers, errs := make([]stats, len(addresses)), make([]error, len(addresses))
	var all sync.WaitGroup
	for i, address := range addresses {
		all.Go(func() { answers[i], errs[i] = p.ask(ctx, address) })
	}
	all.Wait()
	var r Reading
	known := map[string]bool{}
	for i, answer := range answers {
		name := strings.TrimPrefix(addresses[i], "http://")
		instance := cmp.Or(answer.Instance, name)
		switch {
		case errs[i] != nil:
			silent[name] = errs[i]
		case !known[instance]: // or one proxy is reached at two addresses
			known[instance] = true
			p.add(&r, answer, instance)
		}
	}
	slices.SortFunc(r.Loads, func(a, b Load) int {
		return cmp.Or(a.At.Compare(b.At), strings.Compare(a.Backend, b.Backend), strings.Compare(a.Instance, b.Instance))
	})
	switch {
	case len(silent) == 0:
		return r, nil
	case alone && len(addresses) <= 1:
		return r, silent.one()
	default:
		return r, silent
	}
}

// addresses are the APIs of all proxies. Tasks come and go, so names are looked up anew in each look.
func (p Proxy) addresses(ctx context.Context, silent silence) []string {
	var out []string
	for _, address := range p.URLs {
		u, err := url.Parse(address)
		if err != nil || u.Scheme != "http" { // a certificate is for the name, which leads to one of them
			out = append(out, address)
			continue
		}
		found, err := p.Lookup(ctx, u.Hostname())
		if err != nil {
			silent[u.Host] = err
			continue
		}
		found = oneFamily(found)
		if len(found) == 1 { // the name says more than its address
			out = append(out, address)
			continue
		}
		for _, host := range found {
			u.Host = net.JoinHostPort(host, cmp.Or(u.Port(), "80"))
			out = append(out, u.String())
		}
	}
	return out
}

// oneFamily gives the IPv4 addresses, or all where there are none: a proxy that has one of each is one proxy.
func oneFamily(addresses []string) []string {
	var four []string
	for _, address := range addresses {
		if ip, err := netip.ParseAddr(address); err == nil && ip.Unmap().Is4() {
			four = append(four, address)
		}
	}
	if four == nil {
		return addresses
	}
	return four
}

func (p Proxy) ask(ctx context.Context, address string) (answer stats, err error) {
	query := fmt.Sprintf("/v1/stats?since=%d", time.Now().Add(-reach).UnixMilli())
	if len(p.Services) == 1 {
		query += "&service=" + url.QueryEscape(p.Services[0])
	}
	if err := get(ctx, p.Client, address+query, &answer); err != nil {
		return answer, fmt.Errorf("read stats of %s: %w", list(p.Services), err)
	}
	return answer, nil
}

// add adds what one proxy said.
func (p Proxy) add(r *Reading, answer stats, instance string) {
	for name, b := range answer.Backends {
		if slices.Contains(p.Services, b.Service) {
			r.Loads = append(r.Loads, loads(Load{Service: b.Service, Backend: name, Instance: instance}, b.Points)...)
		}
	}
	for _, w := range answer.Workers {
		if len(w) >= 4 {
			r.Workers = append(r.Workers, Workers{instance, time.UnixMilli(w[0]), int(w[1]), int(w[2]), int(w[3])})
		}
	}
	for _, reload := range answer.Reloads {
		r.Reloads = append(r.Reloads, Reload{instance, time.UnixMilli(reload.At), reload.Reason})
	}
}

// loads reads the points of the backend that of names, the oldest first.
func loads(of Load, points [][]*float64) []Load {
	var out []Load
	var before []*float64
	for _, point := range points {
		if len(point) < 5 || point[0] == nil {
			continue
		}
		load := of
		load.At = time.UnixMilli(int64(*point[0]))
		load.Connections, load.Peak, load.Rate, load.Queue = point[1], point[2], point[3], point[4]
		if len(point) > 5 && len(before) > 5 {
			load.Errors = perSecond(before[0], point[0], before[5], point[5])
		}
		out, before = append(out, load), point
	}
	return out
}

// perSecond is by how much a count rose per second between two times in milliseconds; nil when it is not known or was reset.
func perSecond(from, to, before, after *float64) *float64 {
	if from == nil || to == nil || before == nil || after == nil || *to <= *from || *after < *before {
		return nil
	}
	return new((*after - *before) / (*to - *from) * 1000)
}

// list names services in an error.
func list(names []string) string { return strings.Join(names, ", ") }
