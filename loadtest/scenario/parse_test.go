package scenario

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func environment(name string) (string, bool) {
	value, ok := map[string]string{"PORT": "8123", "EMPTY": ""}[name]
	return value, ok
}

// files are those that stand beside a scenario.
func files(beside []txtar.File) func(string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		for _, f := range beside {
			if f.Name == name {
				return f.Data, nil
			}
		}
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
}

// Each file of testdata holds a scenario and what is wrong with it.
func TestParseNamesEveryMistakeWithItsLine(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("find golden files: %v, %v", paths, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Parse(archive.Files[0].Name, archive.Files[0].Data, environment, files(archive.Files[2:]))
			got := "ok\n"
			if err != nil {
				got = err.Error() + "\n"
			}
			if *update {
				archive.Files[1].Data = []byte(got)
				if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(archive.Files[1].Data), got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseFillsInDefaultsAndEnvironment(t *testing.T) {
	got, err := Parse("s.yml", []byte(`
name: small
targets:
  - url: http://127.0.0.1:${PORT}/${EMPTY:-vote}
phases:
  - {name: calm, rate: "${RATE:-20}", duration: 10s}
  - {name: rise, kind: ramp, to: 200, duration: 1m}
  - {name: stairs, kind: step, rates: [100, 50], duration: 20s}
observe: {service: app, scaler: "http://127.0.0.1:8081/"}
expect:
  - p99   <  200ms in calm
`), environment, files(nil))
	if err != nil {
		t.Fatal(err)
	}
	want := &Scenario{
		File: "s.yml", Name: "small", KeepAlive: true, Timeout: 10 * time.Second, Connections: 500,
		Targets: []Target{{URL: "http://127.0.0.1:8123/vote", Method: "GET", Weight: 1}},
		Phases: []Phase{
			{Name: "calm", Kind: Constant, Rates: []float64{20}, Duration: 10 * time.Second},
			{Name: "rise", Kind: Ramp, Rates: []float64{20, 200}, Duration: time.Minute}, // goes on from where calm was
			{Name: "stairs", Kind: Step, Rates: []float64{100, 50}, Duration: 20 * time.Second},
		},
		Observe: Observe{Service: "app", Scaler: "http://127.0.0.1:8081"},
		Expect:  []Expectation{{Text: "p99 < 200ms in calm", Line: 11, Subject: "p99", Op: "<", Value: 200, Unit: Milliseconds, Phase: "calm"}},
		Limit:   Limit{1_000_000, 15 * time.Minute, 10_000},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("scenario (-want +got):\n%s", diff)
	}
}

func TestAnEventMayHappenSeveralTimes(t *testing.T) {
	s, err := Parse("s.yml", []byte(`
name: reloads
targets: [{url: "http://localhost/"}]
phases: [{name: a, rate: 1, duration: 10s}]
events:
  - {at: 2s, times: 3, every: 500ms, reload: "http://127.0.0.1:8080/"}
`), environment, files(nil))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range s.Events {
		got = append(got, fmt.Sprint(e.At, " ", e.Name, " ", e.Call.URL))
	}
	want := []string{
		"2s reload the proxy (1 of 3) http://127.0.0.1:8080/v1/docker-flow-proxy/reload",
		"2.5s reload the proxy (2 of 3) http://127.0.0.1:8080/v1/docker-flow-proxy/reload",
		"3s reload the proxy (3 of 3) http://127.0.0.1:8080/v1/docker-flow-proxy/reload",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestExpandFollowsTheShell(t *testing.T) {
	tests := []struct{ text, want, wantErr string }{
		{"plain $5", "plain $5", ""},
		{"${PORT}", "8123", ""},
		{"a${PORT:-80}b${PORT}", "a8123b8123", ""},
		{"${NONE:-80}", "80", ""},
		{"${EMPTY:-80}", "80", ""},
		{"${EMPTY}", "", ""},
		{"${NONE:-}", "", ""},
		{"$${PORT}", "${PORT}", ""},
		{"${NONE}", "", "variable NONE is not set: set it, or write ${NONE:-default}"},
		{"${PORT", "", `"${PORT" has no closing brace`},
		{"${1A}", "", `"${1A}" is no variable: want ${NAME} or ${NAME:-default}`},
	}
	for _, tt := range tests {
		got, err := expand(tt.text, environment)
		if fmt.Sprint(err) != tt.wantErr && (err != nil || tt.wantErr != "") {
			t.Errorf("%s: error %v, want %q", tt.text, err, tt.wantErr)
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.text, got, tt.want)
		}
	}
}

func FuzzParseTrace(f *testing.F) {
	f.Add([]byte("second,rate\n0,10\n5,20\n"))
	f.Add([]byte("0,1\n1e9,2"))
	f.Fuzz(func(t *testing.T, data []byte) {
		points, _, err := ParseTrace(data)
		if err != nil {
			return
		}
		for i := 1; i < len(points); i++ {
			if points[i].At <= points[i-1].At || points[i].Rate < 0 {
				t.Fatalf("point %v after %v", points[i], points[i-1])
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("name: a\ntargets: [{url: 'http://localhost'}]\nphases: [{name: a, rate: 1, duration: 1s}]\n"))
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("name: a\ntargets: [{url: 'http://localhost'}]\nphases: [{name: a, kind: sawtooth, low: 1, high: 9, period: 1s, duration: 3s}, {name: b, kind: closed, users: 3, duration: 1s}]\nevents: [{at: 1s, kill: {service: a}}]\nhold: [{url: 'ws://localhost', connections: 4}]\n"))
	f.Add([]byte("name: ${X\n---\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Parse("f.yml", data, environment, files(nil))
		var problems Problems
		switch {
		case err == nil && NewSchedule(s.Phases).Len() == 0 && !slices.ContainsFunc(s.Phases, func(p Phase) bool { return p.Users > 0 }):
			t.Fatal("a scenario that asks for nothing was accepted")
		case err != nil && (!errors.As(err, &problems) || len(problems) == 0):
			t.Fatalf("error without problems: %v", err)
		}
	})
}
