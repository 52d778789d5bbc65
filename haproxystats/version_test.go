package haproxystats

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestColumnsOfEveryVersion reads what HAProxy of several versions, built from its sources, answered to `show stat` after
// the same three requests: one served, one denied, one sent to a server that was not there. Versions have columns more or less.
func TestColumnsOfEveryVersion(t *testing.T) {
	files, err := filepath.Glob("testdata/versions/*.csv")
	if err != nil || len(files) < 5 {
		t.Fatal("no recordings", files, err)
	}
	for _, file := range files {
		version := strings.TrimSuffix(filepath.Base(file), ".csv")
		t.Run(version, func(t *testing.T) {
			answer, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			rows := mustParse(t, string(answer))
			samples := NewSampler().Next(epoch, []Worker{{PID: 1, Rows: rows}})
			fields := map[string]map[string]any{}
			for p := range Points(epoch, Origin{Host: "node-1", Server: "proxy-1"}, samples) {
				of := map[string]any{}
				for _, f := range p.Fields {
					of[f.Key] = f.Value
				}
				sv := slices.IndexFunc(p.Tags, func(tag Tag) bool { return tag.Key == "sv" })
				proxy := slices.IndexFunc(p.Tags, func(tag Tag) bool { return tag.Key == "proxy" })
				fields[p.Tags[proxy].Value+" "+p.Tags[sv].Value] = of
			}
			for _, want := range []struct {
				row, field string
				value      any
			}{
				{"http FRONTEND", "req_tot", int64(3)},
				{"http FRONTEND", "http_response.2xx", int64(1)},
				{"http FRONTEND", "status", "OPEN"},
				{"app BACKEND", "http_response.4xx", int64(1)},
				{"app BACKEND", "http_response.5xx", int64(1)},
				{"app BACKEND", "dreq", int64(1)},
				{"app BACKEND", "active_servers", int64(2)},
				{"app app.1", "stot", int64(1)},
				{"app app.1", "check_status", "L7OK"},
				{"app app.2", "tracked", "app/app.1"},
				{"empty BACKEND", "scur", int64(0)},
			} {
				if got := fields[want.row][want.field]; got != want.value {
					t.Errorf("%s %s: got %v, want %v", want.row, want.field, got, want.value)
				}
			}
			header, _, _ := strings.Cut(strings.TrimPrefix(string(answer), "# "), "\n")
			var unknown []string
			for name := range strings.SplitSeq(strings.TrimSuffix(strings.TrimSpace(header), ","), ",") {
				if _, known := schema.column[name]; !known {
					unknown = append(unknown, name)
				}
			}
			if got := strings.Join(unknown, " "); got != unknownColumns[version] {
				t.Errorf("columns that the table lacks: %s", got)
			}
		})
	}
}

// unknownColumns came after HAProxy 2.6. Numbers among them are written as they are, of the current worker.
var unknownColumns = map[string]string{
	"2.8.0": "srid sess_other h1sess h2sess h3sess req_other h1req h2req h3req (null)", // HAProxy 2.8.0 forgot a name
	"3.2.0": "srid sess_other h1sess h2sess h3sess req_other h1req h2req h3req proto",
}
