package swarm

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestChangeSetsWhatItIsGivenAndNothingElse(t *testing.T) {
	five := 5
	tests := []struct {
		name     string
		change   Change
		old, new string // in plain
	}{
		{"replicas", Change{Replicas: &five}, `"Replicas":2`, `"Replicas":5`},
		{"an image", Change{Image: "app:2"}, `"Image":"app"`, `"Image":"app:2"`},
		{"variables", Change{Env: map[string]string{"B": "2", "A": "1=1"}}, `"Isolation":"default"`, `"Isolation":"default","Env":["A=1=1","B=2"]`},
		{"labels", Change{Labels: map[string]string{"b": "c"}}, `"Labels":{"a":"<&>"}`, `"Labels":{"a":"<&>","b":"c"}`},
		{"force", Change{Force: true}, `"ForceUpdate":0`, `"ForceUpdate":1`},
		{"nothing", Change{}, `"Name":"svc"`, `"Name":"svc"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := &engine{api: "1.41", version: 7, spec: plain}
			if err := startEngine(t, e).Change(t.Context(), "svc", tt.change); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tree(t, strings.Replace(plain, tt.old, tt.new, 1)), tree(t, e.updates[0].body)); diff != "" {
				t.Errorf("spec sent (-want +got):\n%s", diff)
			}
		})
	}
}

func TestChangeReplacesVariablesByName(t *testing.T) {
	spec := strings.Replace(plain, `"Isolation":`, `"Env":["A=old","AB=1","C"],"Isolation":`, 1)
	e := &engine{api: "1.41", spec: spec}
	if err := startEngine(t, e).Change(t.Context(), "svc", Change{Env: map[string]string{"A": "new", "C": ""}}); err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(plain, `"Isolation":`, `"Env":["AB=1","A=new","C="],"Isolation":`, 1)
	if diff := cmp.Diff(tree(t, want), tree(t, e.updates[0].body)); diff != "" {
		t.Errorf("spec sent (-want +got):\n%s", diff)
	}
}

func TestChangeIsMadeAnewWhenSomebodyElseCameFirst(t *testing.T) {
	five := 5
	e := &engine{api: "1.41", version: 7, spec: plain}
	e.before = func(e *engine) {
		if len(e.updates) == 1 {
			e.spec = strings.Replace(plain, `"Replicas":2`, `"Replicas":9`, 1)
			e.version++
		}
	}
	if err := startEngine(t, e).Change(t.Context(), "svc", Change{Replicas: &five, Force: true}); err != nil || len(e.updates) != 2 {
		t.Fatalf("%d updates, error %v", len(e.updates), err)
	}
}

func TestChangeSaysWhyItCannotBe(t *testing.T) {
	five := 5
	global := strings.Replace(plain, `{"Replicated":{"Replicas":2}}`, `{"Global":{}}`, 1)
	for _, row := range []struct {
		name string
		spec string
		want error
	}{{"no such service", "", ErrNotFound}, {"a global one has no replicas", global, ErrNotReplicated}} {
		e := &engine{api: "1.41", spec: row.spec}
		if err := startEngine(t, e).Change(t.Context(), "svc", Change{Replicas: &five}); !errors.Is(err, row.want) {
			t.Errorf("%s: error %v, want %v", row.name, err, row.want)
		}
	}
}
