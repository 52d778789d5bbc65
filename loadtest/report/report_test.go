package report

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"sluice/loadtest/observe"
	"sluice/loadtest/result"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// example is a small run that has everything: a gap, a failure, decisions, and an expectation that does not hold.
func example() result.Result {
	number := func(v float64) *float64 { return &v }
	whole := func(v int) *int { return &v }
	fast := result.Latency{Mean: 5, P50: 4, P90: 8, P95: 9, P99: 12.5, P999: 40, Max: 41}
	slow := result.Latency{Mean: 300, P50: 250, P90: 800, P95: 900, P99: 1250, P999: 1400, Max: 1400}
	numbers := func(v ...float64) (out []*float64) {
		for _, v := range v {
			if v < 0 {
				out = append(out, nil)
				continue
			}
			out = append(out, &v)
		}
		return out
	}
	wholes := func(v ...int) (out []*int) {
		for _, v := range v {
			if v < 0 {
				out = append(out, nil)
				continue
			}
			out = append(out, &v)
		}
		return out
	}
	load := result.Load{
		Connections: numbers(0.5, 60, 55, -1), ConnectionsMax: numbers(1, 70, 66, -1), Queue: numbers(0, -1, 3, -1), Rate: numbers(3, 600, 600, -1),
		Errors: numbers(-1, 0, 2, -1),
	}
	all := result.Tally{Asked: 1203, Sent: 1203, OK: 1201, Failed: 2, Dialed: 12, Latency: slow, Service: fast}
	return result.Result{
		Format: result.Format, Version: "v1.2.3", Scenario: "Small & quick", About: "What a report shows.", File: "load.yml", Service: "demo_app",
		Source:  "name: Small & quick\n",
		Machine: result.Machine{Host: "bench", OS: "linux 6.1.0", Arch: "amd64", Processor: "Some CPU", Cores: 2, MemoryMB: 8192, Go: "go1.26.8"},
		Targets: []result.Target{
			{Method: "POST", URL: "http://127.0.0.1:80/demo/", Weight: 2, Sent: 803, OK: 801, Failed: 2, Latency: slow, Service: fast},
			{Name: "home", Method: "GET", URL: "http://127.0.0.1:80/", Weight: 1, Sent: 400, OK: 400, Latency: fast, Service: fast},
		},
		Client:  result.Client{KeepAlive: true, TimeoutMs: 10000, Connections: 500},
		Started: time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC), LoadSeconds: 3,
		Total: all, Curve: []result.Quantile{{50, 250}, {90, 800}, {99, 1250}, {100, 1400}},
		Phases: []result.Phase{
			{Name: "calm", Kind: "constant", Rates: []float64{3}, From: 0, To: 1, Tally: result.Tally{Asked: 3, Sent: 3, OK: 3, Latency: fast, Service: fast}, Curve: []result.Quantile{},
				Targets: []result.TargetTally{{Target: 0, Sent: 2, OK: 2, Latency: fast}, {Target: 1, Sent: 1, OK: 1, Latency: fast}}},
			{Name: "rise", Kind: "ramp", Rates: []float64{3, 600}, From: 1, To: 3, Tally: all, Curve: []result.Quantile{}},
		},
		Failures: []result.Failure{{Kind: "reset", Count: 2, Samples: []result.Sample{{At: 2.5, Phase: "rise", Text: "read tcp: connection reset by peer"}}}},
		Pace:     result.Pace{LatenessP99Ms: 1.2, LatenessMaxMs: 3, CPU: 0.61, Cores: 2},
		Services: []result.Service{{
			Name: "demo_app", Policy: &observe.Policy{Min: 1, Max: 8, Targets: []observe.Target{{Metric: "sessions", Value: 10}}},
			Desired: wholes(1, -1, 4, 1), Running: wholes(1, -1, 3, 1), Waiting: wholes(0, -1, 1, 0), Load: load,
			Backends: []result.Backend{{Name: "demo_app-8080", Load: load}},
		}},
		Proxies: []result.Proxy{{Instance: "proxy-1", Workers: wholes(1, 2, -1, 1), Draining: wholes(0, 1, -1, 0),
			Reloads: []result.Reload{{At: 1.1, Reason: "new backend shop-80"}}}},
		Marks: []result.Mark{
			{At: 1, Took: 1.5, Name: "update demo_app", Kind: "update", Outcome: "completed"},
			{At: 2.2, Name: "kill a task of shop", Kind: "kill", Err: "it has none"},
		},
		Holders: []result.Holders{{Target: "ws://127.0.0.1/ws", Opened: 20, Most: 20, Lost: 1, Closed: 19, Open: fast, Echo: fast,
			Failures: []result.Sample{{At: 2.25, Text: "lost: connection reset by peer"}}}},
		Seconds: []result.Second{
			{Asked: 3, Sent: 3, OK: 3, P50: number(4), P99: number(12.5), Service99: number(12), Connections: number(0.5), Queue: number(0), Desired: whole(1), Running: whole(1)},
			{Asked: 600, Sent: 600, OK: 500, P50: number(250), P99: number(1250), Service99: number(12), Connections: number(60)},
			{Asked: 600, Sent: 600, OK: 697, Failed: 2, Status5xx: 1, NoAnswer: 1, Held: whole(19), Lost: 1, P50: number(5), P99: number(20), Service99: number(19), Connections: number(55), Desired: whole(4), Running: whole(3)},
			{OK: 1, Desired: whole(1), Running: whole(1)},
		},
		Changes: []result.Decision{
			{At: 1.25, Service: "demo_app", From: 1, To: 4, Verdict: "up", Reason: `sessions 60 over 1 replica is 60 each, target "10": want 4 </script>`},
			{At: 2.5, Service: "demo_app", From: 4, To: 4, Verdict: "hold", Reason: "cooling down"},
			{At: 2.9, Service: "demo_app", From: 4, To: 1, Verdict: "down", Reason: "sessions 0 over 4 replicas: want 1"},
		},
		Gaps:     []observe.Gap{{Source: "scaler", From: 1, To: 1, Reason: "connection refused"}},
		Notes:    []string{"The scaler could not be read in second 1: connection refused."},
		Verdicts: []result.Verdict{{Expect: "errors = 0", Line: 20, Saw: "2 of 1203 requests failed"}, {Expect: "replicas >= 3", Line: 21, Passed: true, Saw: "at most 3, first in second 2"}},
	}
}

func TestTextsOfAReport(t *testing.T) {
	dir, r := t.TempDir(), example()
	if err := Write(dir, r); err != nil {
		t.Fatal(err)
	}
	timeline, err := os.ReadFile(filepath.Join(dir, Timeline))
	if err != nil {
		t.Fatal(err)
	}
	const path = "testdata/texts.txtar"
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	services, err := os.ReadFile(filepath.Join(dir, Services))
	if err != nil {
		t.Fatal(err)
	}
	got := []txtar.File{{Name: "summary", Data: []byte(Summary(r))}, {Name: "timeline.csv", Data: timeline}, {Name: "services.csv", Data: services}, {Name: "page", Data: []byte(words(render(t, r)))}}
	if *update {
		archive.Files = got
		if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if len(archive.Files) != len(got) {
		t.Fatalf("%s has %d files, not %d", path, len(archive.Files), len(got))
	}
	for i, f := range got {
		if diff := cmp.Diff(string(archive.Files[i].Data), string(f.Data)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", f.Name, diff)
		}
	}
}

func TestAResultReadsBackAsItWasWritten(t *testing.T) {
	dir := t.TempDir()
	if err := Write(dir, example()); err != nil {
		t.Fatal(err)
	}
	got, err := Read(dir)
	if diff := cmp.Diff(example(), got); diff != "" || err != nil {
		t.Errorf("error %v, result (-want +got):\n%s", err, diff)
	}
}

func TestThePageHoldsTheResultForItsCharts(t *testing.T) {
	_, rest, found := strings.Cut(render(t, example()), "<script>const result = ")
	data, _, end := strings.Cut(rest, ";\nconst letters")
	if !found || !end {
		t.Fatal("the page has no result in it")
	}
	var got result.Result
	if err := json.Unmarshal([]byte(data), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(example(), got); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
}

func TestThePageNeedsNothingButItself(t *testing.T) {
	page := render(t, example())
	for _, pattern := range []string{`<link`, `<script[^>]+src`, `<img`, `@import`, `url\(\s*['"]?(https?:)?//`, `fetch\(`, `XMLHttpRequest`} {
		if found := regexp.MustCompile(pattern).FindString(page); found != "" {
			t.Errorf("the page loads something: %s", found)
		}
	}
}

// render is the page of r.
func render(t *testing.T, r result.Result) string {
	t.Helper()
	var out strings.Builder
	if err := WritePage(&out, r); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// words are what a reader of the page sees without its charts, a line for each block.
func words(page string) string {
	_, body, _ := strings.Cut(page, "<main>")
	body, _, _ = strings.Cut(body, "</main>")
	body = regexp.MustCompile(`(?s)<noscript>.*?</noscript>|<svg.*?</svg>`).ReplaceAllString(body, "")
	body = regexp.MustCompile(`</(td|th|span)>`).ReplaceAllString(body, " | ")
	body = regexp.MustCompile(`<[^>]*>`).ReplaceAllString(body, "")
	var out strings.Builder
	for line := range strings.Lines(body) {
		if line = strings.TrimRight(strings.TrimSpace(line), " |"); line != "" {
			out.WriteString(line + "\n")
		}
	}
	return out.String()
}

func TestAResultOfTheFirstFormatIsReadAsItWas(t *testing.T) {
	dir := t.TempDir()
	const old = `{"version":"v0","scenario":"old","service":"app","started":"2026-01-02T15:04:05Z","seconds":[{"ok":1,"running":2,"desired":3,"connections":4}],
		"decisions":[{"at":0.5,"from":2,"to":3}],"phases":[]}`
	if err := os.WriteFile(filepath.Join(dir, Data), []byte(old), 0o644); err != nil {
		t.Fatal(err)
	}
	r, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Services) != 1 || r.Services[0].Name != "app" || *r.Services[0].Running[0] != 2 || *r.Services[0].Connections[0] != 4 || r.Changes[0].Service != "app" {
		t.Errorf("services %+v, decisions %+v", r.Services, r.Changes)
	}
	render(t, r)
}

func TestWhatIsNoResultIsRefusedWithItsReason(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"other JSON", `{"a":1}`, "it is no result of a run"},
		{"newer", `{"format":99,"version":"v9","scenario":"s","started":"2026-01-02T15:04:05Z"}`, "its format is 99, this loadtest knows up to 2: use the one that wrote it, version v9"},
		{"no JSON", `second,phase`, "invalid character"},
	}
	for _, tt := range tests {
		path := filepath.Join(t.TempDir(), Data)
		if err := os.WriteFile(path, []byte(tt.text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(path); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
		}
	}
}
