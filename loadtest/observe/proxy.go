package observe

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// Proxy reads the connections of one service's backends from the proxy's API.
type Proxy struct {
	URL     string // of the API, without a path
	Service string
	Client  *http.Client
}

// recent is how many points of a backend are used, the newest. More than one, so that a look that failed leaves no hole.
const recent = 10

// Name says what failed, in a report.
func (p Proxy) Name() string { return "proxy" }

// Look adds up the backends of the service, second by second.
func (p Proxy) Look(ctx context.Context) (Reading, error) {
	var stats struct {
		Backends map[string]struct {
			Service string      `json:"service"`
			Points  [][]float64 `json:"points"` // unix milliseconds, scur_mean, scur_max, req_rate_mean, qcur
		} `json:"backends"`
	}
	if err := get(ctx, p.Client, p.URL+"/v1/stats?service="+url.QueryEscape(p.Service), &stats); err != nil {
		return Reading{}, fmt.Errorf("read stats of %s: %w", p.Service, err)
	}
	sums := map[int64]Load{} // by unix second
	for _, b := range stats.Backends {
		if b.Service != p.Service {
			continue
		}
		last := map[int64][]float64{} // of this backend; two points may fall into one second
		for _, point := range b.Points[max(0, len(b.Points)-recent):] {
			if len(point) >= 5 {
				last[int64(point[0])/1000] = point
			}
		}
		for second, point := range last {
			queue := point[4]
			if sum, ok := sums[second]; ok {
				queue += *sum.Queue
			}
			sums[second] = Load{At: time.UnixMilli(int64(point[0])), Connections: sums[second].Connections + point[1], Queue: &queue}
		}
	}
	var r Reading
	for _, load := range sums {
		r.Loads = append(r.Loads, load)
	}
	slices.SortFunc(r.Loads, func(a, b Load) int { return a.At.Compare(b.At) })
	return r, nil
}
