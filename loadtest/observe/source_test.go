package observe

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/swarm"
)

func TestScalerGivesReplicasDecisionsAndConnections(t *testing.T) {
	server := answer(t, "/v1/services/demo_app", `{"service":"demo_app","current":2,"desired":3,"running":2,"at":"2026-01-01T00:00:05Z",
		"metrics":[{"metric":"sessions","value":27.5,"target":10},{"metric":"requestRate","value":9}],
		"decisions":[{"at":"2026-01-01T00:00:05Z","from":2,"to":3,"verdict":"up","reason":"sessions 27.5 over 2 replicas: want 3"}]}`)
	got, err := Scaler{URL: server.URL, Service: "demo_app", Client: server.Client()}.Look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 1, 0, 0, 5, 0, time.UTC)
	want := Reading{
		Replicas:  &Replicas{Desired: 3, Running: 2},
		Loads:     []Load{{At: at, Connections: 27.5}},
		Decisions: []Decision{{at, 2, 3, "up", "sessions 27.5 over 2 replicas: want 3"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("reading (-want +got):\n%s", diff)
	}
}

func TestScalerWithoutDataSaysNothingAboutConnections(t *testing.T) {
	server := answer(t, "/v1/services/app", `{"desired":1,"running":1,"metrics":[{"metric":"sessions","value":0,"missing":"no points"}]}`)
	got, err := Scaler{URL: server.URL, Service: "app", Client: server.Client()}.Look(t.Context())
	if diff := cmp.Diff(Reading{Replicas: &Replicas{1, 1}}, got); diff != "" || err != nil {
		t.Errorf("error %v, reading (-want +got):\n%s", err, diff)
	}
}

func TestProxyAddsUpTheBackendsOfTheService(t *testing.T) {
	server := answer(t, "/v1/stats", `{"backends":{
		"demo_app-8080":{"service":"demo_app","points":[[1000000, 5, 6, null, 0],[1001010, 7.5, 9, 80, 2]]},
		"demo_app-9090":{"service":"demo_app","points":[[1001020, 1, 9, 80, 1]]},
		"other-80":{"service":"other","points":[[1001000, 100, 100, 100, 100]]}}}`)
	got, err := Proxy{URL: server.URL, Service: "demo_app", Client: server.Client()}.Look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int64][2]float64{}
	for _, l := range got.Loads {
		seen[l.At.Unix()] = [2]float64{l.Connections, *l.Queue}
	}
	if diff := cmp.Diff(map[int64][2]float64{1000: {5, 0}, 1001: {8.5, 3}}, seen); diff != "" {
		t.Errorf("connections and queue by second (-want +got):\n%s", diff)
	}
}

func TestSourcesSayWhyTheyFailed(t *testing.T) {
	broken := answer(t, "/v1/stats", `{"backends": 5}`)
	tests := []struct {
		source Source
		want   string
	}{
		{Proxy{URL: broken.URL, Service: "app", Client: broken.Client()}, "read stats of app: read answer: json"},
		{Scaler{URL: broken.URL, Service: "app", Client: broken.Client()}, `read status of app: answer 404 Not Found: "no such thing`},
		{Swarm{fakeCluster{}, "app"}, "find service app: the swarm has none of that name"},
		{Swarm{fakeCluster{err: errors.New("no manager")}, "app"}, "list services: no manager"},
	}
	for _, tt := range tests {
		if _, err := tt.source.Look(t.Context()); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.source.Name(), err, tt.want)
		}
	}
}

func TestSwarmCountsTasksThatRun(t *testing.T) {
	c := fakeCluster{
		services: []swarm.Service{{ID: "1", Name: "other", Replicas: 9}, {ID: "2", Name: "app", Replicas: 3}},
		tasks:    []swarm.Task{{ServiceID: "2", State: "running"}, {ServiceID: "2", State: "starting"}, {ServiceID: "2", State: "running"}},
	}
	got, err := Swarm{c, "app"}.Look(t.Context())
	if diff := cmp.Diff(Reading{Replicas: &Replicas{Desired: 3, Running: 2}}, got); diff != "" || err != nil {
		t.Errorf("error %v, reading (-want +got):\n%s", err, diff)
	}
}

type fakeCluster struct {
	services []swarm.Service
	tasks    []swarm.Task
	err      error
}

func (f fakeCluster) Services(context.Context, swarm.Filter) ([]swarm.Service, error) {
	return f.services, f.err
}

func (f fakeCluster) Tasks(_ context.Context, ids []string) ([]swarm.Task, error) {
	if fmt.Sprint(ids) != "[2]" {
		return nil, fmt.Errorf("asked for the tasks of %v", ids)
	}
	return f.tasks, nil
}

func answer(t *testing.T, path, body string) *httptest.Server {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != path {
			http.Error(w, "no such thing", http.StatusNotFound)
			return
		}
		fmt.Fprint(w, body)
	}))
	t.Cleanup(server.Close)
	return server
}
