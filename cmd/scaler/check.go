package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"sluice/internal/label"
	"sluice/internal/stackfile"
	"sluice/policy"
)

// checkCommand is for people's own CI: what is wrong with the scaling labels of a stack file, before it is deployed.
type checkCommand struct {
	File  string `arg:"" help:"Stack file."`
	Stack string `placeholder:"NAME" help:"Name of the stack that the file will be deployed as; prefixes its services."`
}

// Run prints what is wrong.
func (c *checkCommand) Run() error {
	content, err := os.ReadFile(c.File)
	if err != nil {
		return err
	}
	return check(os.Stdout, c.File, content, c.Stack)
}

func check(w io.Writer, file string, content []byte, stack string) error {
	list, err := stackfile.Parse(content, os.LookupEnv)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	var problems []label.Problem
	for _, s := range list {
		p, any, wrong := policy.Parse(s.Deployed(stack), s.Labels, time.LoadLocation)
		problems = append(problems, wrong...)
		switch scaled := any && p.Enabled; {
		case scaled && s.Global:
			problems = append(problems, label.Problem{Service: s.Deployed(stack), Reason: "is a global service, which cannot be scaled"})
		case scaled && s.Job:
			problems = append(problems, label.Problem{Service: s.Deployed(stack), Reason: "is a job, which cannot be scaled"})
		}
	}
	return stackfile.Report(w, file, stackfile.Locate(problems, list, stack))
}
