package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"sluice/internal/influx"
	"sluice/internal/swarm"
)

// get asks the API, which shows the figures of the registry.
func (r *rig) get(registry *prometheus.Registry, path string) (int, string) {
	w := httptest.NewRecorder()
	api{board: r.recorder.board, gather: registry, requests: r.loop.requests}.handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Code, strings.TrimSpace(w.Body.String())
}

// watched is a rig whose figures are in the registry, with a service that is scaled and one whose labels cannot be used.
func watched() (*rig, *prometheus.Registry) {
	broken := demo(1, "min=20")
	broken.ID, broken.Name = "id2", "broken"
	r, registry := newRig(demo(3), broken), prometheus.NewRegistry()
	r.recorder.metrics, r.feed.gauges = newMetrics(registry), newSourceGauges(registry)
	watchOutbox(registry, func() influx.Stats { return influx.Stats{} })
	r.load["demo_app"] = 480
	return r, registry
}

func TestWhatIsKnownOfServicesIsOnTheAPI(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, registry := watched()
		r.seconds(t, 5)
		for path, want := range map[string][]string{
			"/v1/services":          {`200 [{"service":"broken"`, `"verdict":"invalid","reason":"com.df.scale.min: must not be above max, 10`, `"problems":[{`, `{"service":"demo_app"`},
			"/v1/services/demo_app": {`200 {"service":"demo_app"`, `"current":5`, `"decisions":[{`, `"from":3,"to":5,"verdict":"up","reason":"sessions 480 over 3 replicas`},
			"/v1/services/nobody":   {`404 {"error":"no service \"nobody\" has scaling labels"}`},
		} {
			code, body := r.get(registry, path)
			for _, words := range want {
				if answer := fmt.Sprint(code, " ", body); !strings.Contains(answer, words) {
					t.Errorf("%s: no %s in %s", path, words, answer)
				}
			}
		}
		if !slices.ContainsFunc(r.spool.lines, func(line string) bool {
			return strings.HasPrefix(line, "sluice_scale,service=broken,") && strings.Contains(line, `verdict="invalid"`)
		}) {
			t.Errorf("no word of the invalid labels in sluice_scale:\n%s", strings.Join(r.spool.lines, "\n"))
		}
	})
}

func TestHealthIsDownOnlyWhenNothingTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, registry := watched()
		check := func(when string, code int, words string) {
			t.Helper()
			if got, body := r.get(registry, "/healthz"); got != code || !strings.Contains(body, words) {
				t.Errorf("%s: %d %s, want %d with %s", when, got, body, code, words)
			}
		}
		check("before the first tick", http.StatusServiceUnavailable, `"reason":"starting"`)
		r.seconds(t, 2)
		check("all well", http.StatusOK, `{"status":"ok"}`)
		r.swarm.failure = errors.New("no leader")
		r.seconds(t, 1)
		check("without the swarm", http.StatusOK, `{"status":"degraded","reason":"no leader"`)
		r.swarm.failure, r.influx.failure = nil, errors.New("connection refused")
		r.seconds(t, 1)
		check("without InfluxDB", http.StatusOK, `{"status":"degraded","reason":"InfluxDB `)
		time.Sleep(time.Minute)
		check("stuck", http.StatusServiceUnavailable, `"the last look at the services was 1m0s ago"`)
	})
}

var (
	figure     = regexp.MustCompile(`# HELP sluice_scaler_(\w+)`)
	documented = regexp.MustCompile("`(?:sluice_scaler|…)_([a-z_]+)")
)

func TestEveryFigureIsInTheDocumentationAndSaysWhatHappened(t *testing.T) {
	page, err := os.ReadFile("../../docs/scaler.md")
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		r, registry := watched()
		r.seconds(t, 10)
		if code, answer := r.call(t, "POST", "/v1/services/demo_app/scale", `{"to": 6}`); code != http.StatusOK {
			t.Fatal(answer)
		}
		_, text := r.get(registry, "/metrics")
		for _, want := range []string{
			"services 2", "invalid_policies 1", `desired_replicas{service="demo_app"} 6`, `changes_total{direction="up",service="demo_app"} 2`,
			`verdict{service="broken",verdict="invalid"} 1`, `requests_total{code="200"} 1`, `failures_total{of="update"} 0`,
			`source_up{source="influxdb"} 1`, `source_used{source="influxdb"} 1`, "tick_seconds_count 10",
		} {
			if !strings.Contains(text, "\nsluice_scaler_"+want+"\n") {
				t.Errorf("no %s in\n%s", want, text)
			}
		}
		if diff := cmp.Diff(names(documented, string(page)), names(figure, text)); diff != "" {
			t.Errorf("figures (-documented +there):\n%s", diff)
		}
		r.swarm.services = slices.DeleteFunc(r.swarm.services, func(s swarm.Service) bool { return s.Name == "broken" })
		r.loop.stale = true
		r.seconds(t, 1)
		if _, text := r.get(registry, "/metrics"); strings.Contains(text, `"broken"`) || !strings.Contains(text, "\nsluice_scaler_invalid_policies 0\n") {
			t.Errorf("a service that is gone is still told of:\n%s", text)
		}
	})
}

// names are what the expression finds, each once and in order.
func names(expression *regexp.Regexp, text string) []string {
	var list []string
	for _, found := range expression.FindAllStringSubmatch(text, -1) {
		list = append(list, found[1])
	}
	slices.Sort(list)
	return slices.Compact(list)
}
