package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice/internal/swarm/swarmtest"
)

// TestStackFiles deploys the files of deploy/ as they are, with every overlay, but on a node that there is not: nothing starts,
// and the swarm has judged every line. The images need not be here.
func TestStackFiles(t *testing.T) {
	t.Parallel() // after TestHitless, which wants the machine for itself
	inTurn(t)
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name     string
		files    []string
		services []string
		configs  int
	}{
		{"small", []string{"deploy/small/stack.yml"}, []string{"proxy", "scaler"}, 0},
		{"tick", []string{"deploy/tick/stack.yml"}, []string{"influxdb", "proxy", "scaler", "telegraf", "telegraf-swarm"}, 5},
		{"tick-secrets", []string{"deploy/tick/stack.yml", "deploy/tick/secrets.yml"}, []string{"influxdb", "proxy", "scaler", "telegraf", "telegraf-swarm"}, 5},
		{"tick-all", []string{"deploy/tick/stack.yml", "deploy/tick/secrets.yml", "deploy/tick/chronograf-kapacitor.yml"},
			[]string{"chronograf", "influxdb", "kapacitor", "proxy", "scaler", "telegraf", "telegraf-swarm"}, 5 + 1 + 4 + 7 + 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			name := "sluice-e2e-" + c.name
			s := &stack{t: t, root: root, swarm: swarmtest.Need(t)}
			s.env = append(os.Environ(), "SLUICE_STACK="+name, "SLUICE_NETWORK="+name, "SLUICE_SECRETS="+name, "SLUICE_STATE="+t.TempDir())
			remove := func() {
				_ = s.try("docker", "stack", "rm", name)
				for _, secret := range []string{"api_token", "influx_token", "telegraf_output", "chronograf_users"} {
					_ = s.try("docker", "secret", "rm", name+"_"+secret)
				}
			}
			remove()
			t.Cleanup(remove)
			s.run("scripts/secrets")
			s.run("scripts/secrets") // what is there stays
			args := []string{"stack", "deploy", "--resolve-image", "never"}
			for _, file := range append(c.files, nowhere(t, c.services)) {
				args = append(args, "-c", file)
			}
			s.run("docker", append(args, name)...)
			list := func(what string, format string) []string {
				output, err := s.command("docker", what, "ls", "--filter", "label=com.docker.stack.namespace="+name, "--format", format).Output()
				if err != nil {
					t.Fatal(err)
				}
				names := strings.Fields(string(output))
				slices.Sort(names)
				return names
			}
			var want []string
			for _, service := range c.services {
				want = append(want, name+"_"+service)
			}
			if got := list("service", "{{.Name}}"); !slices.Equal(got, want) {
				t.Errorf("services %v, want %v", got, want)
			}
			if got := list("config", "{{.Name}}"); len(got) != c.configs {
				t.Errorf("%d configs, want %d: %v", len(got), c.configs, got)
			}
		})
	}
}

// nowhere is an overlay that lets no task of the services start.
func nowhere(t *testing.T, services []string) string {
	t.Helper()
	list := map[string]any{}
	for _, name := range services {
		list[name] = map[string]any{"deploy": map[string]any{"placement": map[string]any{"constraints": []string{"node.labels.sluice.nowhere == true"}}}}
	}
	content, err := json.Marshal(map[string]any{"version": "3.8", "services": list}) // JSON is YAML
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "nowhere.yml")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
