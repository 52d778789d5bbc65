package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"sluice/internal/daemon"
	"sluice/internal/influx/influxtest"
)

// What really happened is read back from the real InfluxDB: loads of two proxies, a silence, and the scaler's decisions.
func replaysThePast(t *testing.T, server *influxtest.Server) {
	begin := time.Now().Add(-10 * time.Minute).Truncate(time.Second)
	var lines bytes.Buffer
	for second := range 120 {
		at := begin.Add(time.Duration(second) * time.Second).UnixNano()
		if second < 40 || second >= 70 { // 25 seconds longer than a point is fresh
			for _, proxy := range []string{"a", "b"} {
				fmt.Fprintf(&lines, "haproxy,server=%s,type=backend,proxy=web-be80_1,service=web scur_mean=%d,req_rate_mean=7 %d\n", proxy, 30+second, at)
				fmt.Fprintf(&lines, "haproxy,server=%s,type=frontend,proxy=services,service=web scur_mean=999 %d\n", proxy, at)
			}
		}
		if second == 10 || second == 90 {
			fmt.Fprintf(&lines, "sluice_scale,host=x,service=web desired=%di,reason=\"so\" %d\n", 2+second/30, at)
		}
	}
	answer, err := http.Post(server.URL+"/write?db="+url.QueryEscape(server.DB), "text/plain", &lines)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()

	c := simulateCommand{
		FromInflux: "web", Past: 2 * time.Minute, Until: begin.Add(2 * time.Minute), Start: 5 * time.Second, Latency: 100 * time.Millisecond,
		Influx: daemon.Influx{InfluxURL: server.URL, InfluxBucket: server.Bucket},
	}
	b, err := c.bench()
	if err != nil {
		t.Fatal(err)
	}
	traces, err := c.traces(t.Context(), &b)
	if err != nil {
		t.Fatal(err)
	}
	load := traces[0].Load
	for second, want := range map[int]float64{0: 60, 39: 138, 44: 138, 60: 138, 70: 200, 119: 298} {
		if load[second] != want {
			t.Errorf("second %d: load %v, want %v", second, load[second], want)
		}
	}
	if !b.begin.Equal(begin) || b.happened[0] != 2 || b.happened[89] != 2 || b.happened[90] != 5 || b.happened[119] != 5 {
		t.Errorf("begins %s, want %s; replicas %v", b.begin, begin, b.happened)
	}
	var table strings.Builder
	if err := printRuns(&table, b, []run{b.run(traces[0])}); err != nil || !strings.Contains(table.String(), reallyDone) {
		t.Errorf("error %v in\n%s", err, table.String())
	}
	c.FromInflux = "nobody"
	if _, err := c.traces(t.Context(), &b); err == nil || !strings.Contains(err.Error(), "nothing was measured of service nobody") {
		t.Errorf("error %v", err)
	}
}
