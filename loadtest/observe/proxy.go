package observe

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Proxy reads the backends of services, and HAProxy's workers, from the proxy's API.
type Proxy struct {
	URL      string // of the API, without a path
	Services []string
	Client   *http.Client
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

// Look gives every sample of the last seconds.
func (p Proxy) Look(ctx context.Context) (Reading, error) {
	query := fmt.Sprintf("/v1/stats?since=%d", time.Now().Add(-reach).UnixMilli())
	if len(p.Services) == 1 {
		query += "&service=" + url.QueryEscape(p.Services[0])
	}
	var answer stats
	if err := get(ctx, p.Client, p.URL+query, &answer); err != nil {
		return Reading{}, fmt.Errorf("read stats of %s: %w", list(p.Services), err)
	}
	var r Reading
	for name, b := range answer.Backends {
		if slices.Contains(p.Services, b.Service) {
			r.Loads = append(r.Loads, loads(b.Service, name, b.Points)...)
		}
	}
	slices.SortFunc(r.Loads, func(a, b Load) int {
		if order := a.At.Compare(b.At); order != 0 {
			return order
		}
		return strings.Compare(a.Backend, b.Backend)
	})
	for _, w := range answer.Workers {
		if len(w) >= 4 {
			r.Workers = append(r.Workers, Workers{answer.Instance, time.UnixMilli(w[0]), int(w[1]), int(w[2]), int(w[3])})
		}
	}
	for _, reload := range answer.Reloads {
		r.Reloads = append(r.Reloads, Reload{answer.Instance, time.UnixMilli(reload.At), reload.Reason})
	}
	return r, nil
}

// loads reads the points of one backend, the oldest first.
func loads(service, backend string, points [][]*float64) []Load {
	var out []Load
	var before []*float64
	for _, point := range points {
		if len(point) < 5 || point[0] == nil {
			continue
		}
		load := Load{
			Service: service, Backend: backend, At: time.UnixMilli(int64(*point[0])),
			Connections: point[1], Peak: point[2], Rate: point[3], Queue: point[4],
		}
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
