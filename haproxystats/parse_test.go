package haproxystats

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

func TestParseFindsColumnsByName(t *testing.T) {
	tests := []struct {
		what, text string
		rows       int
		proxy      string
		scur       int64
		lastChk    string
	}{
		{"in any order", "# type,scur,svname,pxname,\n1,7,BACKEND,be,\n", 1, "be", 7, ""},
		{"unknown ones are passed over", "# pxname,svname,new,scur,type,\nbe,BACKEND,x,7,1,\n", 1, "be", 7, ""},
		{"without the comma at the end", "# pxname,svname,scur,type\nbe,BACKEND,7,1\n", 1, "be", 7, ""},
		{"quotes, commas, doubled quotes, line ends", "# pxname,svname,scur,last_chk,type,\nbe,BACKEND,7,\"a, \"\"b\"\"\nc\",1,\n", 1, "be", 7, "a, \"b\"\nc"},
		{"a quoted field at the end", "# pxname,svname,scur,type,last_chk\nbe,BACKEND,7,1,\"a,b\"\n", 1, "be", 7, "a,b"},
		{"carriage returns and empty lines", "\n# pxname,svname,scur,type,\r\n\r\nbe,BACKEND,7,1,\r\n\n\n", 1, "be", 7, ""},
		{"rows of an unknown type are passed over", "# pxname,svname,scur,type,\nx,NEW,9,4,\nbe,BACKEND,7,1,\n", 1, "be", 7, ""},
		{"nothing but the header", "# pxname,svname,scur,type,\n", 0, "", 0, ""},
	}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			rows := mustParse(t, tt.text)
			if len(rows) != tt.rows {
				t.Fatalf("%d rows, want %d", len(rows), tt.rows)
			}
			if tt.rows == 0 {
				return
			}
			if scur, _ := rows[0].Int("scur"); rows[0].Proxy != tt.proxy || scur != tt.scur || rows[0].Text("last_chk") != tt.lastChk {
				t.Errorf("got %s scur %d last_chk %q", rows[0].Proxy, scur, rows[0].Text("last_chk"))
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct {
		what, text string
		truncated  bool
	}{
		{"nothing", "", false},
		{"an error of HAProxy", "Unknown command: 'show stats'.\n", false},
		{"an error with its severity", "[3]: Permission denied\n\n", false},
		{"a header without names of rows", "# scur,stot,\n1,2,\n", false},
		{"too many columns", "# pxname,svname,type,\nbe,BACKEND,1,2,\n", false},
		{"too few columns before another row", "# pxname,svname,type,\nbe,BACKEND\nbe,BACKEND,1,\n", false},
		{"a break within a row", "# pxname,svname,type,\nbe,BACK", true},
		{"a break behind a whole row", "# pxname,svname,type,\nbe,BACKEND,1,", true},
		{"a break within the header", "# pxname,svname,type", true},
		{"a break within quotes", "# pxname,svname,type,last_chk,\nbe,BACKEND,1,\"a\n", true},
		{"text behind quotes", "# pxname,svname,type,last_chk,\nbe,BACKEND,1,\"a\"b,\n", false},
	}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			rows, err := Parse(strings.NewReader(tt.text))
			if err == nil {
				t.Fatalf("no error, %d rows", len(rows))
			}
			if errors.Is(err, ErrTruncated) != tt.truncated {
				t.Errorf("truncated is %t, want %t: %v", !tt.truncated, tt.truncated, err)
			}
		})
	}
}

func TestParseNumberAsTelegraf(t *testing.T) {
	tests := []struct {
		text   string
		signed bool
		want   int64
		ok     bool
	}{
		{"0", false, 0, true},
		{"9223372036854775807", false, 9223372036854775807, true},
		{"18446744073709551615", false, 9223372036854775807, true}, // Telegraf clips what InfluxDB cannot hold
		{"-1", true, -1, true},
		{"-1", false, 0, false},
		{"+1", false, 0, false},
		{"1.5", false, 0, false},
		{"-", true, 0, false},
		{"text", false, 0, false},
	}
	for _, tt := range tests {
		if got, ok := parseNumber(tt.text, tt.signed); got != tt.want || ok != tt.ok {
			t.Errorf("%q: got %d %t, want %d %t", tt.text, got, ok, tt.want, tt.ok)
		}
	}
}

func TestEveryCutOfAnAnswerIsSeen(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/reload.txtar")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.TrimRight(string(archive.Files[0].Data), "\n") + "\n\n"
	whole := len(mustParse(t, text))
	for n := range len(text) - 1 {
		cut := text[:n]
		cut = strings.TrimSuffix(cut, "\n") // as the reader of the socket does
		if rows, err := Parse(strings.NewReader(cut)); err == nil && len(rows) != whole {
			t.Fatalf("cut after %d bytes, at %q: %d rows and no error", n, cut[max(0, n-20):], len(rows))
		}
	}
}

func FuzzParse(f *testing.F) {
	archive, err := txtar.ParseFile("testdata/reload.txtar")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(archive.Files[0].Data)
	f.Add([]byte("# pxname,svname,scur,last_chk,type,\nbe,BACKEND,7,\"a, \"\"b\"\"\nc\",1,\n"))
	f.Add([]byte("# pxname,svname,type,x,y\n\"\",\"\n\",0,-1,18446744073709551616\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		rows, err := Parse(strings.NewReader(string(data)))
		if err != nil {
			return
		}
		s := NewSampler()
		w := []Worker{{PID: 1, Rows: rows}, {PID: 2, Draining: true, Rows: rows}}
		s.Observe(epoch, w)
		s.Next(at(1), w)
		for p := range Points(epoch, Origin{}, s.Next(at(2), w)) {
			if p.Measurement == "" {
				t.Fatal("point without a measurement")
			}
		}
	})
}

// manyRows is what HAProxy answers with so many backends of three servers, after a real row of each type.
func manyRows(b testing.TB, backends int) string {
	b.Helper()
	data, err := os.ReadFile("testdata/reload.txtar")
	if err != nil {
		b.Fatal(err)
	}
	lines := strings.Split(string(txtar.Parse(data).Files[0].Data), "\n")
	var header, server, backend string
	for _, l := range lines {
		switch {
		case strings.HasPrefix(l, "# "):
			header = l
		case strings.HasPrefix(l, "go-demo-be8080_0,t1,"):
			_, server, _ = strings.Cut(l, ",t1,")
		case strings.HasPrefix(l, "go-demo-be8080_0,BACKEND,"):
			_, backend, _ = strings.Cut(l, ",")
		}
	}
	var out strings.Builder
	out.WriteString(header + "\n")
	for i := range backends {
		for s := range 3 {
			fmt.Fprintf(&out, "service-%d-be8080_0,service-%d.%d,%s\n", i, i, s+1, server)
		}
		fmt.Fprintf(&out, "service-%d-be8080_0,%s\n", i, backend)
	}
	return out.String()
}

func BenchmarkParse(b *testing.B) {
	text := manyRows(b, 2500)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(strings.NewReader(text)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNext(b *testing.B) {
	w := []Worker{{PID: 1, Rows: mustParse(b, manyRows(b, 2500))}}
	s := NewSampler()
	b.ReportAllocs()
	tick := 0.0
	for b.Loop() {
		tick++
		s.Next(at(tick), w)
	}
}

func BenchmarkPoints(b *testing.B) {
	s := NewSampler()
	samples := s.Next(epoch, []Worker{{PID: 1, Rows: mustParse(b, manyRows(b, 2500))}})
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for p := range Points(epoch, Origin{Host: "h", Server: "s"}, samples) {
			n += len(p.Fields)
		}
	}
}
