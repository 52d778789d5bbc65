package ballot

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func TestAVoteIsReadAsItWasWritten(t *testing.T) {
	want := Vote{ID: NewID(), Voter: NewID(), Choice: "sea", At: noon}
	text, err := want.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWhatCannotBeCountedIsRefused(t *testing.T) {
	for _, row := range []struct {
		name, text, want string
	}{
		{"no JSON", `vote`, "invalid character"},
		{"no id", `{"voter":"a","choice":"sea","at":"2026-01-02T12:00:00Z"}`, "is no id of a vote"},
		{"an id that is none", `{"id":"a b","voter":"a","choice":"sea","at":"2026-01-02T12:00:00Z"}`, `"a b" is no id of a vote`},
		{"a long id", `{"id":"` + strings.Repeat("a", 65) + `","voter":"a","choice":"sea","at":"2026-01-02T12:00:00Z"}`, "is no id of a vote"},
		{"no voter", `{"id":"a","choice":"sea","at":"2026-01-02T12:00:00Z"}`, "is no voter"},
		{"another choice", `{"id":"a","voter":"a","choice":"lake","at":"2026-01-02T12:00:00Z"}`, `choice is one of mountains, sea, got "lake"`},
		{"no time", `{"id":"a","voter":"a","choice":"sea"}`, "is no time of a vote"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if _, err := Parse(row.text); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %v, want %s", err, row.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`{"id":"a","voter":"b","choice":"sea","at":"2026-01-02T12:00:00Z"}`)
	f.Add(`{"id":1}`)
	f.Fuzz(func(t *testing.T, text string) {
		v, err := Parse(text)
		if err != nil {
			return
		}
		again, err := v.Encode()
		if err != nil {
			t.Fatalf("%q is read but not written: %v", text, err)
		}
		if w, err := Parse(again); err != nil || !w.At.Equal(v.At) || w.ID != v.ID || w.Voter != v.Voter || w.Choice != v.Choice {
			t.Errorf("%q is read as %v, written and read again as %v, %v", text, v, w, err)
		}
	})
}
