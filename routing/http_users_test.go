package routing_test

import (
	"testing"

	"sluice/routing"
)

// A stack file is checked where the proxy's secrets are not: what they hold is not known, and nobody is let in by guessing.
func TestSecretsThatAreNotKnownAreNotJudged(t *testing.T) {
	services := []routing.Service{{Name: "svc", Networks: []string{"proxy"}, Labels: map[string]string{"com.df.notify": "true", "com.df.port": "80",
		"com.df.servicePath": "/", "com.df.users": "observer,joe:x", "com.df.usersSecret": "monitoring"}}}
	for _, row := range []struct {
		name    string
		secrets map[string]string
		want    int // problems
		users   int
	}{
		{"not known", nil, 0, 1},
		{"known, and missing", map[string]string{}, 1, 1},
		{"known, and somebody else's", map[string]string{"dfp_users_monitoring": "other:y"}, 1, 1},
		{"known, and malformed", map[string]string{"dfp_users_monitoring": ":y"}, 1, 1},
		{"known", map[string]string{"dfp_users_monitoring": "observer:y"}, 0, 2},
	} {
		t.Run(row.name, func(t *testing.T) {
			table, problems := routing.BuildTable(services, routing.Options{Network: "proxy", Secrets: row.secrets})
			if len(problems) != row.want {
				t.Errorf("problems: %v", problems)
			}
			users := 0
			for _, b := range table.Backends {
				users = len(b.HTTP.Auth.Users)
			}
			if users != row.users {
				t.Errorf("%d users, want %d: %+v", users, row.users, table.Backends)
			}
		})
	}
}
