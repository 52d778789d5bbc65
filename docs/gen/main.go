// Command gen prints the documentation that stands in the code as tables: labels, measurements, configuration.
//
//	go run ./docs/gen            writes docs/*.md
//	go run ./docs/gen --check    fails when one of them is not what the code says
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"sluice/haproxystats"
	"sluice/internal/generated"
	"sluice/internal/label"
	"sluice/loadtest/scenario"
	"sluice/policy"
	"sluice/routing"
)

func main() {
	generated.Main("docs", func() (map[string][]byte, error) {
		pages, err := pages()
		files := make(map[string][]byte, len(pages))
		for name, page := range pages {
			files[name] = []byte("<!-- Printed by `make docs` from the code's tables; change those. -->\n" + page)
		}
		return files, err
	})
}

func pages() (map[string]string, error) {
	var configuration strings.Builder
	configuration.WriteString("# Configuration\n\nEvery setting is a flag, an environment variable, a file named by `<NAME>_FILE`, or the Docker secret `dfp_<name in lower case>` (in `DIR/secrets` or `/run/secrets`); the first that is given counts. An empty variable is one that is not given. A value that cannot be used stops the start with an error that names it.\n")
	for _, command := range []string{"proxy", "scaler"} {
		help, err := exec.Command("go", "run", "./cmd/"+command, "run", "--help").Output()
		if err != nil {
			return nil, fmt.Errorf("ask %s for its help: %w", command, err)
		}
		fmt.Fprintf(&configuration, "\n## %s run\n\n```\n%s```\n", command, help)
	}
	simulated, err := exec.Command("go", "run", "./cmd/scaler", "simulate").Output()
	if err != nil {
		return nil, fmt.Errorf("ask scaler to simulate: %w", err)
	}
	example, err := os.ReadFile(filepath.Join("loadtest", "examples", "hitless.yml"))
	if err != nil {
		return nil, fmt.Errorf("read example: %w", err)
	}
	return map[string]string{
		"loadtest.md": "# Load-test scenarios\n\n`loadtest run FILE` sends the load of a scenario, watches what it does, and writes a report; `loadtest check FILE` says what a file will do, or what is wrong with it, line by line. " +
			"The exit code is 0 when all expectations hold, 1 when one does not, 2 when the file is wrong, 130 when the run was interrupted (Ctrl-C): it has a report all the same. More examples: [loadtest/examples](../loadtest/examples).\n\n```yaml\n" +
			string(example) + "```\n" + scenario.Reference(),
		"labels.md": "# Routing labels\n\nA service is routed when it carries `com.df.notify=true`, a port, and a path or a domain. Labels belong to the service (`deploy.labels` in a stack file), not to its containers.\n\n" +
			"    deploy:\n      labels:\n        com.df.notify: \"true\"\n        com.df.port: 8080\n        com.df.servicePath: /demo\n\n" +
			"`.n` marks labels that may carry an index (`com.df.port.1`): each index is a destination of its own. A label without index is the default of every index, and a destination itself only where no index exists. A label that cannot be used leaves out its destination and is reported on `/v1/routes`, by `proxy explain` and in the log; everything else is routed. Items of lists are separated by commas, or by the proxy's SEPARATOR. Labels of the scaler: [scaling.md](scaling.md).\n\n" +
			labelGroups() +
			"\n## Which route wins\n\nThe best route that matches a request takes it:\n\n1. the higher `priority`;\n2. one that is bound to the port and address that the request came to, before one for any;\n3. an exact host, then the longest wildcard, then other ways to match a host, then any host;\n4. an exact path, then other ways to match a path, then the longest prefix;\n5. more conditions (`userAgent`, `serviceHeader`) before fewer;\n6. `aclName`, the service's name if it has none, in byte order; then the service's name.\n\nThe loser of two equal claims is reported. What a route excludes, or a condition that does not hold, leaves the request to the next best route. The default backend comes after everything.\n",
		"scaling.md": "# Scaling labels\n\nThree labels are enough: `com.df.scale.max=10`, `com.df.scale.target=50` and, if one replica is too few, `com.df.scale.min=2` keep about 50 concurrent connections per replica.\n\n" +
			"`.n` marks labels that may carry an index: each index is a rule of its own, and a label without one is the default of all. Durations have a unit (`15s`, `1m30s`). A policy with an error scales nothing, its route stays, and the error is in the log, on the API and in `sluice_scale`. What the scaler keeps across restarts, its API and webhooks: [scaler.md](scaler.md).\n\n" + policy.Markdown(),
		"simulation.md":    simulation + "\n## The defaults, measured\n\n`scaler simulate`, which knows no chance but its seed, prints:\n\n```\n" + string(simulated) + "```\n" + caveats,
		"measurements.md":  "# Measurements\n\n" + haproxystats.Markdown(),
		"configuration.md": configuration.String(),
	}, nil
}

// labelGroups prints a table for each group, for nobody reads one of sixty rows.
func labelGroups() string {
	var b strings.Builder
	for _, group := range routing.LabelGroups() {
		fmt.Fprintf(&b, "## %s\n\n", group.Title)
		if group.Doc != "" {
			fmt.Fprintf(&b, "%s\n\n", group.Doc)
		}
		b.WriteString(label.Table{Prefix: label.Prefix, Specs: group.Specs}.Markdown() + "\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}
