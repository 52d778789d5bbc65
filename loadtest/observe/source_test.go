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
	server := answer(t, "/v1/services/demo_app", `{"service":"demo_app","current":2,"desired":3,"running":2,"min":1,"max":8,"at":"2026-01-01T00:00:05Z",
		"metrics":[{"metric":"sessions","value":27.5,"target":10},{"metric":"requestRate","value":9}],
		"decisions":[{"at":"2026-01-01T00:00:05Z","from":2,"to":3,"verdict":"up","reason":"sessions 27.5 over 2 replicas: want 3"}]}`)
	got, err := Scaler{URL: server.URL, Services: []string{"demo_app"}, Client: server.Client(), Connections: true}.Look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 1, 0, 0, 5, 0, time.UTC)
	want := Reading{
		Replicas:  map[string]Replicas{"demo_app": {Desired: 3, Running: 2}},
		Policies:  map[string]Policy{"demo_app": {1, 8, []Target{{"sessions", 10}}}},
		Loads:     []Load{{Service: "demo_app", At: at, Connections: new(27.5)}},
		Decisions: []Decision{{"demo_app", at, 2, 3, "up", "sessions 27.5 over 2 replicas: want 3"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("reading (-want +got):\n%s", diff)
	}
}

func TestScalerWithoutDataSaysNothingAboutConnections(t *testing.T) {
	server := answer(t, "/v1/services/app", `{"desired":1,"running":1,"metrics":[{"metric":"sessions","value":0,"missing":"no points"}]}`)
	got, err := Scaler{URL: server.URL, Services: []string{"app"}, Client: server.Client(), Connections: true}.Look(t.Context())
	if diff := cmp.Diff(Reading{Replicas: map[string]Replicas{"app": {Desired: 1, Running: 1}}, Policies: map[string]Policy{}}, got); diff != "" || err != nil {
		t.Errorf("error %v, reading (-want +got):\n%s", err, diff)
	}
}

func TestAServiceThatDoesNotScaleIsNoFailureBesideOneThatDoes(t *testing.T) {
	server := answer(t, "/v1/services/app", `{"desired":1,"running":1}`)
	got, err := Scaler{URL: server.URL, Services: []string{"gone", "app"}, Client: server.Client()}.Look(t.Context())
	if err != nil || len(got.Replicas) != 1 || got.Replicas["app"].Running != 1 {
		t.Errorf("error %v, replicas %v", err, got.Replicas)
	}
}

func TestProxyGivesBackendsWorkersAndReloads(t *testing.T) {
	server := answer(t, "/v1/stats", `{"instance":"one",
		"workers":[[1001000,1,0,4],[1002000,2,1,5]], "reloads":[{"at":1002000,"total":5,"reason":"new backend shop"}],
		"backends":{
		"demo_app-8080":{"service":"demo_app","points":[[1000000, 5, 6, null, 0, 7],[1002000, 7.5, 9, 80, 2, 13]]},
		"old":{"service":"demo_app","points":[[1000000, 1, 2, 3, 4]]},
		"other-80":{"service":"other","points":[[1001000, 100, 100, 100, 100, 0]]}}}`)
	got, err := Proxy{URLs: []string{server.URL}, Services: []string{"demo_app"}, Client: server.Client(), Lookup: itself}.Look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	at := func(ms int64) time.Time { return time.UnixMilli(ms) }
	want := Reading{
		Loads: []Load{
			{Service: "demo_app", Backend: "demo_app-8080", Instance: "one", At: at(1000000), Connections: new(5.0), Peak: new(6.0), Queue: new(0.0)},
			{Service: "demo_app", Backend: "old", Instance: "one", At: at(1000000), Connections: new(1.0), Peak: new(2.0), Rate: new(3.0), Queue: new(4.0)},
			{Service: "demo_app", Backend: "demo_app-8080", Instance: "one", At: at(1002000), Connections: new(7.5), Peak: new(9.0), Rate: new(80.0), Queue: new(2.0), Errors: new(3.0)},
		},
		Workers: []Workers{{"one", at(1001000), 1, 0, 4}, {"one", at(1002000), 2, 1, 5}},
		Reloads: []Reload{{"one", at(1002000), "new backend shop"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("reading (-want +got):\n%s", diff)
	}
}

func TestSourcesSayWhyTheyFailed(t *testing.T) {
	broken := answer(t, "/v1/stats", `{"backends": 5}`)
	tests := []struct {
		source Source
		want   string
	}{
		{Proxy{URLs: []string{broken.URL}, Services: []string{"app"}, Client: broken.Client(), Lookup: itself}, "read stats of app: read answer: json"},
		{Scaler{URL: broken.URL, Services: []string{"app"}, Client: broken.Client()}, `read status of app: answer 404 Not Found: "no such thing`},
		{Swarm{fakeCluster{}, []string{"app"}}, "find service app: the swarm has none of that name"},
		{Swarm{fakeCluster{err: errors.New("no manager")}, []string{"app"}}, "no manager"},
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
	got, err := Swarm{c, []string{"app", "gone"}}.Look(t.Context())
	if diff := cmp.Diff(Reading{Replicas: map[string]Replicas{"app": {Desired: 3, Running: 2, Waiting: new(1)}}}, got); diff != "" || err != nil {
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
