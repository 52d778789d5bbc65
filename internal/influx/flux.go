package influx

import "strings"

// AnyOf is the Flux condition that a column of row r has one of the values; "" for no values.
func AnyOf(column string, values []string) string {
	var terms []string
	for _, v := range values {
		terms = append(terms, "r."+column+" == "+Quote(v))
	}
	return strings.Join(terms, " or ")
}

// Quote writes a Flux string: a dollar sign before a brace would be an expression.
func Quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "${", `\${`, "\n", `\n`).Replace(s) + `"`
}
