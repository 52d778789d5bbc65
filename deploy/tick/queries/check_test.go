package queries_test

import (
	"strings"
	"testing"

	"sluice/deploy/tick/queries"
)

func TestNamesThatNobodyWritesAreFound(t *testing.T) {
	for _, c := range []struct{ name, query, want string }{
		{"fields and tags of the measurement", `SELECT mean("scur_mean") AS "s" FROM :points:."haproxy" WHERE "service" != '' AND time > :dashboardTime: GROUP BY time(:interval:), "server" fill(none)`, ""},
		{"a name that the query gives", `SELECT sum("v") AS "all" FROM (SELECT last("current") AS "v" FROM "telegraf"."minutes"."sluice_scale" GROUP BY time(1m), "service")`, ""},
		{"a field of another measurement", `SELECT "desired" FROM "haproxy"`, `"desired" is written by nobody`},
		{"an unknown field", `SELECT mean("scurr") FROM "haproxy"`, `"scurr" is written by nobody`},
		{"a bare name", `SELECT mean(scur) FROM "haproxy"`, "scur is not quoted"},
		{"a policy that is not there", `SELECT mean("scur") FROM "telegraf"."weeks"."haproxy"`, `"weeks" is written by nobody`},
		{"the body of a continuous query", `CREATE CONTINUOUS QUERY "x" ON "telegraf" BEGIN SELECT mean("nothing") AS "nothing" INTO "telegraf"."hours"."docker" FROM "telegraf"."minutes"."docker" GROUP BY time(1h), * END`, `"nothing" is written by nobody`},
		{"a name that is given only further out", `SELECT sum("n") AS "current" FROM (SELECT last("n_cpus") AS "n" FROM "docker" WHERE "current" > 0)`, `"current" is written by nobody`},
		{"texts and expressions", `SELECT "n_cpus" FROM "docker" WHERE "host" =~ /"not a name"/ AND "engine_host" != 'bare words'`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := queries.Check(c.query)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
