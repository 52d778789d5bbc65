package main

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/swarm"
)

// explained is what `scaler explain` prints after so many seconds under a load.
func explained(t *testing.T, s swarm.Service, load float64, seconds int) (text string) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(s)
		if load > 0 {
			r.load["demo_app"] = load
		}
		r.seconds(t, seconds)
		var out strings.Builder
		i := &intent{subject: r.loop.subjects["id1"], decision: r.loop.subjects["id1"].decide(time.Now(), r.loop.feed)}
		explain(&out, i, r.loop.feed.series(time.Now(), "demo_app"), r.loop.feed.origin(), time.Now())
		text = out.String()
	})
	return text
}

func TestExplainTellsWhatAndWhy(t *testing.T) {
	const defaults = "  by default min 1, tolerance 0.05, stabilizeUp 0s, stabilizeDown 1m, cooldownUp 5s, cooldownDown 20s, "
	for _, row := range []struct {
		name    string
		service swarm.Service
		want    string
	}{
		{"nothing is measured", demo(3), `demo_app: no sessions measured within the last 2m: hold at 3

What its labels ask for
  com.df.scale.max = 10
  com.df.scale.target = 100
` + defaults + `rateUp 10/15s,300%/15s, rateDown 100%/15s, warmup 15s

What it has
  3 replicas desired, between 1 and 10; 3 of 3 tasks running, the youngest for 1h0m0s

What was measured (HAProxy's figures from InfluxDB)
  no sessions measured within the last 2m
  Is the service routed (proxy explain), and do the proxies write where the scaler reads?

What follows from 3 replicas
  the rules ask for 3
  nothing to say: tolerance, data, stabilization, rate, external, bounds, pause, cooldown, convergence, dryRun

Verdict: hold
`},
		{"unusable labels", demo(3, "min=30"), `demo_app: com.df.scale.min: must not be above max, 10, got "30"

What its labels ask for
  com.df.scale.max = 10
  com.df.scale.min = 30
  com.df.scale.target = 100
  ! com.df.scale.min: must not be above max, 10, got "30"

Until its labels can be used, the service is not scaled. It is routed all the same.
`},
		{"switched off", demo(3, "enabled=false"), `demo_app: com.df.scale.enabled is false

What its labels ask for
  com.df.scale.enabled = false
  com.df.scale.max = 10
  com.df.scale.target = 100

The scaler leaves it alone.
`},
	} {
		t.Run(row.name, func(t *testing.T) {
			if diff := cmp.Diff(row.want, explained(t, row.service, 0, 10)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestExplainTellsEveryLimitAndTheLastChange(t *testing.T) {
	got := explained(t, demo(3, "rateUp=1/1m"), 480, 10)
	for _, want := range []string{
		"demo_app: sessions 480 over 4 replicas is 120 each, target 100: want 5, but rateUp 1/1m allows 4: hold at 4\n",
		"4 replicas desired, between 1 and 10; 4 of 4 tasks running", "ago the scaler went from 3 to 4",
		"sessions 480 over 4 replicas is 120 each, target 100 (mean over 15s): asks for 5, exactly 4.80",
		"sessions of demo_app-be8080_1 at proxy proxy-1, up to 300ms ago: … 480 480", "  rate          rateUp 1/1m allows 4: 4\n", "Verdict: hold\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}
