package influx

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestEncode(t *testing.T) {
	at := time.Unix(0, 42)
	one := []Field{{"n", int64(1)}}
	tests := []struct {
		what    string
		point   Point
		want    string
		skipped int64
		fails   bool
	}{
		{"tags are sorted", Point{"m", []Tag{{"b", "2"}, {"a", "1"}}, one, at}, "m,a=1,b=2 n=1i 42\n", 0, false},
		{"types", Point{"m", nil, []Field{{"i", int64(-1)}, {"j", 2}, {"f", 1.5}, {"b", true}, {"s", "x"}}, at}, "m i=-1i,j=2i,f=1.5,b=true,s=\"x\" 42\n", 0, false},
		{"empty tags are left out", Point{"m", []Tag{{"a", ""}, {"b", "2"}}, one, at}, "m,b=2 n=1i 42\n", 1, false},
		{"NaN and infinities are left out", Point{"m", nil, []Field{{"x", math.NaN()}, {"y", math.Inf(1)}, {"n", 1.0}}, at}, "m n=1 42\n", 2, false},
		{"unsigned integers are left out", Point{"m", nil, []Field{{"u", uint64(1)}, {"n", int64(1)}}, at}, "m n=1i 42\n", 1, false},
		{"a point without fields is left out", Point{"m", nil, []Field{{"x", math.NaN()}}, at}, "", 2, false},
		{"names and tags are escaped", Point{"a b", []Tag{{"k y", "v,=x y"}}, []Field{{"f e", int64(1)}}, at}, "a\\ b,k\\ y=v\\,\\=x\\ y f\\ e=1i 42\n", 0, false},
		{"texts are one line", Point{"m", nil, []Field{{"s", "a \"b\"\nc\\"}}, at}, "m s=\"a \\\"b\\\"\\nc\\\\\" 42\n", 0, false},
		{"what a tag cannot hold is mended", Point{"m", []Tag{{"k", "a\nb\xff\\"}}, one, at}, "m,k=a\\ b? n=1i 42\n", 0, false},
		{"bytes that are no text", Point{"m", nil, []Field{{"s", "a\xff"}}, at}, "m s=\"a?\" 42\n", 0, false},
		{"a tag twice is an error", Point{"m", []Tag{{"a", "1"}, {"a", "2"}}, one, at}, "", 1, true},
		{"no measurement is an error", Point{"", nil, one, at}, "", 1, true},
	}
	good := Point{"good", nil, one, at}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			var e Encoder
			e.Add(good)
			e.Add(tt.point)
			e.Add(good)
			lines, err := e.Take()
			if want := "good n=1i 42\n" + tt.want + "good n=1i 42\n"; string(lines) != want {
				t.Errorf("got  %q\nwant %q", lines, want)
			}
			if e.Skipped() != tt.skipped || (err != nil) != tt.fails {
				t.Errorf("skipped %d, want %d; error %v", e.Skipped(), tt.skipped, err)
			}
		})
	}
}

func TestTakeStartsAnew(t *testing.T) {
	var e Encoder
	e.Add(Point{"m", nil, []Field{{"n", int64(1)}}, time.Unix(0, 1)})
	first, _ := e.Take()
	e.Add(Point{"m", nil, []Field{{"n", int64(2)}}, time.Unix(0, 2)})
	second, _ := e.Take()
	if string(first) != "m n=1i 1\n" || string(second) != "m n=2i 2\n" {
		t.Errorf("got %q and %q", first, second)
	}
}

func BenchmarkEncode(b *testing.B) {
	p := Point{Measurement: "haproxy", At: time.Unix(1, 0),
		Tags: []Tag{{"host", "node"}, {"proxy", "app-8080"}, {"server", "proxy-1"}, {"service", "app"}, {"sv", "BACKEND"}, {"type", "backend"}}}
	for i := range 60 {
		p.Fields = append(p.Fields, Field{"http_response." + string(rune('a'+i%26)) + string(rune('a'+i/26)), int64(i * 1000)})
	}
	var e Encoder
	b.ReportAllocs()
	for b.Loop() {
		e.Add(p)
		if err := e.Drain(func([]byte) {}); err != nil {
			b.Fatal(err)
		}
	}
}

// What is written without looking twice must be what the library writes.
func TestPlainPointsAreWrittenAsCarefulOnes(t *testing.T) {
	words := []string{"haproxy", "http_response.2xx", "a-b_c:8080/x", "host", "proxy", "server", "sv", "scur", "stot", "bin", "bout", "", "a b", "a,b", "a=b", `a"b`, `a\`, `\`, "é", "a\nb", "\xff", "~", "!", "0"}
	values := []any{int64(0), int64(math.MinInt64), int64(math.MaxInt64), 7, 0.0, 1e21, -1.5e-7, math.NaN(), math.Inf(-1), true, "plain", "", `q"`, "a b", uint64(1), nil}
	plainOnes := 0
	rapid.Check(t, func(r *rapid.T) {
		word := rapid.SampledFrom(words)
		p := Point{Measurement: word.Draw(r, "measurement"), At: time.Unix(0, rapid.Int64().Draw(r, "at"))}
		if rapid.IntRange(0, 9).Draw(r, "timeless") == 0 {
			p.At = time.Time{}
		}
		for range rapid.IntRange(0, 3).Draw(r, "tags") {
			p.Tags = append(p.Tags, Tag{word.Draw(r, "key"), word.Draw(r, "value")})
		}
		for range rapid.IntRange(0, 4).Draw(r, "fields") {
			p.Fields = append(p.Fields, Field{word.Draw(r, "field"), rapid.SampledFrom(values).Draw(r, "of")})
		}
		lines, ok := appendPlain([]byte("before\n"), p)
		var e Encoder
		e.lines = []byte("before\n")
		e.addCarefully(p)
		switch {
		case ok && string(lines) != string(e.lines):
			r.Fatalf("%+v\nplain   %q\ncareful %q", p, lines, e.lines)
		case ok:
			plainOnes++
		case string(lines) != "before\n":
			r.Fatalf("%+v was refused and left %q", p, lines)
		}
	})
	t.Logf("%d points were plain", plainOnes)
	usual := Point{"haproxy", []Tag{{"proxy", "shop_web-be8080_1"}, {"sv", "BACKEND"}}, []Field{{"status", "no check"}, {"http_response.2xx", int64(7)}}, time.Unix(1, 0)}
	if _, ok := appendPlain(nil, usual); !ok {
		t.Error("a usual point is not plain")
	}
}

func TestDrainGivesTheLinesOnce(t *testing.T) {
	var e Encoder
	for i, want := range []string{"m n=1i 1\n", "m n=2i 2\n", ""} {
		if want != "" {
			e.Add(Point{"m", nil, []Field{{"n", int64(i + 1)}}, time.Unix(0, int64(i+1))})
		}
		var got string
		if err := e.Drain(func(lines []byte) { got = string(lines) }); err != nil || got != want {
			t.Errorf("got %q and %v, want %q", got, err, want)
		}
	}
}
