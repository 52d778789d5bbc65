package main

import (
	"regexp"
	"slices"
	"strings"

	"sluice/internal/label"
	"sluice/routing"
)

// What stands for a secret in answers, logs and statistics.
const hidden = "(hidden)"

// isSecret tells whether the value of a label, with prefix and index, holds passwords or keys, or may: who misspells the
// name of such a label has put a secret behind it all the same.
func isSecret(key, value string) bool {
	name, _, _ := strings.Cut(strings.TrimPrefix(key, label.Prefix), ".")
	if strings.Contains(strings.ToLower(value), "authorization") || strings.Contains(value, "PRIVATE KEY") {
		return true
	}
	if _, known := routing.Labels.Lookup(name); known {
		return name == "users" || name == "serviceCert"
	}
	name = strings.ToLower(name)
	return slices.ContainsFunc([]string{"user", "pass", "cert", "key", "secret", "token", "auth"}, func(word string) bool { return strings.Contains(name, word) })
}

// withoutSecrets hides the values of problems with labels that hold secrets. Reasons speak of the kind of the value.
func withoutSecrets(problems []label.Problem) []label.Problem {
	for i, p := range problems {
		for key := range strings.FieldsSeq(p.Label) {
			if isSecret(key, p.Value) {
				problems[i].Value = hidden
			}
		}
	}
	return problems
}

// secretDirectives are the places of haproxy.cfg where passwords stand.
var secretDirectives = regexp.MustCompile(`(?im)(\b(?:insecure-password|password|stats\s+auth|(?:add|set)-header\s+["']?authorization["']?)\s+)((?:"(?:\\.|[^"\\\n])*"|'[^'\n]*'|\\.|[^\s"'\\])+)`)

// withoutPasswords hides the passwords of a configuration.
func withoutPasswords(config string) string {
	return secretDirectives.ReplaceAllString(config, "${1}"+hidden)
}
