package stackfile

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"sluice/internal/label"
)

// Finding is a problem with its place in the file.
type Finding struct {
	Line    int
	Problem label.Problem
}

// Deployed is the name of a service once its file is deployed as a stack; without a stack it is the name in the file.
func (s Service) Deployed(stack string) string {
	if stack == "" {
		return s.Name
	}
	return stack + "_" + s.Name
}

// Locate finds the line of each problem; what concerns no label stands where its service begins.
func Locate(problems []label.Problem, services []Service, stack string) (found []Finding) {
	for _, p := range problems {
		f := Finding{Problem: p}
		if at := slices.IndexFunc(services, func(s Service) bool { return s.Deployed(stack) == p.Service }); at >= 0 {
			f.Line = services[at].Line
			for key := range strings.FieldsSeq(p.Label) {
				if line, written := services[at].Lines[key]; written {
					f.Line = line
					break
				}
			}
		}
		found = append(found, f)
	}
	slices.SortStableFunc(found, func(a, b Finding) int { return cmp.Compare(a.Line, b.Line) })
	return found
}

// Report prints one line for each finding, as compilers do, and answers an error when there is one.
func Report(w io.Writer, file string, found []Finding) error {
	for _, f := range found {
		if _, err := fmt.Fprintf(w, "%s:%d: %s\n", file, f.Line, f.Problem); err != nil {
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
