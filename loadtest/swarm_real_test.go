package main

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/internal/swarm/swarmtest"
	"sluice/loadtest/report"
)

// The command itself scales, updates and kills on a real swarm while its load runs, and sees the replicas come. What is loaded is another server: the
// tasks of the service are only the ones that are counted.
func TestEventsHappenOnARealSwarm(t *testing.T) {
	t.Parallel() // with the scripts
	swarmtest.Need(t)
	started := swarmtest.Start(t, swarmtest.Service{Replicas: 1})
	swarmtest.Running(t, started.ID, 1)
	server := httptest.NewServer(service())
	defer server.Close()
	dir := t.TempDir()
	file := filepath.Join(dir, "load.yml")
	host := os.Getenv("DOCKER_HOST")
	if host == "" {
		host = "unix:///var/run/docker.sock"
	}
	text := strings.NewReplacer("SERVICE", started.Name, "URL", server.URL, "ENGINE", host).Replace(`
name: events
targets: [{url: "URL"}]
phases: [{name: all, rate: 20, duration: 26s}]
observe: {service: SERVICE, swarm: "ENGINE"}
events:
  - {at: 0s, scale: {service: SERVICE, replicas: 2}}
  - {at: 14s, kill: {service: SERVICE, nth: 1}}
  - {at: 16s, update: {service: SERVICE, labels: {com.df.notify: "false"}}}
  - {at: 18s, update: {service: SERVICE, env: {A: b}, force: true}}
  - {at: 20s, kill: {service: SERVICE, nth: 9}, optional: true}
  - {at: 21s, scale: {service: SERVICE, replicas: 1}}
expect:
  - replicas >= 2
  - final replicas = 1 within 3m
`)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(filepath.Join(dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	code := run(t.Context(), []string{"run", file, "--out", dir}, out, out)
	said, _ := os.ReadFile(out.Name())
	if code != exitPassed {
		t.Fatalf("exit code %d:\n%s", code, said)
	}
	r, err := report.Read(dir)
	if err != nil || len(r.Marks) != 6 {
		t.Fatalf("error %v, marks %+v", err, r.Marks)
	}
	for _, m := range r.Marks {
		if (m.Err == "") == m.Optional {
			t.Errorf("%+v", m)
		}
	}
	if s := swarmtest.Inspect(t, started.ID); s.Replicas != 1 || s.Labels["com.df.notify"] != "false" || s.Image != started.Image {
		t.Errorf("the service is now %+v", s)
	}
}
