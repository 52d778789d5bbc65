package stackfile

import (
	"cmp"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// substitute puts the values of variables into a document as `docker stack deploy` does: $NAME, ${NAME}, ${NAME:-default}
// where NAME is unset or empty, ${NAME-default} where it is unset, ${NAME:?reason} and ${NAME?reason} where it must not
// be. `$$` is a dollar. Keys of mappings are left alone.
func substitute(node *yaml.Node, lookup func(name string) (string, bool)) (err error) {
	if node.Kind == yaml.ScalarNode {
		if node.Value, err = expand(node.Value, lookup); err != nil {
			return fmt.Errorf("line %d: %w", node.Line, err)
		}
	}
	for i, child := range node.Content {
		if node.Kind == yaml.MappingNode && i%2 == 0 {
			continue
		}
		if err := substitute(child, lookup); err != nil {
			return err
		}
	}
	return nil
}

func expand(text string, lookup func(string) (string, bool)) (string, error) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "$")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		if after, dollar := strings.CutPrefix(rest, "$"); dollar {
			b.WriteByte('$')
			text = after
			continue
		}
		expression, after, braced := strings.Cut(strings.TrimPrefix(rest, "{"), "}")
		if !strings.HasPrefix(rest, "{") {
			n := nameLength(rest)
			expression, after, braced = rest[:n], rest[n:], true
		}
		n := nameLength(expression)
		if !braced || n == 0 {
			return "", fmt.Errorf("has a dollar that begins no variable (write $$ for a dollar): %q", "$"+rest)
		}
		value, err := variable(expression[:n], expression[n:], lookup)
		if err != nil {
			return "", err
		}
		b.WriteString(value)
		text = after
	}
}

func variable(name, operator string, lookup func(string) (string, bool)) (string, error) {
	value, set := lookup(name)
	rest, orEmpty := strings.CutPrefix(operator, ":")
	missing := !set || orEmpty && value == ""
	switch {
	case operator == "" || !missing && strings.ContainsAny(rest[:min(1, len(rest))], "-?"):
		return value, nil
	case strings.HasPrefix(rest, "-"):
		return rest[1:], nil
	case strings.HasPrefix(rest, "?"):
		return "", fmt.Errorf("variable %s is missing: %s", name, cmp.Or(rest[1:], "it must be set"))
	}
	return "", fmt.Errorf("variable %s is followed by %q, which is not understood", name, operator)
}

// nameLength is the length of the variable's name that a text begins with.
func nameLength(text string) int {
	for i, r := range text {
		letter := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return i
		}
	}
	return len(text)
}
