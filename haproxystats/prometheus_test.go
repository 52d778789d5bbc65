package haproxystats

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestEveryExportedColumnIsInTheTable guards against a name that is misspelt: it would be left out in silence.
func TestEveryExportedColumnIsInTheTable(t *testing.T) {
	seen := map[string]bool{}
	for _, e := range exportedColumns {
		if _, number := schema.numberSlot[e.column]; !number {
			t.Errorf("%s is no number of the table", e.column)
		}
		if id := e.name + e.code; seen[id] {
			t.Errorf("%s stands twice", id)
		} else {
			seen[id] = true
		}
		counter := columns[schema.column[e.column]].Merge
		if total := strings.HasSuffix(e.name, "_total"); total != (counter == Count || counter == CountOnce) {
			t.Errorf("%s is named %s but merged by %s", e.column, e.name, counter)
		}
	}
}

func TestMetricsAreNamedAsHAProxysExporterDoes(t *testing.T) {
	rows := mustParse(t, "# pxname,svname,scur,stot,status,type,hrsp_2xx,qtime,req_tot,check_code,act,\n"+
		"http,FRONTEND,3,9,OPEN,0,8,,9,,,\n"+
		"web-be80_0,web.1,2,5,UP 1/3,2,4,1500,,200,,\n"+
		"web-be80_0,BACKEND,2,5,DOWN,1,4,1500,5,,1,\n"+
		"http,sock-1,1,1,OPEN,3,,,,,,\n")
	samples := NewSampler().Next(time.Unix(1, 0), []Worker{{PID: 1, Rows: rows}})
	var got []string
	for m := range Metrics(samples, func(string) (string, string) { return "stack_web", "stack" }) {
		var labels []string
		for _, l := range m.Labels {
			labels = append(labels, fmt.Sprintf("%s=%q", l.Key, l.Value))
		}
		kind := "gauge"
		if m.Counter {
			kind = "counter"
		}
		got = append(got, fmt.Sprintf("%s{%s} %g %s", m.Name, strings.Join(labels, ","), m.Value, kind))
	}
	want := []string{
		`haproxy_frontend_status{proxy="http",state="DOWN"} 0 gauge`,
		`haproxy_frontend_status{proxy="http",state="UP"} 1 gauge`,
		`haproxy_frontend_current_sessions{proxy="http"} 3 gauge`,
		`haproxy_frontend_sessions_total{proxy="http"} 9 counter`,
		`haproxy_frontend_http_responses_total{proxy="http",code="2xx"} 8 counter`,
		`haproxy_frontend_http_requests_total{proxy="http"} 9 counter`,
		`haproxy_server_status{proxy="web-be80_0",server="web.1",service="stack_web",state="DOWN"} 0 gauge`,
		`haproxy_server_status{proxy="web-be80_0",server="web.1",service="stack_web",state="UP"} 1 gauge`,
		`haproxy_server_status{proxy="web-be80_0",server="web.1",service="stack_web",state="MAINT"} 0 gauge`,
		`haproxy_server_status{proxy="web-be80_0",server="web.1",service="stack_web",state="DRAIN"} 0 gauge`,
		`haproxy_server_status{proxy="web-be80_0",server="web.1",service="stack_web",state="NOLB"} 0 gauge`,
		`haproxy_server_current_sessions{proxy="web-be80_0",server="web.1",service="stack_web"} 2 gauge`,
		`haproxy_server_sessions_total{proxy="web-be80_0",server="web.1",service="stack_web"} 5 counter`,
		`haproxy_server_check_code{proxy="web-be80_0",server="web.1",service="stack_web"} 200 gauge`,
		`haproxy_server_http_responses_total{proxy="web-be80_0",server="web.1",service="stack_web",code="2xx"} 4 counter`,
		`haproxy_server_queue_time_average_seconds{proxy="web-be80_0",server="web.1",service="stack_web"} 1.5 gauge`,
		`haproxy_backend_status{proxy="web-be80_0",service="stack_web",state="DOWN"} 1 gauge`,
		`haproxy_backend_status{proxy="web-be80_0",service="stack_web",state="UP"} 0 gauge`,
		`haproxy_backend_current_sessions{proxy="web-be80_0",service="stack_web"} 2 gauge`,
		`haproxy_backend_sessions_total{proxy="web-be80_0",service="stack_web"} 5 counter`,
		`haproxy_backend_active_servers{proxy="web-be80_0",service="stack_web"} 1 gauge`,
		`haproxy_backend_http_responses_total{proxy="web-be80_0",service="stack_web",code="2xx"} 4 counter`,
		`haproxy_backend_http_requests_total{proxy="web-be80_0",service="stack_web"} 5 counter`,
		`haproxy_backend_queue_time_average_seconds{proxy="web-be80_0",service="stack_web"} 1.5 gauge`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
