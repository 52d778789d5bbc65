package haproxystats

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// open is what is open at each backend by rows.
func open(rows []Row) []string {
	var out []string
	for _, r := range rows {
		if r.Type == Backend {
			scur, ok := r.Int("scur")
			stot, also := r.Int("stot")
			out = append(out, fmt.Sprint(r.Proxy, " ", scur, " ", ok, " ", stot, " ", also))
		}
	}
	return out
}

// recordedBackends is the answer of a real HAProxy to `show stat -1 2 -1`.
func recordedBackends(t testing.TB) string {
	t.Helper()
	archive, err := txtar.ParseFile("testdata/reload.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for line := range strings.Lines(string(archive.Files[0].Data)) {
		if strings.HasPrefix(line, "# ") || strings.Contains(line, ",BACKEND,") {
			text.WriteString(line)
		}
	}
	return text.String()
}

func TestParseOpenReadsWhatParseReads(t *testing.T) {
	recorded := recordedBackends(t)
	if _, quick := parseOpen([]byte(recorded)); !quick {
		t.Error("what a real HAProxy answers is not read the quick way")
	}
	for _, tt := range []struct{ what, text string }{
		{"a recorded answer", recorded},
		{"with an empty line at the end", recorded + "\n"},
		{"rows of other types", "# pxname,svname,scur,type,\nhttp,FRONTEND,9,0,\nbe,BACKEND,7,1,\n"},
		{"quotes", "# pxname,svname,scur,desc,type,\nbe,BACKEND,7,\"a, b\nc\",1,\n"},
		{"other orders", "# svname,pxname,type,scur,\nBACKEND,be,1,7,\n"},
		{"without the comma at the end", "# pxname,svname,scur,type\nbe,BACKEND,7,1\n"},
		{"an empty number", "# pxname,svname,scur,stot,type,\nbe,BACKEND,,9,1,\n"},
		{"columns between", "# pxname,svname,qcur,scur,slim,stot,type,\nbe,BACKEND,1,7,2,9,1,\n"},
		{"nothing but the header", "# pxname,svname,scur,type,\n"},
	} {
		rows, err := ParseOpen([]byte(tt.text))
		if err != nil {
			t.Errorf("%s: %v", tt.what, err)
		}
		if diff := cmp.Diff(open(mustParse(t, tt.text)), open(rows)); diff != "" {
			t.Errorf("%s (-Parse +ParseOpen):\n%s", tt.what, diff)
		}
	}
}

func TestParseOpenSeesEveryCut(t *testing.T) {
	text := recordedBackends(t) + "\n"
	whole := len(open(mustParse(t, text)))
	for n := range len(text) - 1 {
		cut := strings.TrimSuffix(text[:n], "\n") // as the reader of the socket does
		if rows, err := ParseOpen([]byte(cut)); err == nil && len(rows) != whole {
			t.Fatalf("cut after %d bytes, at %q: %d rows and no error", n, cut[max(0, n-20):], len(rows))
		}
	}
	if _, err := ParseOpen([]byte("Unknown command: 'show stats'.\n")); err == nil {
		t.Error("an error of HAProxy is none")
	}
}

func TestReadingsOfOpenSessionsMakeTheSameMean(t *testing.T) {
	text := recordedBackends(t)
	rows, err := ParseOpen([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var means [2][]string
	for i, between := range [][]Row{mustParse(t, text), rows} {
		s := NewSampler()
		draining := Worker{PID: 2, Draining: true, Rows: mustParse(t, text)}
		s.Observe(at(0), []Worker{{PID: 1, Rows: between}, draining}) // before the first whole row of anything
		s.Observe(at(0.5), []Worker{{PID: 1, Rows: between}, draining})
		for _, sample := range s.Next(at(1), []Worker{{PID: 1, Rows: mustParse(t, text)}, draining}) {
			stot, _ := sample.Int("stot")
			means[i] = append(means[i], fmt.Sprint(sample.Proxy, sample.ScurMean, sample.ScurMax, stot))
		}
	}
	if diff := cmp.Diff(means[0], means[1]); diff != "" {
		t.Errorf("samples differ (-Parse +ParseOpen):\n%s", diff)
	}
}

func FuzzParseOpen(f *testing.F) {
	f.Add([]byte(recordedBackends(f)))
	f.Add([]byte("# pxname,svname,scur,stot,type,\nbe,BACKEND,7,9,1,\n\n"))
	f.Add([]byte("# pxname,svname,scur,stot,type\nbe,BACKEND,7,9\nbe,BACKEND,7,9,1,1\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		rows, err := ParseOpen(data)
		NewSampler().Observe(epoch, []Worker{{PID: 1, Rows: rows}, {PID: 2, Draining: true, Rows: rows}})
		whole, parsed := Parse(strings.NewReader(string(data)))
		if parsed != nil {
			return
		}
		if err != nil {
			t.Fatalf("Parse reads it, ParseOpen does not: %v", err)
		}
		for i, row := range whole {
			if row.Type != Backend || row.Sv != backendName {
				return // no answer to a question for backends
			}
			if diff := cmp.Diff(open(whole[i:i+1]), open(rows[i:i+1])); diff != "" {
				t.Fatalf("-Parse +ParseOpen:\n%s", diff)
			}
		}
	})
}

func BenchmarkParseOpen(b *testing.B) {
	var text strings.Builder
	for line := range strings.Lines(manyRows(b, 1000)) {
		if strings.HasPrefix(line, "# ") || strings.Contains(line, ",BACKEND,") {
			text.WriteString(line)
		}
	}
	answer := []byte(text.String())
	b.SetBytes(int64(len(answer)))
	b.ReportAllocs()
	for b.Loop() {
		if rows, err := ParseOpen(answer); err != nil || len(rows) != 1000 {
			b.Fatal(len(rows), err)
		}
	}
}
