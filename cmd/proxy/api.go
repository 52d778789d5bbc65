package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"sluice/internal/label"
	"sluice/routing"
)

// api answers what the last step of the reconciler left behind. Nothing here changes state.
type api struct {
	view   func() *view
	recent http.Handler // samples of the last minutes
	gather prometheus.Gatherer
}

func (a api) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", a.health)
	mux.HandleFunc("GET /readyz", a.ready)
	mux.HandleFunc("GET /v1/routes", a.routes)
	mux.Handle("GET /v1/stats", a.recent)
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.gather, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /v1/docker-flow-proxy/ping", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]string{"Status": "OK"})
	})
	return mux
}

// serve listens until ctx ends.
func (a api) serve(ctx context.Context, address string) error {
	server := &http.Server{Addr: address, Handler: a.handler(), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute,
		BaseContext: func(net.Listener) context.Context { return ctx }}
	defer context.AfterFunc(ctx, func() {
		// The context has ended; answers in progress get a moment of their own.
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = server.Shutdown(closing)
	})()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the API: %w", err)
	}
	return nil
}

// healthAnswer is the body of /healthz and /readyz.
type healthAnswer struct {
	Status string     `json:"status"` // ok, degraded (it serves, but something is wrong), down
	Reason string     `json:"reason,omitempty"`
	Since  *time.Time `json:"since,omitempty"`
}

// health is 503 only when HAProxy does not answer: a container must not be killed because the swarm's API is away.
func (a api) health(w http.ResponseWriter, _ *http.Request) {
	v := a.view()
	switch {
	case v.Failure == "" && v.HAProxyOK:
		answer(w, http.StatusOK, healthAnswer{Status: "ok"})
	case v.Failure == "":
		answer(w, http.StatusServiceUnavailable, healthAnswer{Status: "down", Reason: "starting"})
	case v.HAProxyOK:
		answer(w, http.StatusOK, healthAnswer{Status: "degraded", Reason: v.Failure, Since: &v.FailedAt})
	default:
		answer(w, http.StatusServiceUnavailable, healthAnswer{Status: "down", Reason: v.Failure, Since: &v.FailedAt})
	}
}

// ready is 503 until a complete listing of the swarm has been applied: until then an old configuration serves.
func (a api) ready(w http.ResponseWriter, _ *http.Request) {
	v := a.view()
	if v.Applied && v.HAProxyOK {
		answer(w, http.StatusOK, healthAnswer{Status: "ok"})
		return
	}
	answer(w, http.StatusServiceUnavailable, healthAnswer{Status: "down", Reason: cmp.Or(v.Failure, "the swarm has not been read yet")})
}

// routeAnswer is one backend with everything that leads to it.
type routeAnswer struct {
	Service  string            `json:"service"`
	Stack    string            `json:"stack,omitempty"`
	Backend  string            `json:"backend"`
	Routes   []routing.Route   `json:"routes"`
	Rewrites []routing.Rewrite `json:"rewrites,omitempty"`
	Servers  []routing.Server  `json:"servers"`
	Note     string            `json:"note,omitempty"` // why there are no servers
}

func (a api) routes(w http.ResponseWriter, _ *http.Request) {
	v := a.view()
	body := struct {
		Routes   []routeAnswer   `json:"routes"`
		Problems []label.Problem `json:"problems"`
	}{[]routeAnswer{}, append([]label.Problem{}, v.Problems...)}
	leads := map[string][]routing.Route{}
	for _, r := range v.Table.Routes {
		leads[r.Backend] = append(leads[r.Backend], r)
	}
	for _, b := range v.Table.Backends {
		body.Routes = append(body.Routes, routeAnswer{Service: b.Service, Stack: b.Stack, Backend: b.Name, Routes: append([]routing.Route{}, leads[b.Name]...),
			Rewrites: b.Rewrites, Servers: append([]routing.Server{}, b.Servers...), Note: b.Note})
	}
	answer(w, http.StatusOK, body)
}

func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // a client that went away is its own affair
}

// healthCommand is the container's health check.
type healthCommand struct {
	IP   string `name:"ip" env:"IP" help:"Address of the API; by default 127.0.0.1."`
	Port int    `env:"PORT" default:"8080" help:"Port of the API."`
}

func (c *healthCommand) Run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(cmp.Or(c.IP, "127.0.0.1"), fmt.Sprint(c.Port))+"/healthz", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("ask for health: %w", err)
	}
	defer response.Body.Close()
	var body healthAnswer
	if err := json.NewDecoder(response.Body).Decode(&body); err != nil {
		return fmt.Errorf("ask for health: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the proxy is %s: %s", body.Status, body.Reason)
	}
	fmt.Println(body.Status, body.Reason)
	return nil
}
