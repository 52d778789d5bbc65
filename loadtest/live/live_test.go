package live

import (
	"flag"
	"io"
	"os"
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

// frames is a run of four seconds and one after it, as a view sees it.
func frames() []Frame {
	f := func(second int, phase string, asked float64, l result.Latest, connections float64, r *observe.Replicas) Frame {
		frame := Frame{
			Elapsed: time.Duration(second) * time.Second, Load: 4 * time.Second, Left: time.Duration(max(0, 4-second)) * time.Second,
			Phase: phase, Asked: asked, Latest: l, Replicas: r,
		}
		if r != nil {
			frame.Connections = &connections
		}
		return frame
	}
	total := func(sent, failed int) result.Tally { return result.Tally{Sent: sent, Failed: failed} }
	all := []Frame{
		f(1, "calm", 10, result.Latest{}, 0, nil),
		f(2, "rise", 300, result.Latest{Total: total(160, 0), OK: 140, P50: 4.1, P99: 12.25, Known: true}, 1.5, &observe.Replicas{Desired: 1, Running: 1}),
		f(3, "peak", 600, result.Latest{Total: total(1460, 3), OK: 590, P50: 20, P99: 1300, Known: true}, 60, &observe.Replicas{Desired: 6, Running: 4}),
		f(4, "", 0, result.Latest{Total: total(2060, 3), OK: 600, P50: 5, P99: 15, Known: true}, 55, &observe.Replicas{Desired: 6, Running: 6}),
		f(5, "", 0, result.Latest{Total: total(2060, 3)}, 0, &observe.Replicas{Desired: 1, Running: 6}),
	}
	for i := 2; i < len(all); i++ {
		all[i].Word = "sessions 60 over 1 replica: want 6"
		all[i].Workers = &observe.Workers{All: 2, Draining: 1, Reloads: 1}
		all[i].Queue = new(7.0)
		all[i].Latest.Holding, all[i].Latest.Held, all[i].Latest.Lost = true, 200, i-2
		all[i].Latest.Marks = []result.Mark{{At: 2.25, Name: "kill a task of app", Kind: "kill", Outcome: "killed app.1"}}
	}
	return all
}

// words are said before frame i.
func words(i int) []Word {
	switch i {
	case 2:
		return []Word{
			Event(result.Mark{At: 2.25, Name: "kill a task of app", Outcome: "killed app.1"}),
			Decision(2500*time.Millisecond, observe.Decision{From: 1, To: 6, Reason: "sessions 60 over 1 replica: want 6"}),
			Reload(2600*time.Millisecond, observe.Reload{Reason: "new backend shop"}),
		}
	case 3:
		return []Word{
			Decision(3500*time.Millisecond, observe.Decision{From: 6, To: 6, Reason: "cooling down"}),
			Event(result.Mark{At: 3.25, Name: "scale shop to 3", Err: "find service shop: the swarm has none of that name"}),
		}
	}
	return nil
}

func TestViewsOfARun(t *testing.T) {
	const path = "testdata/views.txtar"
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got []txtar.File
	for _, screen := range []struct {
		name   string
		widths []int // frame by frame
	}{
		{"plain", nil}, {"80 columns", []int{80, 80, 80, 80, 80}}, {"it gets narrower, and wide again", []int{110, 60, 44, 20, 80}},
	} {
		var out strings.Builder
		var width func() int
		now := 0
		if screen.widths != nil {
			width = func() int { return screen.widths[now] }
		}
		v := NewView(&out, "Small", []float64{10, 300, 600, 600}, width)
		for i, f := range frames() {
			now = i
			for _, word := range words(i) {
				if err := v.Say(word); err != nil {
					t.Fatal(err)
				}
			}
			if err := v.Show(f); err != nil {
				t.Fatal(err)
			}
		}
		got = append(got, txtar.File{Name: screen.name, Data: []byte(readable(out.String()))})
	}
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

// readable leaves out colours and shows how far the cursor goes up.
func readable(s string) string {
	s = regexp.MustCompile(`\x1b\[(\d+)A\r`).ReplaceAllString(s, "(${1} up)\n")
	s = regexp.MustCompile(`\x1b\[\??[0-9;]*[a-zA-Z]`).ReplaceAllString(s, "")
	return regexp.MustCompile(`(?m) +$`).ReplaceAllString(s, "")
}

func TestSqueezeKeepsTheHighestOfEveryColumn(t *testing.T) {
	tests := []struct {
		name    string
		values  []float64
		columns int
		length  float64
		want    []float64
	}{
		{"a column a second", []float64{1, 2}, 3, 3, []float64{1, 2, -1}},
		{"two seconds a column", []float64{1, 9, 2}, 2, 4, []float64{9, 2}},
		{"two columns a second", []float64{1, 2}, 4, 2, []float64{1, 1, 2, 2}},
		{"more than fits", []float64{1, 2, 3}, 2, 2, []float64{1, 2}},
		{"nothing", nil, 2, 0, []float64{-1, -1}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, squeeze(tt.values, tt.columns, tt.length)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestLinesAreCutToWhatIsSeen(t *testing.T) {
	tests := []struct {
		line    string
		columns int
		want    string
	}{
		{"short", 5, "short"},
		{"longer", 5, "long" + off + "…"},
		{red + "größer" + off + " als", 6, red + "größe" + off + "…"},
		{red + "ab" + off, 2, red + "ab" + off},
		{"x", 0, ""},
	}
	for _, tt := range tests {
		got := cut(tt.line, tt.columns)
		if got != tt.want || visible(got) > tt.columns {
			t.Errorf("%q in %d columns: %q, want %q", tt.line, tt.columns, got, tt.want)
		}
	}
}

func TestNoWidthMakesALineTooLong(t *testing.T) {
	for width := range 130 {
		v := NewView(io.Discard, "A name that is long enough to be cut", []float64{10, 300, 600, 600}, func() int { return width })
		for _, f := range frames() {
			if err := v.Show(f); err != nil {
				t.Fatal(err)
			}
			for i, length := range v.shown {
				if length > width {
					t.Fatalf("line %d has %d columns of %d", i, length, width)
				}
			}
		}
	}
}
