package main

import (
	"cmp"
	"context"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"sluice/internal/daemon"
	"sluice/internal/label"
	"sluice/routing"
)

// api answers what the last step of the reconciler left behind. What changes state stands in api_dfp.go.
type api struct {
	view   func() *view
	recent http.Handler // samples of the last minutes
	gather prometheus.Gatherer

	showStat func(context.Context) ([]byte, error) // HAProxy's statistics as CSV
	declared *declarations
	certDir  string // where certificates of the API are kept
	again    func() // makes the reconciler look again
	guard    daemon.Guard
	siblings *siblings // nil where changes are not passed on
	// certificates are what siblings know of those in certDir; nil without siblings.
	certificates *blobShelf
}

func (a api) handler() http.Handler {
	a.guard.Refuse = refuse
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", a.health)
	mux.HandleFunc("GET /readyz", a.ready)
	mux.HandleFunc("GET /v1/routes", a.routes)
	mux.Handle("GET /v1/stats", a.recent)
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.gather, promhttp.HandlerOpts{}))
	a.handleDFP(mux)
	a.siblings.handle(mux, a.guard)
	a.handleCert(mux)
	return mux
}

// health is 503 only when HAProxy does not answer: a container must not be killed because the swarm's API is away.
func (a api) health(w http.ResponseWriter, _ *http.Request) {
	v := a.view()
	switch {
	case v.Failure == "" && v.HAProxyOK:
		daemon.Health{Status: "ok"}.Answer(w)
	case v.Failure == "":
		daemon.Health{Status: "down", Reason: "starting"}.Answer(w)
	case v.HAProxyOK:
		daemon.Health{Status: "degraded", Reason: v.Failure, Since: &v.FailedAt}.Answer(w)
	default:
		daemon.Health{Status: "down", Reason: v.Failure, Since: &v.FailedAt}.Answer(w)
	}
}

// ready is 503 until a complete listing of the swarm has been applied: until then an old configuration serves. It is degraded,
// with 200, while the last good configuration serves because a later one cannot be made or the swarm cannot be read: managers
// without a quorum would else take all proxies from whatever balances them.
func (a api) ready(w http.ResponseWriter, _ *http.Request) {
	v := a.view()
	switch {
	case v.Applied && v.HAProxyOK && v.Failure == "":
		daemon.Health{Status: "ok"}.Answer(w)
		return
	case v.Applied && v.HAProxyOK:
		daemon.Health{Status: "degraded", Reason: v.Failure, Since: &v.FailedAt}.Answer(w)
		return
	}
	daemon.Health{Status: "down", Reason: cmp.Or(v.Failure, "the swarm has not been read yet")}.Answer(w)
}

// routeAnswer is one backend with everything that leads to it.
type routeAnswer struct {
	Service  string            `json:"service"`
	Stack    string            `json:"stack,omitempty"`
	Backend  string            `json:"backend"`
	Routes   []routing.Route   `json:"routes"`
	Rewrites []routing.Rewrite `json:"rewrites,omitempty"`
	Servers  []routing.Server  `json:"servers"`
	Note     string            `json:"note,omitempty"`  // why there are no servers
	Group    []string          `json:"group,omitempty"` // services of the group that has the backend
}

func (a api) routes(w http.ResponseWriter, _ *http.Request) {
	v := a.view()
	body := struct {
		Routes   []routeAnswer   `json:"routes"`
		Problems []label.Problem `json:"problems"`
	}{[]routeAnswer{}, append([]label.Problem{}, v.Problems...)}
	leads := map[string][]routing.Route{}
	for _, r := range v.Table.AllRoutes() {
		leads[r.Backend] = append(leads[r.Backend], r)
	}
	for _, b := range v.Table.Backends {
		var group []string
		for _, m := range b.TCP.Members {
			group = append(group, m.Service)
		}
		body.Routes = append(body.Routes, routeAnswer{Group: group, Service: b.Service, Stack: b.Stack, Backend: b.Name, Routes: append([]routing.Route{}, leads[b.Name]...),
			Rewrites: b.Rewrites, Servers: append([]routing.Server{}, b.Servers...), Note: b.Note})
	}
	daemon.Answer(w, http.StatusOK, body)
}
