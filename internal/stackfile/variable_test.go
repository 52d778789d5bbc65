package stackfile

import "testing"

func TestVariablesAreThoseOfDockerStackDeploy(t *testing.T) {
	lookup := func(name string) (string, bool) {
		value, set := map[string]string{"SET": "value", "EMPTY": ""}[name]
		return value, set
	}
	for text, want := range map[string]string{
		"plain":               "plain",
		"a$$b":                "a$b",
		"^/s/(.*)$$,/u/\\1":   "^/s/(.*)$,/u/\\1",
		"$SET-x":              "value-x",
		"${SET}x":             "valuex",
		"${NONE}":             "",
		"${NONE:-proxy}":      "proxy",
		"${EMPTY:-proxy}":     "proxy",
		"${EMPTY-proxy}":      "",
		"${NONE-}":            "",
		"${SET:-proxy}":       "value",
		"${SET:?reason}":      "value",
		"${SET}/${NONE:-a b}": "value/a b",
		"${NONE:?say it}":     "error: variable NONE is missing: say it",
		"${EMPTY:?}":          "error: variable EMPTY is missing: it must be set",
		"${SET:+x}":           `error: variable SET is followed by ":+x", which is not understood`,
		"cost: 5$":            `error: has a dollar that begins no variable (write $$ for a dollar): "$"`,
		"${SET":               `error: has a dollar that begins no variable (write $$ for a dollar): "${SET"`,
		"${}":                 `error: has a dollar that begins no variable (write $$ for a dollar): "${}"`,
		"$1":                  `error: has a dollar that begins no variable (write $$ for a dollar): "$1"`,
	} {
		got, err := expand(text, lookup)
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}
