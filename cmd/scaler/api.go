package main

import (
	"cmp"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"sluice/internal/daemon"
)

// stuck is how long a tick may take before the scaler counts as down.
const stuck = 30 * time.Second

// api answers what the loop left on the board, and hands requests that change something to it (api_change.go).
type api struct {
	board    *board
	gather   prometheus.Gatherer
	guard    daemon.Guard
	requests chan<- request
}

func (a api) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", a.health)
	mux.HandleFunc("GET /v1/services", func(w http.ResponseWriter, _ *http.Request) { daemon.Answer(w, http.StatusOK, a.board.all()) })
	mux.HandleFunc("GET /v1/services/{name}", a.service)
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.gather, promhttp.HandlerOpts{}))
	a.handleChanges(mux)
	return mux
}

func (a api) service(w http.ResponseWriter, r *http.Request) {
	s, found := a.board.get(r.PathValue("name"))
	if !found {
		daemon.Answer(w, http.StatusNotFound, map[string]string{"error": fmt.Sprintf("no service %q has scaling labels", r.PathValue("name"))})
		return
	}
	daemon.Answer(w, http.StatusOK, s)
}

// health is 503 only when the loop does not turn: another process could not reach the swarm or InfluxDB either.
func (a api) health(w http.ResponseWriter, _ *http.Request) {
	h := a.board.doing()
	switch reason := cmp.Or(h.Swarm, h.Influx); {
	case h.Ticked.IsZero():
		daemon.Health{Status: "down", Reason: "starting"}.Answer(w)
	case time.Since(h.Ticked) > stuck:
		daemon.Health{Status: "down", Reason: fmt.Sprintf("the last look at the services was %s ago", time.Since(h.Ticked).Round(time.Second))}.Answer(w)
	case reason != "":
		daemon.Health{Status: "degraded", Reason: reason}.Answer(w)
	default:
		daemon.Health{Status: "ok"}.Answer(w)
	}
}
