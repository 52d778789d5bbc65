package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// scaled is how many services the tick is measured with, of three tasks each.
const scaled = 1000

// tick measures the real scaler on a real InfluxDB; a list of services and tasks plays the swarm, since a machine does not
// carry 1,000 of them. Queries are counted on their way.
func tick(ctx context.Context, b bench) ([]row, error) {
	store, err := storing(b.dir)
	if err != nil {
		return nil, err
	}
	defer store.stop()
	binary, err := built(ctx, b.dir, "scaler")
	if err != nil {
		return nil, err
	}
	docker := httptest.NewServer(playedSwarm())
	defer docker.Close()
	target, err := url.Parse(store.url)
	if err != nil {
		return nil, err
	}
	var queries atomic.Int64
	forward := httputil.NewSingleHostReverseProxy(target)
	influx := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/v2/query" {
			queries.Add(1)
		}
		forward.ServeHTTP(w, r)
	}))
	defer influx.Close()
	measuring, stop := context.WithCancel(ctx)
	defer stop()
	failed := make(chan error, 1)
	go func() { failed <- measureAll(measuring, store) }()

	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	command := exec.Command(binary, "run", "--port", port(address), "--ip", "127.0.0.1", "--dir", b.dir)
	command.Env = append(os.Environ(), "DOCKER_HOST="+strings.Replace(docker.URL, "http", "tcp", 1), "INFLUX_URL="+influx.URL, "LOG_LEVEL=error")
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := command.Start(); err != nil {
		return nil, err
	}
	defer func() { _ = command.Process.Kill(); _ = command.Wait() }()
	cpu := func() [2]time.Duration {
		scaler, _ := processCPU(command.Process.Pid) // 0 of a process that has gone; ticks says so
		influxdb, _ := processCPU(store.cmd.Process.Pid)
		return [2]time.Duration{scaler, influxdb}
	}
	return ticks(ctx, b, "http://"+address, &queries, failed, cpu)
}

// ticks watches the scaler's own figures for some seconds, after those in which it reads the past.
func ticks(ctx context.Context, b bench, scaler string, queries *atomic.Int64, failed <-chan error, cpu func() [2]time.Duration) ([]row, error) {
	var means, asked, ours, theirs []float64
	before, warm := figures{}, 0
	for deadline := time.Now().Add(5 * time.Minute); len(means) < max(3, b.rounds); {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case err := <-failed:
			return nil, err
		case <-time.After(5 * time.Second):
		}
		now, err := read(scaler)
		now.cpu = cpu()
		if now.queries = queries.Load(); err != nil || now.services < scaled {
			if time.Now().After(deadline) {
				return nil, fmt.Errorf("the scaler does not see %d services: %+v, %w", scaled, now, err)
			}
			continue
		}
		if warm++; warm > 2 && now.count > before.count {
			means = append(means, 1000*(now.sum-before.sum)/(now.count-before.count))
			asked = append(asked, float64(now.queries-before.queries)/(now.count-before.count))
			ours = append(ours, float64((now.cpu[0]-before.cpu[0]).Milliseconds())/(now.count-before.count))
			theirs = append(theirs, float64((now.cpu[1]-before.cpu[1]).Milliseconds())/(now.count-before.count))
		}
		before = now
	}
	b.say("  ticks of %.0f ms", means)
	whole := limited(fmt.Sprintf("scaler tick, %d services", scaled), "ms", median(means), 300)
	whole.Detail = fmt.Sprintf("of a core per tick: %.0f ms in the scaler, %.0f ms in InfluxDB, writing included", median(ours), median(theirs))
	b.say("  %s", whole.Detail)
	return []row{whole, limited("scaler tick, queries to InfluxDB", "queries", median(asked), 1)}, nil
}

type figures struct {
	services, count, sum float64
	queries              int64
	cpu                  [2]time.Duration // of the scaler, of InfluxDB
}

func read(scaler string) (f figures, err error) {
	answer, err := http.Get(scaler + "/metrics")
	if err != nil {
		return f, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		v, _ := strconv.ParseFloat(value, 64)
		switch name {
		case "sluice_scaler_services":
			f.services = v
		case "sluice_scaler_tick_seconds_count":
			f.count = v
		case "sluice_scaler_tick_seconds_sum":
			f.sum = v
		}
	}
	return f, err
}

// measureAll writes what a proxy would: a point of every service in every second, and two minutes of the past.
func measureAll(ctx context.Context, store *influxd) error {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for next := time.Now().Add(-2 * time.Minute); ; {
		var lines bytes.Buffer
		for chunk := 0; chunk < 5 && next.Before(time.Now()); chunk, next = chunk+1, next.Add(time.Second) {
			for n := range scaled {
				fmt.Fprintf(&lines, "haproxy,host=n,server=proxy-1,sv=BACKEND,type=backend,proxy=svc%d-be80_1,service=svc%d scur_mean=%d,qcur=0i,req_rate_mean=9 %d\n", n, n, 120+n%7, next.UnixNano())
			}
		}
		if err := store.write(&lines); err != nil {
			return err
		}
		if next.Before(time.Now()) {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// playedSwarm answers what the scaler asks a manager.
func playedSwarm() http.Handler {
	var services, tasks []any
	began := time.Now().Add(-time.Hour)
	for n := range scaled {
		id := fmt.Sprintf("id%d", n)
		services = append(services, map[string]any{
			"ID": id, "Version": map[string]any{"Index": 7}, "UpdatedAt": began,
			"Spec": map[string]any{"Name": fmt.Sprintf("svc%d", n), "Labels": map[string]string{"com.df.scale.max": "10", "com.df.scale.target": "50"},
				"Mode": map[string]any{"Replicated": map[string]any{"Replicas": 3}}},
		})
		for slot := range 3 {
			tasks = append(tasks, map[string]any{"ID": fmt.Sprintf("%s.%d", id, slot), "ServiceID": id, "Slot": slot + 1, "DesiredState": "running",
				"Status": map[string]any{"State": "running", "Timestamp": began}})
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/_ping", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Api-Version", "1.41") })
	for path, list := range map[string][]any{"/v1.41/services": services, "/v1.41/tasks": tasks} {
		body, _ := json.Marshal(list) // maps of texts and numbers
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) })
	}
	mux.HandleFunc("GET /v1.41/events", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	return mux
}
