package main

import (
	"fmt"
	"io"
	"os"
	"time"

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

// check prints one line for each note and problem, as compilers do, and answers an error when there is a problem.
func check(w io.Writer, file string, content []byte, stack string, options routing.Options) error {
	list, err := stackfile.Parse(content, os.LookupEnv)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	services := planned(list, stack, options)
	options.Templates = readTemplates(services, options)
	_, problems := routing.BuildTable(services, options)
	for _, s := range services {
		_, _, scaling := policy.Parse(s.Name, s.Labels, time.LoadLocation)
		problems = append(problems, scaling...)
	}
	for _, n := range stackfile.Locate(withoutSecrets(routing.Notes(services, options)), list, stack) {
		if _, err := fmt.Fprintf(w, "%s:%d: note: %s\n", file, n.Line, n.Problem); err != nil {
			return err
		}
	}
	return stackfile.Report(w, file, stackfile.Locate(withoutSecrets(problems), list, stack))
}
