package main

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/swarm"
	"sluice/policy"
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
		explain(&out, i, r.loop.feed.series(time.Now(), "demo_app"), r.loop.feed.origin(time.Now()), time.Now())
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

func TestExplainOfAServiceWithoutLabelsNamesThoseThatHaveSome(t *testing.T) {
	list := []*intent{{subject: newSubject(demo(3))}}
	for service, want := range map[string]string{
		"demo_ap": `no service "demo_ap" has scaling labels (did you mean demo_app?), but these have: demo_app`,
		"db":      `no service "db" has scaling labels, but these have: demo_app`,
	} {
		if got := absent(service, list).Error(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if got := absent("db", nil).Error(); got != "no service has scaling labels" {
		t.Error(got)
	}
}

func TestExplainTellsOfAWrongClock(t *testing.T) {
	now := time.Unix(1_767_225_600, 0)
	for ahead, want := range map[time.Duration]string{
		-3 * time.Second: "  sessions of b at proxy p, up to 300ms ago: … 5\n    its clock is 3s behind ours\n",
		4 * time.Second:  "  sessions of b at proxy p, up to 300ms ago: … 5\n    its clock is 4s ahead of ours\n",
		0:                "  sessions of b at proxy p, up to 300ms ago: … 5\n",
	} {
		point := policy.Point{At: now.Add(ahead - 300*time.Millisecond), Value: 5}
		var out strings.Builder
		explainSeries(&out, policyOf(t, "demo_app", nil), []policy.Series{{Metric: "sessions", Proxy: "p", Backend: "b", Ahead: ahead, Points: []policy.Point{point}}}, now)
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Error(diff)
		}
	}
}

func TestDecideSaysWhyInATable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := demo(1, "min=20")
		broken.ID, broken.Name = "id2", "broken"
		r := newRig(demo(3), broken)
		time.Sleep(time.Second) // the clock is synctest's
		r.influx.write("demo_app", "proxy-1", time.Now(), 480)
		if err := r.loop.look(t.Context()); err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		printTable(&out, r.loop.decide(time.Now()))
		want := `SERVICE   REPLICAS  RUNNING  MIN  MAX  VERDICT  WHY
broken    1         1        20   10   invalid  com.df.scale.min: must not be above max, 10, got "20"
demo_app  3 -> 5    3        1    10   up       sessions 480 over 3 replicas is 160 each, target 100: want 5
`
		if diff := cmp.Diff(want, out.String()); diff != "" || len(r.swarm.scaled) > 0 {
			t.Errorf("scaled %v\n%s", r.swarm.scaled, diff)
		}
		out.Reset()
		if printTable(&out, nil); out.String() != "No service has a label com.df.scale.max or any other of the scaler.\n" {
			t.Error(out.String())
		}
	})
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
