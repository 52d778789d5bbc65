package main

import (
	"context"
	"fmt"
)

// hitless counts the requests that fail, at the client, while a proxy that has much to do otherwise is reloaded: POSTs and GETs, kept connections
// and new ones.
func hitless(ctx context.Context, b bench) ([]row, error) {
	const services, rate = 100, 1_000
	swarm, err := startSwarm(services, 3)
	if err != nil {
		return nil, err
	}
	defer swarm.close()
	p, err := b.proxy(ctx, services, "DOCKER_HOST="+swarm.address)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	r, err := b.loadtest(ctx, "reloads.yml", "SLUICE_HTTP_PORT="+port(p.entry), "SLUICE_API_PORT="+port(p.api), "SLUICE_PATH=/service0/",
		"SLUICE_SERVICE=stack0_service0", fmt.Sprintf("RATE=%d", rate))
	if err != nil {
		return nil, err
	}
	if r.Pace.LatenessP99Ms > 500 { // by its own doing, not the proxy's
		return nil, fmt.Errorf("send %d requests/s: 1 %% left over %.0f ms late: is the machine busy?", rate, r.Pace.LatenessP99Ms)
	}
	if r.Reloads == nil || *r.Reloads < 20 {
		return nil, fmt.Errorf("reload the proxy: %+v", r.Verdicts)
	}
	hit := limited(fmt.Sprintf("hitless, failed of %d requests/s over reloads", rate), "requests", float64(r.Total.Failed), 0)
	hit.Detail = fmt.Sprintf("%d requests, %d reloads, %d sent again by the client, %d that left over a second late, p99 %.1f ms", r.Total.Asked, *r.Reloads,
		r.Total.Retries, r.Total.Late, r.Total.Latency.P99)
	b.say("  %s%s", hit.Detail, kinds(r))
	return []row{hit}, nil
}
