package events

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/swarm"
	"sluice/loadtest/result"
	"sluice/loadtest/scenario"
)

// engine writes down what it is asked to do.
type engine struct {
	mu    sync.Mutex
	asked []string
	err   error
}

func (e *engine) note(format string, args ...any) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked = append(e.asked, fmt.Sprintf(format, args...))
	return e.err
}

func (e *engine) Change(_ context.Context, service string, c swarm.Change) error {
	replicas := -1
	if c.Replicas != nil {
		replicas = *c.Replicas
	}
	return e.note("change %s: %d %s %v %v %t", service, replicas, c.Image, c.Env, c.Labels, c.Force)
}

func (e *engine) Container(_ context.Context, service string, nth int) (string, error) {
	return fmt.Sprintf("%s.%d", service, nth), nil
}
func (e *engine) Kill(_ context.Context, id, signal string) error {
	return e.note("kill %s %s", id, signal)
}
func (e *engine) Stop(_ context.Context, id string) error   { return e.note("stop %s", id) }
func (e *engine) Start(_ context.Context, id string) error  { return e.note("start %s", id) }
func (e *engine) Pause(_ context.Context, id string) error  { return e.note("pause %s", id) }
func (e *engine) Resume(_ context.Context, id string) error { return e.note("resume %s", id) }

// run reads the events as a scenario has them and carries them out.
func run(t *testing.T, e *engine, events string) []result.Mark {
	t.Helper()
	file := "name: a\ntargets: [{url: 'http://localhost'}]\nphases: [{name: a, rate: 1, duration: 10s}]\nevents:\n" + events
	s, err := scenario.Parse("s.yml", []byte(file), func(string) (string, bool) { return "", false }, nil)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var marks []result.Mark
	NewStage(e).Run(t.Context(), s.Events, time.Now(), func(m result.Mark) {
		mu.Lock()
		defer mu.Unlock()
		marks = append(marks, m)
	})
	slices.SortFunc(marks, func(a, b result.Mark) int { return a.Line - b.Line })
	return marks
}

func TestTheEngineIsAskedForWhatTheFileSays(t *testing.T) {
	e := &engine{}
	run(t, e, `
  - {at: 0s, scale: {service: app, replicas: 0}}
  - {at: 1ms, update: {service: app, image: "app:2", env: {A: b}, labels: {c: d}, force: true}}
  - {at: 2ms, kill: {service: app, nth: 2}}
  - {at: 3ms, kill: {container: db, signal: TERM}}
  - {at: 4ms, stop: {container: db}}
  - {at: 5ms, start: {container: db}}
  - {at: 6ms, pause: {service: app}}
  - {at: 7ms, resume: {service: app}}
`)
	want := []string{
		"change app: 0  map[] map[] false", "change app: -1 app:2 map[A:b] map[c:d] true", "kill app.2 KILL", "kill db TERM",
		"stop db", "start db", "pause app.1", "resume app.1",
	}
	slices.Sort(e.asked) // a millisecond apart is no order on a busy machine
	slices.Sort(want)
	if diff := cmp.Diff(want, e.asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

func TestOutcomesAreMarked(t *testing.T) {
	var mu sync.Mutex
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		got = append(got, fmt.Sprintf("%s %s%s %s %s", r.Method, r.Host, r.URL.Path, r.Header.Get("X-A")+r.Header.Get("Authorization"), body))
		mu.Unlock()
		switch r.URL.Path {
		case "/no":
			http.Error(w, "not  now\n", http.StatusServiceUnavailable)
		case "/away":
			http.Redirect(w, r, "http://192.0.2.1/", http.StatusFound)
		}
	}))
	defer server.Close()
	marks := run(t, &engine{err: errors.New("no manager")}, strings.ReplaceAll(`
  - {at: 0s, request: {method: PUT, url: URL/a/, headers: {Host: shop.example, X-A: b}, body: c}}
  - {at: 0s, request: {url: URL/no}}
  - {at: 0s, request: {url: URL/no, status: 503}}
  - {at: 0s, request: {url: URL/away}}
  - {at: 0s, reload: URL, token: secret}
  - {at: 0s, command: [sh, -c, "exit 0"]}
  - {at: 0s, name: a slip, optional: true, command: [sh, -c, "echo out of luck >&2; exit 3"]}
  - {at: 0s, command: [no-such-program]}
  - {at: 0s, scale: {service: app, replicas: 2}}
`, "URL", server.URL))
	type outcome struct {
		Kind, Outcome, Err string
		Optional           bool
	}
	var seen []outcome
	for _, m := range marks {
		seen = append(seen, outcome{m.Kind, m.Outcome, m.Err, m.Optional})
	}
	want := []outcome{
		{"request", "answer 200 OK", "", false},
		{"request", "failed", "answer 503 Service Unavailable: not now", false},
		{"request", "answer 503 Service Unavailable", "", false},
		{"request", "failed", "answer 302 Found: ", false},
		{"reload", "answer 200 OK", "", false},
		{"command", "done", "", false},
		{"command", "failed", "run sh: exit status 3: out of luck", true},
		{"command", "failed", `run no-such-program: exec: "no-such-program": executable file not found in $PATH: `, false},
		{"scale", "failed", "no manager", false},
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("marks (-want +got):\n%s", diff)
	}
	if !slices.Contains(got, "PUT shop.example/a/ b c") || !slices.ContainsFunc(got, func(s string) bool {
		return strings.HasPrefix(s, "POST ") && strings.Contains(s, "/v1/docker-flow-proxy/reload Bearer secret")
	}) {
		t.Errorf("requests %q", got)
	}
	if marks[6].Name != "a slip" || marks[8].Name != "scale app to 2" || marks[0].Line != 6 {
		t.Errorf("marks %+v", marks)
	}
}

func TestEventsThatHaveNotBegunDoNotHappenAfterAnInterrupt(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	e := &engine{}
	NewStage(e).Run(ctx, []scenario.Event{{At: time.Hour, Kind: "stop", Container: &scenario.Container{Name: "db"}}}, time.Now(), func(m result.Mark) {
		t.Errorf("marked %+v", m)
	})
	if len(e.asked) > 0 {
		t.Errorf("asked %q", e.asked)
	}
}
