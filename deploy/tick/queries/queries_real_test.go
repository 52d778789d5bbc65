package queries_test

import (
	"os"
	"strings"
	"testing"

	"sluice/deploy/tick/queries"
	"sluice/internal/influx/influxtest"
)

// TestInfluxDBTakesEveryQuery asks a database without points; what they answer is for the test of the whole stack.
func TestInfluxDBTakesEveryQuery(t *testing.T) {
	server := influxtest.Start(t)
	boards, err := queries.Dashboards("../dashboards")
	if err != nil {
		t.Fatal(err)
	}
	alerts, err := queries.Alerts("../alerts/tasks")
	if err != nil {
		t.Fatal(err)
	}
	examples, err := queries.Alerts("../alerts/example")
	if err != nil {
		t.Fatal(err)
	}
	policies, err := os.ReadFile("../influxdb-policies.influxql")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // each start sends them again
		for statement := range strings.Lines(string(policies)) {
			if !strings.HasPrefix(statement, "--") {
				server.InfluxQL(strings.TrimSpace(statement))
			}
		}
	}
	if n := len(server.InfluxQL(`SHOW RETENTION POLICIES ON "telegraf"`)[0].Values); n != 3 {
		t.Errorf("there are %d retention policies, want 3", n)
	}
	span := queries.Range{Lower: "now() - 15m", Upper: "now()", Interval: "2500ms"}
	for _, q := range boards {
		server.InfluxQL(q.Fill(span, map[string]string{":service:": "demo_app"}))
	}
	for _, q := range append(alerts, examples...) {
		if err := queries.Check(q.Text); err != nil {
			t.Errorf("%s: %v", q.Where, err)
		}
		server.InfluxQL(q.Text)
	}
	continuous, err := queries.Continuous("../influxdb-policies.influxql")
	if err != nil || len(continuous) != len(server.InfluxQL("SHOW CONTINUOUS QUERIES")[0].Values) {
		t.Errorf("%d continuous queries in the file, %v", len(continuous), err)
	}
	for _, q := range continuous {
		server.InfluxQL(q.Text)
	}
	if len(boards) < 60 || len(alerts) != 7 {
		t.Errorf("%d queries of dashboards, %d of alerts", len(boards), len(alerts))
	}
}
