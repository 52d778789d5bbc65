package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"sync/atomic"
	"testing"

	"github.com/coder/websocket"
	"github.com/rogpeppe/go-internal/testscript"

	"sluice/loadtest/events"
	"sluice/loadtest/scenario"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"loadtest": main})
}

// The scripts are a manual of the command. $PORT is a server that answers 200, but 503 on /full; it counts what is sent to /vote, sends back what it is
// sent at the WebSocket /chat, and is also a scaler and a proxy whose service "app" has gone from 1 to 2 replicas.
func TestScripts(t *testing.T) {
	server := httptest.NewServer(service())
	t.Cleanup(server.Close) // the scripts run side by side, after this function has returned
	address, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(e *testscript.Env) error {
			e.Setenv("PORT", address.Port())
			return nil
		},
	})
}

func service() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/full", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	var votes atomic.Int64
	mux.HandleFunc("/vote", func(http.ResponseWriter, *http.Request) { votes.Add(1) })
	mux.HandleFunc("/votes", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, `{"total":%d}`, votes.Load()) })
	mux.HandleFunc("/chat", func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer conn.CloseNow()
		for {
			kind, data, err := conn.Read(r.Context())
			if err != nil || conn.Write(r.Context(), kind, data) != nil {
				return
			}
		}
	})
	mux.HandleFunc("/v1/services/app", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"desired":2,"running":2,"decisions":[{"at":"2100-01-01T00:00:00Z","from":1,"to":2,"verdict":"up","reason":"sessions 20 over 1 replica: want 2"}]}`)
	})
	mux.HandleFunc("/v1/stats", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"backends":{}}`) })
	return mux
}

func TestAnInterruptedRunEndsWithAReportOfWhatWas(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	var served atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if served.Add(1) == 20 {
			interrupt()
		}
	}))
	defer server.Close()
	s := &scenario.Scenario{
		Name: "long", Targets: []scenario.Target{{URL: server.URL, Method: "GET", Weight: 1}},
		KeepAlive: true, Timeout: scenario.DefaultTimeout, Connections: 10,
		Phases: []scenario.Phase{{Name: "long", Kind: scenario.Constant, Rates: []float64{100}, Duration: scenario.DefaultDuration}},
	}
	var out bytes.Buffer
	r, err := trial(&world{ctx: ctx, out: &out}, s, nil, events.NewStage(nil))
	if err != nil {
		t.Fatal(err)
	}
	if !r.Interrupted || r.Passed || r.Total.OK < 19 || r.Total.Failed > 0 || r.Total.Asked < 20 || r.Total.Asked > 1000 {
		t.Errorf("interrupted %t, passed %t, %+v", r.Interrupted, r.Passed, r.Total)
	}
}
