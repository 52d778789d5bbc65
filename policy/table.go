package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice/internal/label"
)

// Prefix is the name space of the scaling labels.
const Prefix = label.Prefix + "scale."

// section is a part of the vocabulary, as the documentation shows it.
type section struct {
	title, text string
	specs       []label.Spec
}

// Table is the vocabulary of the scaling labels: Parse reads by it, the documentation is printed from it.
var Table = func() label.Table {
	t := label.Table{Prefix: Prefix}
	for _, s := range sections {
		t.Specs = append(t.Specs, s.specs...)
	}
	return t
}()

// Markdown prints the vocabulary, section by section.
func Markdown() string {
	var b strings.Builder
	for _, s := range sections {
		fmt.Fprintf(&b, "## %s\n\n", s.title)
		if s.text != "" {
			b.WriteString(s.text + "\n\n")
		}
		b.WriteString(label.Table{Prefix: Prefix, Specs: s.specs}.Markdown() + "\n")
	}
	return b.String()
}

// planned are labels of the design that nothing reads yet. They are refused by name: a policy that was written for
// them must not run half.
var planned = []string{
	"idleReplicas", "idleAfter", "wake", "wakeTimeout", "predictModel", "predictHorizon", "predictHistory", "predictMode",
}

var errPlanned = fmt.Errorf("is not supported yet")

// known is Table and what is planned.
func known() label.Table {
	t := label.Table{Prefix: Prefix, Specs: slices.Clone(Table.Specs)}
	for i, spec := range t.Specs {
		if spec.Name == "strategy" {
			t.Specs[i].Values = append(slices.Clone(spec.Values), "predict")
			t.Specs[i].Check = func(v any) error {
				if v == "predict" {
					return errPlanned
				}
				return nil
			}
		}
	}
	for _, name := range planned {
		t.Specs = append(t.Specs, label.Spec{Name: name, Indexed: true, Check: func(any) error { return errPlanned }})
	}
	return t
}

func atLeast(low int) func(any) error {
	return func(v any) error {
		if v.(int) < low {
			return fmt.Errorf("must be at least %d", low)
		}
		return nil
	}
}

func above(low float64) func(any) error {
	return func(v any) error {
		if v.(float64) <= low {
			return fmt.Errorf("must be above %v", low)
		}
		return nil
	}
}

func fraction(v any) error {
	if f := v.(float64); f < 0 || f >= 1 {
		return fmt.Errorf("must be at least 0 and below 1")
	}
	return nil
}

func between(low, high time.Duration) func(any) error {
	return func(v any) error {
		if d := v.(time.Duration); d < low || d > high {
			return fmt.Errorf("must lie between %s and %s", span(low), span(high))
		}
		return nil
	}
}

// checked makes a Spec.Check of a parser.
func checked[T any](parse func(string) (T, error)) func(any) error {
	return func(v any) error {
		_, err := parse(v.(string))
		return err
	}
}
