package policy_test

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"sluice/policy"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// A timeline has three files: labels; what happens when; and, golden, every decision that is news. Replicas obey the
// decisions, and somebody else's words. The words of a timeline: any metric (a rule's own query is query.1), replicas,
// proxies, silent and heard (number of a proxy), startup, updating, global, trouble, failing=METRIC and healed=METRIC,
// restart (the scaler forgets all), resume (and reads the past from the points), reload (the state goes through its
// label). The first second is noon of Sunday, 1 March 2026, UTC.
func TestTimelines(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no timelines", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, labelsOf(t, string(archive.Files[0].Data)), string(archive.Files[1].Data))
			if *update {
				archive.Files = append(archive.Files[:2], txtar.File{Name: "decisions", Data: []byte(got)})
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(archive.Files[2].Data), got); diff != "" {
				t.Errorf("decisions differ (-want +got), -update rewrites them:\n%s", diff)
			}
		})
	}
}

func labelsOf(t *testing.T, text string) map[string]string {
	labels := map[string]string{}
	for line := range strings.Lines(text) {
		key, value, found := strings.Cut(strings.TrimSpace(line), "=")
		if !found {
			t.Fatalf("not a label: %q", line)
		}
		labels[key] = value
	}
	return labels
}

func play(t *testing.T, labels map[string]string, script string) string {
	w := newWorld(t, labels, 1)
	events, end := map[time.Duration][]string{}, time.Duration(0)
	lines := bufio.NewScanner(strings.NewReader(script))
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		at, err := time.ParseDuration(words[0])
		if err != nil {
			t.Fatal(err)
		}
		events[at], end = words[1:], max(end, at)
	}
	var out strings.Builder
	var before policy.Decision
	for at := time.Duration(0); at < end; at += time.Second {
		for _, word := range events[at] {
			apply(t, w, word)
		}
		d := w.second()
		if d.At.IsZero() {
			continue
		}
		if d.News(before) {
			fmt.Fprintf(&out, "%-6s %-7s %s\n", at, d.Verdict, d.Reason)
		}
		before = d
	}
	return out.String()
}

func apply(t *testing.T, w *world, word string) {
	key, value, _ := strings.Cut(word, "=")
	n, err := strconv.ParseFloat(value, 64)
	switch key {
	case "sessions", "sessionRate", "requestRate", "queue", "responseTime", "errorRate", "bytesOut", "cpu", "memory", "query", "query.1", "query.2":
		w.load[key] = n
	case "failing":
		w.input.Failures, err = map[string]string{value: "metric " + value + " cannot be read"}, nil
	case "healed":
		w.input.Failures, err = nil, nil
	case "reload":
		w.state, err = policy.DecodeState(w.state.Encode())
	case "replicas":
		w.external(int(n))
	case "proxies":
		w.proxies = int(n)
	case "silent", "heard":
		w.silent[int(n)] = key == "silent"
	case "startup":
		w.startup, err = time.ParseDuration(value)
	case "updating":
		w.input.Updating, err = strconv.ParseBool(value)
	case "global":
		w.global, err = true, nil
	case "trouble":
		w.input.Trouble, err = strings.ReplaceAll(value, "_", " "), nil
	case "restart":
		w.state, err = policy.State{}, nil
	case "resume":
		w.state, err = w.policy.Resume(w.now, w.input, time.Time{}), nil
	default:
		t.Fatalf("unknown word %q", word)
	}
	if err != nil {
		t.Fatalf("%s: %v", word, err)
	}
}

func TestEveryLabelHasATimeline(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for key := range labelsOf(t, string(archive.Files[0].Data)) {
			if dot := strings.LastIndexByte(key, '.'); dot > len(policy.Prefix) {
				key = key[:dot]
			}
			used[key] = true
		}
	}
	for _, spec := range policy.Table.Specs {
		if !used[policy.Prefix+spec.Name] {
			t.Errorf("no timeline for %s", spec.Name)
		}
		for _, alias := range spec.Aliases {
			if !used[alias] {
				t.Errorf("no timeline for %s", alias)
			}
		}
	}
}
