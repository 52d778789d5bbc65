package result

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAnEventThatFailsSeveralTimesIsOneVerdict(t *testing.T) {
	reload := func(name, err string) Mark { return Mark{Name: name, Repeats: "reload", Line: 5, Err: err} }
	got := failedMarks([]Mark{
		reload("reload (1 of 3)", ""), {Name: "kill", Line: 6, Err: "no such task"}, reload("reload (2 of 3)", "503"),
		reload("reload (3 of 3)", "refused"), {Name: "stop", Line: 7, Err: "gone", Optional: true}, {Name: "scale", Line: 8},
	})
	want := []Verdict{
		{Expect: "event: kill", Line: 6, Saw: "no such task"},
		{Expect: "event: reload", Line: 5, Saw: "2 of 3 times; the first: 503"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s", diff)
	}
}
