package swarm

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/events"
)

// engine plays a Docker Engine where the real one cannot be brought to do what a test
// needs: be newer, lose a race, break the stream of events.
type engine struct {
	t   *testing.T
	api string // version it announces, "" for none

	mu       sync.Mutex
	version  uint64
	spec     string        // of the one service, "svc"; "" if it does not exist
	before   func(*engine) // runs before each update, with mu held: somebody else's turn
	failing  string        // message of a 500 to every update
	warnings []string      // in answer to an update
	updates  []sent        // accepted or not
	tasks    string        // list of tasks
	asked    []string      // query of each list
	follows  []time.Time   // attempts to follow the events
	events   chan events.Message
	cut      bool // the stream of events ends at once
}

type sent struct {
	path, query, body string
	header            http.Header
}

func startEngine(t *testing.T, e *engine) *Client {
	t.Helper()
	e.t = t
	mux := http.NewServeMux()
	mux.HandleFunc("/_ping", func(w http.ResponseWriter, _ *http.Request) {
		if e.api != "" {
			w.Header().Set("Api-Version", e.api)
		}
	})
	mux.HandleFunc("GET /{api}/services/{id}", e.inspect)
	mux.HandleFunc("POST /{api}/services/{id}/update", e.update)
	mux.HandleFunc("GET /{api}/services", e.list)
	mux.HandleFunc("GET /{api}/tasks", e.listTasks)
	mux.HandleFunc("GET /{api}/configs/{id}", e.config)
	mux.HandleFunc("GET /{api}/events", e.follow)
	mux.HandleFunc("GET /{api}/refused", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusServiceUnavailable, "this node is not a swarm manager")
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	c, err := Open(strings.Replace(server.URL, "http", "tcp", 1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func (e *engine) inspect(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.spec == "" {
		refuse(w, http.StatusNotFound, "service svc not found")
		return
	}
	if got := r.FormValue("insertDefaults"); got != "false" {
		e.t.Errorf("inspected with insertDefaults=%s", got)
	}
	e.write(w)
}

func (e *engine) list(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked = append(e.asked, r.FormValue("filters"))
	io.WriteString(w, "[")
	e.write(w)
	io.WriteString(w, "]")
}

func (e *engine) write(w io.Writer) {
	json.NewEncoder(w).Encode(map[string]any{
		"ID": "svc", "Version": map[string]any{"Index": e.version}, "Spec": json.RawMessage(e.spec),
		"UpdateStatus": map[string]any{"State": "paused"},
	})
}

func (e *engine) update(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	e.updates = append(e.updates, sent{r.URL.Path, r.URL.RawQuery, string(body), r.Header})
	if e.before != nil {
		e.before(e)
	}
	switch {
	case e.spec == "":
		refuse(w, http.StatusNotFound, "service svc not found")
	case e.failing != "":
		refuse(w, http.StatusInternalServerError, e.failing)
	case r.FormValue("version") != json.Number(jsonOf(e.version)).String():
		refuse(w, http.StatusInternalServerError, "rpc error: code = Unknown desc = update out of sequence")
	default:
		e.spec = string(body)
		e.version++
		json.NewEncoder(w).Encode(map[string]any{"Warnings": e.warnings})
	}
}

func (e *engine) listTasks(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked = append(e.asked, r.FormValue("filters"))
	if strings.Contains(r.FormValue("filters"), "gone") {
		refuse(w, http.StatusNotFound, "service gone not found")
		return
	}
	io.WriteString(w, e.tasks)
}

func (e *engine) follow(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	e.follows = append(e.follows, time.Now())
	cut := e.cut
	e.mu.Unlock()
	w.WriteHeader(http.StatusOK)
	w.(http.Flusher).Flush()
	for !cut {
		select {
		case m := <-e.events:
			json.NewEncoder(w).Encode(m)
			w.(http.Flusher).Flush()
		case <-r.Context().Done():
			return
		}
	}
}

func (e *engine) followed() []time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]time.Time(nil), e.follows...)
}

func refuse(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]string{"message": message})
}

func jsonOf(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

// await waits for a condition; the test fails after 10 s.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for !done() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s", what)
		case <-time.After(time.Millisecond):
		}
	}
}
