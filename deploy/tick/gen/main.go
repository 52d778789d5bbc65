// Command gen writes the files of deploy/tick that stand in its code as tables: retention policies with their continuous
// queries, and the dashboards of Chronograf. Every name in a query is looked up in the schema of haproxystats, so a
// field that is renamed there cannot be forgotten here.
//
//	go run ./deploy/tick/gen            writes them
//	go run ./deploy/tick/gen --check    fails when one of them is not what the code says
package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"sluice/deploy/tick/queries"
	"sluice/internal/generated"
)

func main() { generated.Main(filepath.Join("deploy", "tick"), files) }

// files are the contents by name, checked against the schema.
func files() (map[string][]byte, error) {
	statements := policies()
	result := map[string][]byte{"influxdb-policies.influxql": []byte(strings.Join(statements, "\n") + "\n")}
	var wrong []error
	for _, s := range statements {
		wrong = append(wrong, queries.Check(s))
	}
	for _, d := range []dashboard{routingBoard(), serviceBoard(), scalingBoard(), swarmBoard()} {
		content, err := d.file()
		if err != nil {
			return nil, err
		}
		for _, c := range d.cells {
			for _, q := range c.queries {
				if err := queries.Check(q); err != nil {
					wrong = append(wrong, fmt.Errorf("%s, %s: %w", d.name, c.name, err))
				}
			}
		}
		result[filepath.Join("dashboards", d.slug+".dashboard")] = content
	}
	return result, errors.Join(wrong...)
}
