package main

import (
	"strings"
	"testing"

	"sluice/internal/label"
)

func TestNoPasswordLeavesTheProxy(t *testing.T) {
	config := withoutPasswords(`
userlist u
    user admin insecure-password geheim
    user joe password "$6$geheim$x"
    stats auth none:geheim
    user ann insecure-password 'a'"'"'geheim' # kept
    stats auth 'x:"it"'"'"'s geheim'
    user ben insecure-password "a \" geheim"
    http-request set-header Authorization "Basic geheim" if x
    http-request add-header authorization Basic\ geheim
    http-request del-header Authorization if kept`)
	if strings.Contains(config, "geheim") || !strings.Contains(config, "user admin insecure-password (hidden)") || !strings.Contains(config, "if kept") {
		t.Error(config)
	}
	problems := withoutSecrets([]label.Problem{
		{Label: "com.df.users.1", Value: "geheim"}, {Label: "com.df.USERS", Value: "geheim"}, {Label: "com.df.serviceCert", Value: "geheim"},
		{Label: "com.df.servicePath com.df.users", Value: "geheim"}, {Label: "com.df.addReqHeader", Value: "Authorization Basic geheim"}, {Label: "com.df.port", Value: "8o80"},
	})
	for _, p := range problems[:5] {
		if p.Value != hidden {
			t.Errorf("%s shows %s", p.Label, p.Value)
		}
	}
	if problems[5].Value != "8o80" {
		t.Errorf("what is no secret is hidden: %v", problems[5])
	}
}
