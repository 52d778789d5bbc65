package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/internal/swarm"
)

// TestRawLinesThatHAProxyRefusesWithoutALineAreFound has two services with lines in the frontend; HAProxy says of one of
// them only "Proxy 'services': unable to find required use_backend".
func TestRawLinesThatHAProxyRefusesWithoutALineAreFound(t *testing.T) {
	r := newRig(t)
	r.loop.options.AllowRaw = true
	file := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	bad := file("bad", "use_backend nowhere if { path_beg /nowhere }\n")
	r.swarm.services = []swarm.Service{
		r.service("bad", 1, "servicePath=/bad", "templateFePath="+bad),
		r.service("good", 1, "servicePath=/good", "templateFePath="+file("good", "use_backend {{.AclName}}-be{{.Port}}_{{.Index}} if { path_beg /also }\n")),
	}
	r.swarm.tasks = []swarm.Task{r.task("good", 1, "good", "127.0.0.11"), r.task("bad", 1, "bad", "127.0.0.12")}
	if _, err := r.loop.step(t.Context()); err == nil || !strings.Contains(err.Error(), "service bad") {
		t.Fatalf("the step that met the refusal says %v, want it to name the service", err)
	}
	r.settle()
	for path, want := range map[string]string{"/good": "good /good", "/also": "good /also", "/bad": "503", "/nowhere": "503"} {
		if got := r.get(path); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
	problems := r.loop.view.Load().Problems
	if len(problems) != 1 || problems[0].Service != "bad" || !strings.Contains(problems[0].Reason, "unable to find required use_backend: 'nowhere'") {
		t.Errorf("problems: %v", problems)
	}
	if err := os.WriteFile(bad, []byte("use_backend {{.AclName}}-be{{.Port}}_{{.Index}} if { path_beg /nowhere }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.settle() // the file is read again at every step
	if got := r.get("/nowhere"); got != "bad /nowhere" {
		t.Errorf("mended template: got %q", got)
	}
}

func TestWhoIsWrittenWellIsNotBlamedForAFaultOfAllOthers(t *testing.T) {
	r := newRig(t)
	r.loop.options.AllowRaw = true
	file := filepath.Join(t.TempDir(), "good")
	if err := os.WriteFile(file, []byte("http-request set-header X-Good yes\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.swarm.services = []swarm.Service{r.service("good", 1, "servicePath=/good", "templateFePath="+file)}
	r.loop.settings.Extra.Frontend = []string{"use_backend nowhere"}
	if _, err := r.loop.step(t.Context()); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("the step says %v", err)
	}
	if len(r.loop.refused) > 0 {
		t.Errorf("left out: %v", r.loop.refused)
	}
}
