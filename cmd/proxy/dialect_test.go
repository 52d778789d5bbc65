package main

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"sluice/internal/label"
	"sluice/internal/swarm"
	"sluice/routing"
)

// TestShortNamesComeFromTheStackOfTheSwarm is case 116.
func TestShortNamesComeFromTheStackOfTheSwarm(t *testing.T) {
	var services []swarm.Service
	for _, name := range []string{"shop_web", "blog_web"} {
		stack, _, _ := strings.Cut(name, "_")
		services = append(services, swarm.Service{ID: name, Name: name, Stack: stack, Networks: []string{"net1"}, Replicas: 1,
			Labels: map[string]string{"com.df.notify": "true", "com.df.shortName": "true", "com.df.port": "80", "com.df.servicePath": "/" + stack, "com.df.users": "a:b", "com.df.sessionType": "sticky-server"}})
	}
	list := asRouted(t, services[:1])
	table, problems := routing.BuildTable(list, routing.Options{Network: "proxy"})
	if len(problems) > 0 || len(table.Backends) != 1 {
		t.Fatalf("got %+v, problems %v", table.Backends, problems)
	}
	b := table.Backends[0]
	if b.Name != "web-be80_0" || b.HTTP.Auth.Realm != "webRealm" || b.HTTP.Balance.Cookie != "web" || table.Routes[0].ACLName != "web" {
		t.Errorf("got %s %s %s %s", b.Name, b.HTTP.Auth.Realm, b.HTTP.Balance.Cookie, table.Routes[0].ACLName)
	}
	if owner := owners(table)[b.Name]; owner.service != "shop_web" {
		t.Errorf("statistics are of %q", owner.service)
	}

	list = asRouted(t, services)
	_, problems = routing.BuildTable(list, routing.Options{Network: "proxy"})
	if len(problems) != 1 || problems[0].Service != "shop_web" || !strings.Contains(problems[0].Reason, "is one of blog_web too") {
		t.Errorf("two stacks with one short name: %v", problems)
	}
	w := httptest.NewRecorder()
	api{view: func() *view { return &view{Services: list} }}.config(w, httptest.NewRequest("GET", "/?type=json", nil))
	var shown map[string]struct{ ServiceName string }
	if err := json.Unmarshal(w.Body.Bytes(), &shown); err != nil || shown["web"].ServiceName != "web" || shown["blog_web"].ServiceName != "blog_web" {
		t.Errorf("config: %v %v", shown, err)
	}
}

// asRouted is what routing is told of services without tasks.
func asRouted(t *testing.T, services []swarm.Service) []routing.Service {
	t.Helper()
	k, err := known{}.next(t.Context(), &fakeSwarm{services: services}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return k.listing(listing{}).services
}

func TestNotesAreLoggedOnceAndAreNoWarnings(t *testing.T) {
	var log strings.Builder
	r := &reconciler{log: zerolog.New(&log)}
	note := label.Problem{Service: "a", Label: "com.df.distribute", Value: "true", Reason: "does nothing"}
	for range 3 {
		r.note([]label.Problem{note})
	}
	r.note(nil)
	if got := strings.Count(log.String(), "com.df.distribute"); got != 1 || strings.Contains(log.String(), "warn") {
		t.Errorf("logged:\n%s", log.String())
	}
	r.note([]label.Problem{note})
	if got := strings.Count(log.String(), "com.df.distribute"); got != 2 {
		t.Errorf("a note that came back is logged %d times", got)
	}
}

func TestTemplatesAreReadOnlyWhereTheyAreAllowed(t *testing.T) {
	services := []routing.Service{{Labels: map[string]string{"com.df.templateBePath": "dialect.go", "com.df.templateFePath.1": "/proc/self", "com.df.templateFePath.2": "/nowhere"}}}
	if got := readTemplates(services, routing.Options{}); len(got) != 0 {
		t.Errorf("read %d files though nothing is allowed", len(got))
	}
	got := readTemplates(services, routing.Options{AllowRaw: true})
	if len(got) != 1 || !strings.HasPrefix(got["dialect.go"], "package main") {
		t.Errorf("read %d files", len(got))
	}
}
