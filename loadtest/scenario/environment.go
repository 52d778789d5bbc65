package scenario

import (
	"fmt"
	"strings"
)

// expand puts the environment into a value: ${NAME} must be set, ${NAME:-default} need not be (unset and empty are the same, as
// in a shell), and $${ stands for ${ itself. It works on values after YAML was read, so a variable can never add a key.
func expand(text string, lookup func(string) (string, bool)) (string, error) {
	var out strings.Builder
	for {
		start := strings.Index(text, "${")
		if start < 0 {
			out.WriteString(text)
			return out.String(), nil
		}
		if start > 0 && text[start-1] == '$' {
			out.WriteString(text[:start-1] + "${")
			text = text[start+2:]
			continue
		}
		end := strings.IndexByte(text[start:], '}')
		if end < 0 {
			return "", fmt.Errorf("%q has no closing brace", text[start:])
		}
		name, fallback, optional := strings.Cut(text[start+2:start+end], ":-")
		if !isName(name) {
			return "", fmt.Errorf("%q is no variable: want ${NAME} or ${NAME:-default}", text[start:start+end+1])
		}
		value, set := lookup(name)
		switch {
		case value == "" && optional:
			value = fallback
		case !set:
			return "", fmt.Errorf("variable %s is not set: set it, or write ${%s:-default}", name, name)
		}
		out.WriteString(text[:start] + value)
		text = text[start+end+1:]
	}
}

func isName(s string) bool {
	for i, c := range s {
		letter := c == '_' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}
