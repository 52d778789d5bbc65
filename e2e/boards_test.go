package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"sluice/deploy/tick/queries"
)

// isShown asks everything that dashboards and alerts ask, of what the run before has written. Nothing may be without data but
// what says so in its note.
func isShown(s *stack, service string) {
	t := s.t
	dir := filepath.Join(s.root, "deploy", "tick")
	// Telegraf and the continuous queries take their time; the test does not wait for the latter's five minutes.
	own := fmt.Sprintf(` WHERE "com.docker.swarm.service.name" = '%s'`, service)
	s.await(patience, "Telegraf has written what Docker knows", func() bool {
		return s.rows(t, `SELECT last("tasks_running") FROM "docker_swarm"`) > 0 &&
			s.rows(t, `SELECT last("usage") FROM "docker_container_mem"`+own) > 0 && s.rows(t, `SELECT last("usage_percent") FROM "docker_container_cpu"`+own) > 0
	})
	continuous, err := queries.Continuous(filepath.Join(dir, "influxdb-policies.influxql"))
	if err != nil {
		t.Fatal(err)
	}
	if n := s.rows(t, "SHOW CONTINUOUS QUERIES"); n != len(continuous) {
		t.Errorf("InfluxDB was set up with %d continuous queries, the file has %d", n, len(continuous))
	}
	for _, q := range continuous {
		s.rows(t, q.Text)
	}
	boards, err := queries.Dashboards(filepath.Join(dir, "dashboards"))
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	for policy, span := range map[string]queries.Range{
		`"telegraf"."autogen"`: {Lower: "now() - 15m", Upper: "now()", Interval: "2500ms"},
		`"telegraf"."minutes"`: {Lower: "now() - 1h", Upper: "now()", Interval: "10000ms"},
		`"telegraf"."hours"`:   {Lower: "now() - 7d", Upper: "now()", Interval: "1680000ms"},
	} {
		for _, q := range boards {
			asked++
			text := q.Fill(span, map[string]string{":points:": policy, ":service:": service})
			// One hour has no rate.
			if s.rows(t, text) == 0 && !q.Empty && policy != `"telegraf"."hours"` {
				t.Errorf("%s has no data of %s: %s", q.Where, policy, text)
			}
		}
	}
	alerts, err := queries.Alerts(filepath.Join(dir, "alerts", "tasks"))
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range alerts {
		if s.rows(t, q.Text) == 0 {
			t.Errorf("alert %s has no data: %s", q.Where, q.Text)
		}
	}
	t.Logf("asked %d queries of dashboards, %d of alerts", asked, len(alerts))
}

// rows is the number of rows with a value that InfluxDB answers to InfluxQL.
func (s *stack) rows(t *testing.T, query string) (n int) {
	t.Helper()
	client := http.Client{Timeout: time.Minute}
	response, err := client.PostForm("http://"+s.influxd+"/query", url.Values{"db": {"telegraf"}, "q": {query}})
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct {
		Error   string
		Results []struct {
			Error  string
			Series []struct{ Values [][]any }
		}
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	for _, r := range answer.Results {
		answer.Error += r.Error
		for _, series := range r.Series {
			for _, row := range series.Values {
				for _, value := range row[1:] {
					if value != nil && fmt.Sprint(value) != "" {
						n++
						break
					}
				}
			}
		}
	}
	if answer.Error != "" {
		t.Fatalf("%s: %s", query, answer.Error)
	}
	return n
}
