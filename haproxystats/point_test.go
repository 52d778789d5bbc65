package haproxystats

import (
	"flag"
	"fmt"
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

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// TestPointsOfRealCaptures replays what a real HAProxy answered (`TIME worker PID [draining]`, in this order) and
// compares the points with the section `points`: one line each, fields that are 0 left out.
func TestPointsOfRealCaptures(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no captures", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := replay(t, archive)
			last := &archive.Files[len(archive.Files)-1]
			if last.Name != "points" {
				archive.Files = append(archive.Files, txtar.File{Name: "points"})
				last = &archive.Files[len(archive.Files)-1]
			}
			if *update {
				last.Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(last.Data), got); diff != "" {
				t.Errorf("points (-want +got):\n%s", diff)
			}
		})
	}
}

// replay gives the points of all steps.
func replay(t *testing.T, archive *txtar.Archive) string {
	t.Helper()
	s := NewSampler()
	from := Origin{Host: "node-1", Server: "proxy-1", Owner: func(backend string) (string, string) {
		if backend == "go-demo-be8080_0" {
			return "go-demo_main", "go-demo"
		}
		return "", ""
	}}
	var out strings.Builder
	var workers []Worker
	for i, f := range archive.Files {
		var after, draining string
		var pid int
		if n, _ := fmt.Sscanf(f.Name, "%s worker %d %s", &after, &pid, &draining); n < 2 {
			continue
		}
		workers = append(workers, Worker{PID: pid, Draining: draining != "", Rows: mustParse(t, string(f.Data))})
		if i+1 < len(archive.Files) && strings.HasPrefix(archive.Files[i+1].Name, after+" ") {
			continue // more workers of this moment
		}
		d, err := time.ParseDuration(after)
		if err != nil {
			t.Fatal(err)
		}
		for p := range Points(epoch.Add(d), from, s.Next(epoch.Add(d), workers)) {
			fmt.Fprintf(&out, "%-3s%s\n", after, line(p))
		}
		workers = nil
	}
	return out.String()
}

// line writes a point as InfluxDB would, but without time and zeroes.
func line(p Point) string {
	parts := []string{p.Measurement}
	for _, t := range p.Tags {
		parts = append(parts, t.Key+"="+t.Value)
	}
	text := strings.Join(parts, ",")
	for _, f := range p.Fields {
		switch v := f.Value.(type) {
		case int64:
			if v != 0 {
				text += fmt.Sprintf(" %s=%d", f.Key, v)
			}
		case float64:
			text += fmt.Sprintf(" %s=%.3f", f.Key, v)
		default:
			text += fmt.Sprintf(" %s=%q", f.Key, v)
		}
	}
	return text
}

func mustParse(t testing.TB, text string) []Row {
	t.Helper()
	rows, err := Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestUnknownColumnsAreIntegers(t *testing.T) {
	s := NewSampler()
	rows := mustParse(t, "# pxname,svname,scur,type,quic_new,quic_name,\nbe,BACKEND,1,1,42,text,\n")
	for p := range Points(epoch, Origin{}, s.Next(epoch, []Worker{{PID: 1, Rows: rows}})) {
		if !slices.Contains(p.Fields, Field{"quic_new", int64(42)}) {
			t.Errorf("fields lack quic_new: %v", p.Fields)
		}
		if slices.ContainsFunc(p.Fields, func(f Field) bool { return f.Key == "quic_name" }) {
			t.Errorf("a text that Telegraf does not write is written: %v", p.Fields)
		}
		want := []Tag{{"proxy", "be"}, {"sv", "BACKEND"}, {"type", "backend"}}
		if diff := cmp.Diff(want, p.Tags); diff != "" {
			t.Errorf("tags:\n%s", diff)
		}
	}
}

func TestEveryFieldOfAPointIsInTheSchema(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/reload.txtar")
	if err != nil {
		t.Fatal(err)
	}
	schema := Schema()[0]
	s := NewSampler()
	for i, f := range archive.Files[:1] {
		at := epoch.Add(time.Duration(i) * time.Second)
		for p := range Points(at, Origin{Host: "h", Server: "s"}, s.Next(at, []Worker{{PID: 1, Rows: mustParse(t, string(f.Data))}})) {
			for _, field := range p.Fields {
				a, ok := schema.Field(field.Key)
				kind := map[bool]Kind{true: Float, false: Int}
				_, isFloat := field.Value.(float64)
				want := kind[isFloat]
				if _, isText := field.Value.(string); isText {
					want = Text
				}
				if !ok || a.Kind != want {
					t.Errorf("%s is not in the schema as %s", field.Key, want)
				}
			}
			for _, tag := range p.Tags {
				if _, ok := schema.Tag(tag.Key); !ok {
					t.Errorf("tag %s is not in the schema", tag.Key)
				}
			}
		}
	}
}

func TestServersThatShareABackendAreAskedForOneByOne(t *testing.T) {
	from := Origin{Owner: func(name string) (string, string) {
		return map[string]string{"g_group/a.1": "a", "alone": "b"}[name], ""
	}}
	for _, row := range []struct {
		sample Sample
		want   string
	}{
		{Sample{Proxy: "g_group", Sv: "BACKEND", Type: Backend}, ""},
		{Sample{Proxy: "g_group", Sv: "a.1", Type: Server}, "a"},
		{Sample{Proxy: "alone", Sv: "b.1", Type: Server}, "b"},
	} {
		got := ""
		for _, tag := range row.sample.tags(nil, from) {
			if tag.Key == "service" {
				got = tag.Value
			}
		}
		if got != row.want {
			t.Errorf("%s/%s is of %q, want %q", row.sample.Proxy, row.sample.Sv, got, row.want)
		}
	}
}
