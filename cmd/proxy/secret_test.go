package main

import (
	"testing"

	"sluice/internal/label"
)

func TestValuesThatMayBeSecretAreHidden(t *testing.T) {
	for _, row := range []struct {
		meaning, key, value string
		secret              bool
	}{
		{"users", "users", "joe:x", true},
		{"of a destination", "users.2", "joe:x", true},
		{"a certificate", "serviceCert", "x", true},
		{"a name of users that no label has", "user", "joe:x", true},
		{"another one", "UsersPass.1", "joe:x", true},
		{"a key anywhere", "userDef", "-----BEGIN PRIVATE KEY-----", true},
		{"a header that lets somebody in", "setReqHeader", "Authorization x", true},
		{"the name of a secret", "usersSecret", "monitoring", false},
		{"who the client is", "userAgent", "curl", false},
		{"a name that no label has", "servicPath", "/x", false},
	} {
		if got := isSecret(label.Prefix+row.key, row.value); got != row.secret {
			t.Errorf("%s: got %t", row.meaning, got)
		}
	}
}
