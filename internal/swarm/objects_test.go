package swarm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

func cut(from io.Reader) (all []string, err error) {
	o := objects{from: from}
	for {
		more, err := o.more()
		if err != nil || !more {
			return all, err
		}
		content, err := o.object()
		if err != nil {
			return nil, err
		}
		all = append(all, string(content))
	}
}

func TestAnswersThatAreNoListsOfObjects(t *testing.T) {
	for _, text := range []string{"", "[", "{}", "[1]", `[{"a":1}`, `[{"a":1},]`, `[{"a":1}{}]`, `[{"a":"}]`, "[]x", "nul", `[,{}]`, "[{}", `["{}"]`} {
		if all, err := cut(strings.NewReader(text)); err == nil {
			t.Errorf("%q: %q", text, all)
		}
	}
	broken := errors.New("the engine went away")
	for _, text := range []string{"", "[", `[{"a":`, `[{}`, `[{}]`} {
		if _, err := cut(io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken))); !errors.Is(err, broken) {
			t.Errorf("%q and then an error: %v", text, err)
		}
	}
}

// FuzzObjects compares with encoding/json, whatever the pieces in which the text comes.
func FuzzObjects(f *testing.F) {
	for _, text := range []string{`[]`, ` null `, `[{"a":"\"}{"},{"b":[{},[]]}]`, "[ {} , {\"a\" : 1.5e3}\n]\n", `[{"a":"\\"}]`, `[{"a":"ü\u00fc"}]`, "[{}]\x00"} {
		f.Add([]byte(text))
	}
	f.Add(fmt.Appendf(nil, `[{"a":"%s"},{}]`, strings.Repeat("x", 3*readAtOnce)))
	f.Fuzz(func(t *testing.T, text []byte) {
		var want []json.RawMessage
		valid := json.Unmarshal(text, &want) == nil && !slices.ContainsFunc(want, func(raw json.RawMessage) bool { return raw[0] != '{' })
		for _, from := range []io.Reader{bytes.NewReader(text), iotest.OneByteReader(bytes.NewReader(text)), iotest.DataErrReader(bytes.NewReader(text))} {
			got, err := cut(from)
			if err != nil {
				if valid {
					t.Fatalf("%q: %v", text, err)
				}
				continue
			}
			all := true // whether each of them is good is for who decodes it to say
			for _, content := range got {
				all = all && json.Valid([]byte(content))
			}
			if all != valid {
				t.Fatalf("%q is a list of objects: %v, and cut into %q", text, valid, got)
			}
			for i := range want {
				if valid && got[i] != string(want[i]) {
					t.Fatalf("%q: object %d is %q", text, i, got[i])
				}
			}
		}
	})
}

func TestWhatTheEngineSaysAgainIsNotDecodedAgain(t *testing.T) {
	e := &engine{api: "1.41"}
	c := startEngine(t, e)
	decoded := 0
	l := newLists("tasks", func(object []byte) (string, error) {
		decoded++
		var named struct{ Name string }
		err := json.Unmarshal(object, &named)
		return named.Name, err
	})
	for _, step := range []struct {
		name    string
		says    string
		want    string
		decoded int
	}{
		{"all are new", `[{"Name":"a"},{"Name":"b"},{"Name":"c"}]`, "a b c", 3},
		{"the same", `[{"Name":"a"},{"Name":"b"},{"Name":"c"}]`, "a b c", 0},
		{"one changed", `[{"Name":"a"},{"Name":"longer"},{"Name":"c"}]`, "a longer c", 1},
		{"one of the same length", `[{"Name":"a"},{"Name":"LONGER"},{"Name":"c"}]`, "a LONGER c", 1},
		{"one left", `[{"Name":"a"},{"Name":"c"}]`, "a c", 0},
		{"one came first and one last", `[{"Name":"0"},{"Name":"a"},{"Name":"c"},{"Name":"d"}]`, "0 a c d", 2},
		{"another order, with spaces", "[ {\"Name\":\"d\"} , {\"Name\":\"c\"}\n,{\"Name\":\"0\"},{\"Name\":\"a\"}]\n", "d c 0 a", 0},
		{"the last one changed to a beginning", `[{"Name":"d"},{"Name":"c"},{"Name":"0"},{"N":0}]`, "d c 0 ", 1},
		{"none", `[]`, "", 0},
		{"null", `null`, "", 0},
	} {
		e.mu.Lock()
		e.tasks = step.says
		e.mu.Unlock()
		decoded = 0
		got, err := l.ask(t.Context(), c, taskFilter(nil))
		if err != nil {
			t.Fatal(step.name, err)
		}
		if strings.Join(got, " ") != step.want || decoded != step.decoded {
			t.Errorf("%s: %q with %d decoded, want %q with %d", step.name, got, decoded, step.want, step.decoded)
		}
	}
}

func TestAnAnswerThatBreaksOffChangesNothing(t *testing.T) {
	e := &engine{api: "1.41", tasks: `[{"ID":"a"},{"ID":"b"}]`}
	c := startEngine(t, e)
	before, err := c.Tasks(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, says := range []string{`[{"ID":"a"},{"ID":`, `[{"ID":"a"},{"ID":7}]`, `{"message":"no"}`} {
		e.mu.Lock()
		e.tasks = says
		e.mu.Unlock()
		if got, err := c.Tasks(t.Context(), nil); err == nil {
			t.Errorf("%s: %v", says, got)
		}
	}
	e.mu.Lock()
	e.tasks = `[{"ID":"b"},{"ID":"a"}]`
	e.mu.Unlock()
	after, err := c.Tasks(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(after)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

func TestOnlyTheLastQuestionsAreRemembered(t *testing.T) {
	c := startEngine(t, &engine{api: "1.41", tasks: threeTasks})
	for _, service := range []string{"a", "b", "c", "b", "b"} {
		if _, err := c.Tasks(t.Context(), []string{service}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(c.tasks.last); n != questionsKept || !strings.Contains(c.tasks.last[0].question, `"b"`) || !strings.Contains(c.tasks.last[1].question, `"c"`) {
		t.Errorf("%d are remembered: %+v", n, c.tasks.last)
	}
}

func TestAnEngineThatRefusesAListSaysWhy(t *testing.T) {
	c := startEngine(t, &engine{api: "1.41"})
	l := newLists("nodes", func([]byte) (string, error) { return "", nil })
	if _, err := l.ask(t.Context(), c, taskFilter(nil)); !errors.Is(err, ErrNotFound) {
		t.Errorf("of a path that is not there: %v", err)
	}
	l.path = "refused"
	if _, err := l.ask(t.Context(), c, taskFilter(nil)); err == nil || !strings.Contains(err.Error(), "503: this node is not a swarm manager") {
		t.Errorf("refused: %v", err)
	}
}
