package policy_test

import (
	"strings"
	"testing"
	"time"

	"sluice/policy"
)

// one is a service of four replicas that one proxy measures.
func one(t *testing.T, metric string, points ...policy.Point) (policy.Policy, policy.Input) {
	t.Helper()
	p := parse(t, map[string]string{"com.df.scale.max": "100", "com.df.scale.target": "10", "com.df.scale.metric": metric, "com.df.scale.targetType": "value",
		"com.df.scale.stabilizeDown": "0s", "com.df.scale.panicWindow": "0s", "com.df.scale.warmup": "0s", "com.df.scale.window": "5s"})
	in := policy.Input{Replicas: 4, Replicated: true, Series: []policy.Series{{Metric: metric, Proxy: "a", Backend: "b", Points: points}}}
	for range 4 {
		in.Tasks = append(in.Tasks, policy.Task{Running: true, Since: epoch.Add(-time.Hour)})
	}
	return p, in
}

func TestMeanOfALevelIsOverItsRequestsNotItsSeconds(t *testing.T) {
	var points []policy.Point
	for s := range 5 {
		points = append(points, policy.Point{At: epoch.Add(time.Duration(s-4) * time.Second), Value: 10, Weight: 99})
	}
	points[4].Value, points[4].Weight = 500, 4 // a second with few requests, which are slow
	p, in := one(t, "responseTime", points...)
	d, _ := p.Evaluate(epoch, in, policy.State{})
	if got := d.Rules[0].Value; got != (4*99*10+4*500)/400.0 {
		t.Errorf("%v", got)
	}
}

func TestWhatIsKnownToBePartTakesNothingAway(t *testing.T) {
	for value, want := range map[float64]int{2: 4, 20: 8} {
		p, in := one(t, "cpu", policy.Point{At: epoch, Value: value, Weight: 1})
		in.Partial = map[string]string{"cpu": "cpu of 1 of 4 tasks is measured", "memory": "nothing to the point"}
		d, _ := p.Evaluate(epoch, in, policy.State{})
		if d.To != want || want == 4 && !strings.HasSuffix(d.Reason, "want 1, but cpu of 1 of 4 tasks is measured: hold at 4") {
			t.Errorf("%v: %d, %s", value, d.To, d.Reason)
		}
	}
}

func TestSilenceNamesWhoMeasures(t *testing.T) {
	p, in := one(t, "cpu", policy.Point{At: epoch.Add(-40 * time.Second), Value: 2, Weight: 1})
	in.Series[0].By, in.Series[0].Proxy, in.Series[0].Every = "Telegraf of node", "n1", 10*time.Second
	d, _ := p.Evaluate(epoch, in, policy.State{})
	if want := "no fresh cpu (Telegraf of node n1 silent for 40s): hold at 4"; d.Reason != want {
		t.Errorf("%s, want %s", d.Reason, want)
	}
	p, in = one(t, "cpu", policy.Point{At: epoch.Add(-25 * time.Second), Value: 5, Weight: 1})
	in.Series[0].Every = 10 * time.Second // points every ten seconds are fresh for thirty
	if d, _ := p.Evaluate(epoch, in, policy.State{}); d.To != 2 {
		t.Errorf("%d: %s", d.To, d.Reason)
	}
}
