package swarm

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// plain is a spec with what a careless rewrite changes: an image without a tag, a number
// beyond a float64, characters that Go's encoder escapes, a null.
const plain = `{"Name":"svc","Labels":{"a":"<&>"},"TaskTemplate":{"ContainerSpec":{"Image":"app","Isolation":"default",
	"Healthcheck":null},"Resources":{"Limits":{"MemoryBytes":9007199254740993}},"ForceUpdate":0,"Runtime":"container"},
	"Mode":{"Replicated":{"Replicas":2}},"EndpointSpec":{"Mode":"dnsrr"}}`

func TestScaleChangesReplicasAndNothingElse(t *testing.T) {
	e := &engine{api: "1.41", version: 7, spec: plain}
	c := startEngine(t, e)
	if err := c.Scale(t.Context(), "svc", Scaling{Update: "paused", From: 2, To: 5}); err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(plain, `"Replicas":2`, `"Replicas":5`, 1)
	if diff := cmp.Diff(tree(t, want), tree(t, e.updates[0].body)); diff != "" {
		t.Errorf("spec sent (-want +got):\n%s", diff)
	}
	if got, want := e.updates[0].path+"?"+e.updates[0].query, "/v1.41/services/svc/update?registryAuthFrom=spec&version=7"; got != want {
		t.Errorf("sent to %s, want %s", got, want)
	}
	if auth := e.updates[0].header.Get("X-Registry-Auth"); auth != "" {
		t.Errorf("sent credentials %q", auth)
	}
}

func TestScaleSetsALabelInTheSameWrite(t *testing.T) {
	for _, row := range []struct {
		name, spec string
		scaling    Scaling
		old, new   string
	}{
		{"the first one", plain, Scaling{Update: "paused", From: 2, To: 5, Label: "state", Now: "<1>"}, `"a":"<&>"},`, `"a":"<&>","state":"<1>"},`},
		{"another one", strings.Replace(plain, `"a"`, `"state":"1","a"`, 1), Scaling{Update: "paused", From: 2, To: 5, Label: "state", Was: "1", Now: "2"}, `"state":"1"`, `"state":"2"`},
		{"that alone", plain, Scaling{Update: "paused", From: 2, To: 2, Label: "state", Now: "1"}, `"a":"<&>"},`, `"a":"<&>","state":"1"},`},
		{"its removal", strings.Replace(plain, `"a"`, `"state":"1","a"`, 1), Scaling{Update: "paused", From: 2, To: 5, Label: "state", Was: "1"}, `"state":"1",`, ``},
		{"where no labels are", strings.Replace(plain, `{"a":"<&>"}`, `null`, 1), Scaling{Update: "paused", From: 2, To: 5, Label: "state", Now: "1"}, `null,"TaskT`, `{"state":"1"},"TaskT`},
		{"none", plain, Scaling{Update: "paused", From: 2, To: 5}, ``, ``},
	} {
		t.Run(row.name, func(t *testing.T) {
			e := &engine{api: "1.41", spec: row.spec}
			c := startEngine(t, e)
			if err := c.Scale(t.Context(), "svc", row.scaling); err != nil {
				t.Fatal(err)
			}
			want := strings.Replace(strings.Replace(row.spec, row.old, row.new, 1), `"Replicas":2`, fmt.Sprintf(`"Replicas":%d`, row.scaling.To), 1)
			if len(e.updates) != 1 {
				t.Fatalf("%d updates", len(e.updates))
			}
			if diff := cmp.Diff(tree(t, want), tree(t, e.updates[0].body)); diff != "" {
				t.Errorf("spec sent (-want +got):\n%s", diff)
			}
		})
	}
}

// Replicas went up and down again meanwhile: the number is the same, the decision rests on something else.
func TestScaleRefusesWhenSomebodyElseWroteTheLabel(t *testing.T) {
	for _, was := range []string{"", "1"} {
		e := &engine{api: "1.41", version: 7, spec: strings.Replace(plain, `"a"`, `"state":"2","a"`, 1)}
		c := startEngine(t, e)
		err := c.Scale(t.Context(), "svc", Scaling{Update: "paused", From: 2, To: 3, Label: "state", Was: was, Now: "3"})
		if !errors.Is(err, ErrChanged) || len(e.updates) != 0 {
			t.Errorf("from %q: error %v, %d updates sent", was, err, len(e.updates))
		}
	}
}

func TestScalingIsComparedWithWhatWasRead(t *testing.T) {
	before := json.RawMessage(plain)
	for name, after := range map[string]string{
		"a lost field":       strings.Replace(plain, `"Runtime":"container"`, `"Runtime":""`, 1),
		"a rounded number":   strings.Replace(plain, "9007199254740993", "9007199254740992", 1),
		"another label":      strings.Replace(plain, `"<&>"`, `"<>"`, 1),
		"a field more":       strings.Replace(plain, `"Name":`, `"Novelty":1,"Name":`, 1),
		"replicas elsewhere": strings.Replace(plain, `"Replicas":2`, `"Replicas":2,"Other":3`, 1),
	} {
		if err := onlyScaled(before, json.RawMessage(after), Scaling{Label: "state"}); err == nil || !strings.Contains(err.Error(), "would have changed") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestScaleToTheSameNumberSendsNothing(t *testing.T) {
	e := &engine{api: "1.41", spec: plain}
	c := startEngine(t, e)
	if err := c.Scale(t.Context(), "svc", Scaling{Update: "paused", From: 2, To: 2}); err != nil {
		t.Fatal(err)
	}
	if len(e.updates) != 0 {
		t.Errorf("sent %d updates", len(e.updates))
	}
}

func TestScaleRefusesAFieldItDoesNotKnow(t *testing.T) {
	for _, row := range []struct{ name, old, new, field string }{
		{"at the top", `"Name":`, `"Novelty":1,"Name":`, "Spec.Novelty"},
		{"far below", `"Isolation":`, `"Novelty":{"A":1},"Isolation":`, "Spec.TaskTemplate.ContainerSpec.Novelty"},
		{"in a list", `"Isolation":`, `"Mounts":[{},{"Novelty":false}],"Isolation":`, "Spec.TaskTemplate.ContainerSpec.Mounts[1].Novelty"},
		{"an empty object", `"Replicated":`, `"Novelty":{},"Replicated":`, "Spec.Mode.Novelty"},
		{"the first of several", `"Isolation":`, `"B":1,"A":1,"Isolation":`, "Spec.TaskTemplate.ContainerSpec.A"},
		{"in other letters", `"EndpointSpec":`, `"endpointSpec":`, "Spec.endpointSpec"},
	} {
		t.Run(row.name, func(t *testing.T) {
			e := &engine{api: "1.99", spec: strings.Replace(plain, row.old, row.new, 1)}
			c := startEngine(t, e)
			err := c.Scale(t.Context(), "svc", Scaling{Update: "paused", From: 2, To: 3})
			if err == nil || !strings.Contains(err.Error(), "field "+row.field+" is not known") {
				t.Errorf("error %v does not name %s", err, row.field)
			}
			if len(e.updates) != 0 {
				t.Error("sent an update all the same")
			}
		})
	}
}

func TestScaleRefusesAFieldOfAnotherType(t *testing.T) {
	e := &engine{api: "1.99", spec: strings.Replace(plain, `"ForceUpdate":0`, `"ForceUpdate":"no"`, 1)}
	c := startEngine(t, e)
	if err := c.Scale(t.Context(), "svc", Scaling{Update: "paused", From: 2, To: 3}); err == nil || len(e.updates) != 0 {
		t.Errorf("error %v, %d updates sent", err, len(e.updates))
	}
}

func TestScaleRefuses(t *testing.T) {
	for _, row := range []struct {
		name, spec string
		to         int
		want       error
	}{
		{"a service that is gone", "", 3, ErrNotFound},
		{"a global service", mode(`{"Global":{}}`), 3, ErrNotReplicated},
		{"a job", mode(`{"ReplicatedJob":{"MaxConcurrent":1}}`), 3, ErrNotReplicated},
		{"replicas that others changed", mode(`{"Replicated":{"Replicas":4}}`), 3, ErrChanged},
		{"replicas that others set to the wish", mode(`{"Replicated":{"Replicas":3}}`), 3, ErrChanged},
		{"less than none", plain, -1, nil},
		{"a service whose update has begun", plain, 3, ErrChanged},
	} {
		t.Run(row.name, func(t *testing.T) {
			e := &engine{api: "1.41", spec: row.spec}
			c := startEngine(t, e)
			update := "paused"
			if row.name == "a service whose update has begun" {
				update = "completed" // as it was
			}
			err := c.Scale(t.Context(), "svc", Scaling{Update: update, From: 2, To: row.to})
			if err == nil || row.want != nil && !errors.Is(err, row.want) {
				t.Errorf("got %v, want %v", err, row.want)
			}
			if len(e.updates) != 0 {
				t.Errorf("sent %d updates", len(e.updates))
			}
		})
	}
}

func TestScaleTriesAgainWhenAnotherChangeCameBetween(t *testing.T) {
	e := &engine{api: "1.41", version: 7, spec: plain}
	e.before = func(e *engine) {
		if e.version == 7 { // somebody sets a label
			e.version, e.spec = 9, strings.Replace(plain, `"a":`, `"b":"new","a":`, 1)
		}
	}
	c := startEngine(t, e)
	if err := c.Scale(t.Context(), "svc", Scaling{Update: "paused", From: 2, To: 3}); err != nil {
		t.Fatal(err)
	}
	if len(e.updates) != 2 || !strings.Contains(e.spec, `"b":"new"`) || !strings.Contains(e.spec, `"Replicas":3`) {
		t.Errorf("after %d updates: %s", len(e.updates), e.spec)
	}
}

func TestScaleGivesUp(t *testing.T) {
	for _, row := range []struct {
		name    string
		before  func(*engine)
		failing string
		want    error
		text    string
		updates int
	}{
		{"when the replicas changed between", func(e *engine) { e.version++; e.spec = mode(`{"Replicated":{"Replicas":9}}`) }, "", ErrChanged, "9, not 2", 1},
		{"when the service went between", func(e *engine) { e.spec = "" }, "", ErrNotFound, "", 1},
		{"when others always come first", func(e *engine) { e.version++ }, "", nil, "update out of sequence", 3},
		{"at once when the engine has another trouble", nil, "disk full", nil, "HTTP status 500: disk full", 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			e := &engine{api: "1.41", version: 7, spec: plain, before: row.before, failing: row.failing}
			c := startEngine(t, e)
			err := c.Scale(t.Context(), "svc", Scaling{Update: "paused", From: 2, To: 3})
			if err == nil || row.want != nil && !errors.Is(err, row.want) || !strings.Contains(err.Error(), row.text) {
				t.Errorf("got %v, want %v with %q", err, row.want, row.text)
			}
			if len(e.updates) != row.updates {
				t.Errorf("sent %d updates, want %d", len(e.updates), row.updates)
			}
		})
	}
}

func TestScaleDoesNotWriteWithAnAssumedVersion(t *testing.T) {
	e := &engine{spec: plain} // as behind a proxy that drops the header: the client falls back to 1.24
	c := startEngine(t, e)
	if err := c.Scale(t.Context(), "svc", Scaling{Update: "paused", From: 2, To: 3}); err == nil || len(e.updates) != 0 {
		t.Errorf("error %v, %d updates sent", err, len(e.updates))
	}
}

func TestScaleAgreesOnTheVersionWithTheEngineAsItIsNow(t *testing.T) {
	e := &engine{api: "1.41", spec: plain}
	c := startEngine(t, e)
	if err := c.Scale(t.Context(), "svc", Scaling{Update: "paused", From: 2, To: 3}); err != nil {
		t.Fatal(err)
	}
	e.api = "1.44"
	if err := c.Scale(t.Context(), "svc", Scaling{Update: "paused", From: 3, To: 4}); err != nil {
		t.Fatal(err)
	}
	if got := e.updates[1].path; got != "/v1.44/services/svc/update" {
		t.Errorf("after the engine's upgrade sent to %s", got)
	}
}

func TestScalePassesOnWarnings(t *testing.T) {
	e := &engine{api: "1.41", spec: plain, warnings: []string{"one", "two"}}
	c := startEngine(t, e)
	var got []string
	c.Warned = func(id, warning string) { got = append(got, id+" "+warning) }
	if err := c.Scale(t.Context(), "svc", Scaling{Update: "paused", From: 2, To: 3}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"svc one", "svc two"}, got); diff != "" {
		t.Error(diff)
	}
}

// FuzzSpec: no spec makes the checks panic, and a spec that passes comes out with another
// number of replicas and otherwise as it was.
func FuzzSpec(f *testing.F) {
	f.Add([]byte(plain))
	f.Add([]byte(mode(`{"Replicated":{}}`)))
	f.Add([]byte(`{"Mode":{"Replicated":null}}`))
	f.Add([]byte(`[1,{"Mode":"x"}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if !json.Valid(data) || checkKnown(data) != nil {
			return
		}
		edited, err := withReplicas(data, 12345)
		if err != nil {
			return
		}
		again, err := withReplicas(edited, 54321)
		if err != nil {
			t.Fatal(err)
		}
		if want := strings.Replace(string(edited), `"Replicas":12345`, `"Replicas":54321`, 1); string(again) != want {
			t.Fatalf("%s became %s", edited, again)
		}
		have, known := tree(t, string(data)), tree(t, string(edited))
		delete(have.(map[string]any)["Mode"].(map[string]any)["Replicated"].(map[string]any), "Replicas")
		delete(known.(map[string]any)["Mode"].(map[string]any)["Replicated"].(map[string]any), "Replicas")
		if diff := cmp.Diff(have, known); diff != "" {
			t.Fatal(diff)
		}
	})
}

func mode(m string) string {
	return fmt.Sprintf(`{"Name":"svc","Labels":{},"TaskTemplate":{"ForceUpdate":0},"Mode":%s}`, m)
}

func tree(t *testing.T, text string) any {
	t.Helper()
	v, err := decodeTree([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}
