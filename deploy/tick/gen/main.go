// Command gen writes the files of deploy/tick that stand in its code as tables: retention policies with their continuous
// queries, and the dashboards of Chronograf. Every name in a query is looked up in the schema of haproxystats, so a
// field that is renamed there cannot be forgotten here.
//
//	go run ./deploy/tick/gen            writes them
//	go run ./deploy/tick/gen --check    fails when one of them is not what the code says
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sluice/deploy/tick/queries"
)

func main() {
	check := flag.Bool("check", false, "fail when a file is not current")
	flag.Parse()
	if err := run(*check); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(check bool) error {
	files, err := files()
	if err != nil {
		return err
	}
	var stale []string
	for name, content := range files {
		path := filepath.Join("deploy", "tick", name)
		if !check {
			if err := os.WriteFile(path, content, 0o644); err != nil {
				return err
			}
			continue
		}
		if current, err := os.ReadFile(path); err != nil || !bytes.Equal(current, content) {
			stale = append(stale, path)
		}
	}
	if len(stale) > 0 {
		return fmt.Errorf("not current: %s: run `make docs`", strings.Join(stale, ", "))
	}
	return nil
}

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
