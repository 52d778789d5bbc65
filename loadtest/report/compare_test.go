package report

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"sluice/loadtest/result"
)

// tuned is the example after something was made better.
func tuned() result.Result {
	r := example()
	r.Started = r.Started.Add(time.Hour)
	r.Source += "# tuned\n"
	r.Total.Failed, r.Total.Latency.P99, r.Total.Latency.P50 = 0, 625, 260
	r.Verdicts[0].Passed, r.Verdicts[0].Saw = true, "0 of 1203 requests failed"
	r.Machine.Cores = 8
	r.Pace.ClientLimited = true
	return r
}

func TestRunsStandBesideEachOther(t *testing.T) {
	other := example()
	other.Started, other.Scenario, other.Services, other.Verdicts = other.Started.Add(2*time.Hour), "Another", nil, other.Verdicts[1:]
	c, err := Compare([]Run{{"before", example()}, {"after", tuned()}, {"else", other}})
	if err != nil {
		t.Fatal(err)
	}
	var page strings.Builder
	if err := WriteComparison(&page, c); err != nil {
		t.Fatal(err)
	}
	const path = "testdata/comparison.txtar"
	got := []txtar.File{{Name: "text", Data: []byte(c.String())}, {Name: "page", Data: []byte(words(page.String()))}}
	if *update {
		if err := os.WriteFile(path, txtar.Format(&txtar.Archive{Comment: []byte("Three runs beside each other: on a terminal, and the page without its charts.\n"), Files: got}), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range got {
		if diff := cmp.Diff(string(archive.Files[i].Data), string(f.Data)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", f.Name, diff)
		}
	}
}

func TestWhatCannotBeComparedIsRefused(t *testing.T) {
	empty := tuned()
	empty.Total.OK, empty.Total.Failed = 0, 0
	tests := []struct {
		name string
		runs []Run
		want string
	}{
		{"one", []Run{{"a", example()}}, "there must be at least two"},
		{"the same", []Run{{"a", example()}, {"b", example()}}, "a and b are the same run"},
		{"nothing measured", []Run{{"a", example()}, {"b", empty}}, "no request of b has ended"},
		{"too many", make([]Run, most+1), "9 are more than the 8 that can be told apart"},
	}
	for _, tt := range tests {
		if _, err := Compare(tt.runs); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestRatiosSayWhatIsBetter(t *testing.T) {
	less, more, taste := measure{down: true}, measure{up: true}, measure{}
	tests := []struct {
		v, first   float64
		m          measure
		text, tone string
	}{
		{60, 100, less, "× 0.60", "good"},
		{60, 100, more, "× 0.60", "bad"},
		{160, 100, less, "× 1.60", "bad"},
		{160, 100, taste, "× 1.60", ""},
		{95, 100, less, "× 0.95", ""},
		{3, 0, less, "", "bad"},
		{0, 0, less, "", ""},
		{0, 7, less, "× 0.00", "good"},
	}
	for _, tt := range tests {
		if text, tone := ratio(tt.v, tt.first, tt.m); text != tt.text || tone != tt.tone {
			t.Errorf("%g by %g: %q %q, want %q %q", tt.v, tt.first, text, tone, tt.text, tt.tone)
		}
	}
}
