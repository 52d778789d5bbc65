package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"sluice/internal/label"
	"sluice/internal/stackfile"
	"sluice/policy"
	"sluice/routing"
)

// checkCommand is for people's own CI: what is wrong with the labels of a stack file, before it is deployed.
type checkCommand struct {
	File  string `arg:"" help:"Stack file."`
	Stack string `help:"Name of the stack that the file will be deployed as; prefixes its services."`
	routeSettings
}

func (c *checkCommand) Run() error {
	if _, err := c.settings(""); err != nil {
		return err
	}
	content, err := os.ReadFile(c.File)
	if err != nil {
		return err
	}
	return check(os.Stdout, c.File, content, c.Stack, c.options(""))
}

// check prints one line for each problem, as compilers do, and answers an error when there is one.
func check(w io.Writer, file string, content []byte, stack string, options routing.Options) error {
	list, err := stackfile.Parse(content, os.LookupEnv)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	services := planned(list, stack, options.Network)
	_, problems := routing.BuildTable(services, options)
	for _, s := range services {
		_, _, scaling := policy.Parse(s.Name, s.Labels, time.LoadLocation)
		problems = append(problems, scaling...)
	}
	found := located(withoutSecrets(problems), services, list)
	for _, f := range found {
		if _, err := fmt.Fprintf(w, "%s:%d: %s\n", file, f.line, f.problem); err != nil {
			return err
		}
	}
	switch len(found) {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("%s: 1 problem", file)
	}
	return fmt.Errorf("%s: %d problems", file, len(found))
}

type finding struct {
	line    int
	problem label.Problem
}

// located finds the line of each label; what concerns no label stands where its service begins.
func located(problems []label.Problem, services []routing.Service, list []stackfile.Service) (found []finding) {
	for _, p := range problems {
		f := finding{problem: p}
		if at := slices.IndexFunc(services, func(s routing.Service) bool { return s.Name == p.Service }); at >= 0 {
			f.line = list[at].Line
			for key := range strings.FieldsSeq(p.Label) {
				if line, written := list[at].Lines[key]; written {
					f.line = line
					break
				}
			}
		}
		found = append(found, f)
	}
	slices.SortStableFunc(found, func(a, b finding) int { return cmp.Compare(a.line, b.line) })
	return found
}
