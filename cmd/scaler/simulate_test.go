package main

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/policy"
)

const stack = `services:
  web:
    image: web
    deploy:
      labels:
        com.df.notify: "true"
        com.df.scale.max: 8
        com.df.scale.target: 10
  queue:
    image: queue
    deploy:
      labels: ["com.df.scale.max=4", "com.df.scale.target=5", "com.df.scale.metric=queue"]
  db:
    image: db
`

func TestLabelsToSimulate(t *testing.T) {
	tests := []struct{ name, file, content, service, want string }{
		{"lines", "shop.env", "# what we try\ncom.df.scale.max=8\n\n- com.df.scale.query=a = b\n", "", "shop: com.df.scale.max=8 com.df.scale.query=a = b"},
		{"a service of a stack", "stack.yml", stack, "queue", "queue: com.df.scale.max=4 com.df.scale.metric=queue com.df.scale.target=5"},
		{"several services", "stack.yml", stack, "", "error several services have scaling labels (say --service): web, queue"},
		{"none", "stack.yml", stack, "db", "error service db is not there, or has no scaling labels"},
		{"no label", "x", "com.df.scale.max=1\nport=3", "", `error line 2: is no label such as com.df.scale.max=10, got "port=3"`},
		{"twice", "x", "com.df.scale.max=1\ncom.df.scale.max=2", "", "error line 2: com.df.scale.max stands there twice"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			name, labels, err := labelsOf(tt.file, []byte(tt.content), tt.service)
			got := name + ":"
			for _, spec := range []string{"max", "metric", "query", "target"} {
				if value, written := labels[policy.Prefix+spec]; written {
					got += " " + policy.Prefix + spec + "=" + value
				}
			}
			if err != nil {
				got = "error " + err.Error()
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSimulationOfAFileWritesTableAndPicture(t *testing.T) {
	dir := t.TempDir()
	trace, labels := filepath.Join(dir, "load.csv"), filepath.Join(dir, "stack.yml")
	for file, content := range map[string]string{trace: "seconds,sessions\n0,8\n60,35\n200,8\n300,8\n", labels: stack} {
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c := simulateCommand{Labels: labels, Service: "web", Trace: trace, Capacity: 12, Start: 5 * time.Second}
	b, err := c.bench()
	if err != nil {
		t.Fatal(err)
	}
	traces, err := c.traces(t.Context(), &b)
	if err != nil {
		t.Fatal(err)
	}
	runs := []run{b.run(traces[0])}
	var table strings.Builder
	if err := printRuns(&table, b, runs); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"One replica carries 12, starts in 5 s; between 1 and 8 of them.", "minimum", "sluice", "HPA", "Knative", "docker-scaler", "load: "} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("no %q in\n%s", want, table.String())
		}
	}
	var text, page strings.Builder
	if err := writeRuns(&text, runs); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(text.String())).ReadAll()
	if err != nil || len(rows) != 302 {
		t.Fatalf("%d rows, want a head and 301 seconds, error %v", len(rows), err)
	}
	if head := strings.Join(rows[0][:6], ","); head != "trace,second,load,minimum desired,minimum ready,minimum waiting" {
		t.Errorf("head %s", head)
	}
	if err := writePage(&page, b, runs); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"uPlot", `"scalers":["minimum","sluice","HPA","Knative","docker-scaler"]`, "Why it scaled", "sessions 35"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page has no %q", want)
		}
	}
	if strings.Contains(page.String(), `src="http`) || strings.Contains(page.String(), `href="http`) {
		t.Error("the page needs something else")
	}
}

// A policy with no target can be simulated, though there is nothing to compare it with.
func TestSimulationWithoutATarget(t *testing.T) {
	file := filepath.Join(t.TempDir(), "labels")
	if err := os.WriteFile(file, []byte("com.df.scale.max=8\ncom.df.scale.strategy=threshold\ncom.df.scale.upAbove=80\ncom.df.scale.downBelow=30\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	c := simulateCommand{Labels: file, Generate: []string{"step"}, Start: time.Second}
	if _, err := c.bench(); err == nil || !strings.Contains(err.Error(), "--capacity: is missing") {
		t.Errorf("error %v", err)
	}
	c.Capacity = 100
	b, err := c.bench()
	if err != nil {
		t.Fatal(err)
	}
	traces, err := c.traces(t.Context(), &b)
	if err != nil {
		t.Fatal(err)
	}
	if r := b.run(traces[0]); len(r.results) != 2 || len(r.decisions) == 0 {
		t.Errorf("%d results, %d decisions", len(r.results), len(r.decisions))
	}
}
