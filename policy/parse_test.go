package policy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sluice/policy"
)

func TestThreeLabelsAreEnough(t *testing.T) {
	got := parse(t, map[string]string{"com.df.scale.min": "2", "com.df.scale.max": "10", "com.df.scale.target": "50"})
	want := policy.Policy{
		Service: "go-demo", Enabled: true, Min: 2, Max: 10, Interval: time.Second, Merge: "max", Tolerate: 0.1,
		CooldownUp: 5 * time.Second, CooldownDown: time.Minute, StabilizeDown: 3 * time.Minute, Warmup: 15 * time.Second,
		Rules: []policy.Rule{{
			Metric: "sessions", Agg: "mean", Window: 15 * time.Second, Target: 50, PerReplica: true,
			PanicWindow: 3 * time.Second, PanicThreshold: 2,
		}},
		RateUp: policy.Rate{Limits: []policy.Limit{
			{Amount: 4, Period: 15 * time.Second}, {Amount: 100, Percent: true, Period: 15 * time.Second},
		}},
		RateDown: policy.Rate{Limits: []policy.Limit{{Amount: 100, Percent: true, Period: 15 * time.Second}}},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(policy.Rate{})); diff != "" {
		t.Errorf("policy differs (-want +got):\n%s", diff)
	}
}

func TestUnsuffixedLabelIsTheDefaultOfEveryRule(t *testing.T) {
	got := parse(t, map[string]string{
		"com.df.scale.max": "10", "com.df.scale.window": "30s", "com.df.scale.target.1": "50",
		"com.df.scale.target.2": "5", "com.df.scale.metric.2": "queue", "com.df.scale.window.2": "1m",
	})
	if len(got.Rules) != 2 {
		t.Fatalf("%d rules, want 2", len(got.Rules))
	}
	if w := got.Rules[0].Window; w != 30*time.Second {
		t.Errorf("rule 1 has window %s, want the default of all rules, 30s", w)
	}
	if r := got.Rules[1]; r.Window != time.Minute || r.Metric != "queue" || r.Target != 5 {
		t.Errorf("rule 2 reads %+v", r)
	}
}

func TestAliasesOfDockerScaler(t *testing.T) {
	got := parse(t, map[string]string{"com.df.scaleMin": "2", "com.df.scaleMax": "6", "com.df.scale.target": "50"})
	if got.Min != 2 || got.Max != 6 {
		t.Errorf("bounds %d to %d, want 2 to 6", got.Min, got.Max)
	}
}

func TestServiceWithoutScalingLabelsHasNoPolicy(t *testing.T) {
	_, any, problems := policy.Parse("web", map[string]string{"com.df.port": "8080", "com.df.notify": "true"})
	if any || len(problems) > 0 {
		t.Errorf("scaling labels found: %t, problems %v", any, problems)
	}
}

func TestEnabledFalseAloneIsOffAndNoProblem(t *testing.T) {
	got, any, problems := policy.Parse("web", map[string]string{"com.df.scale.enabled": "false"})
	if !any || got.Enabled || len(problems) > 0 {
		t.Errorf("any %t, enabled %t, problems %v", any, got.Enabled, problems)
	}
}

func TestProblems(t *testing.T) {
	const good = "max=10 target=50 "
	tests := []struct {
		name, labels string // short names, prefix left out
		want         string
	}{
		{"max missing", "target=50", `com.df.scale.max: is missing (how many replicas at most?), got ""`},
		{"target missing", "max=10", `com.df.scale.target: is missing (what should one replica carry?), got ""`},
		{"target of a rule missing", "max=10 metric.2=queue", `com.df.scale.target.2: is missing (what should one replica carry?), got ""`},
		{"target zero", "max=10 target=0", `com.df.scale.target: must be above 0, got "0"`},
		{"target of a rule negative", "max=10 target.3=-1", `com.df.scale.target.3: must be above 0, got "-1"`},
		{"target no number", "max=10 target=NaN", `com.df.scale.target: is not a number, got "NaN"`},
		{"max no number", "max=ten target=50", `com.df.scale.max: is not a whole number, got "ten"`},
		{"min above max", good + "min=11", `com.df.scale.min: must not be above max, 10, got "11"`},
		{"min zero", good + "min=0", `com.df.scale.min: must be at least 1, got "0"`},
		{"unknown label", good + "cooldwnUp=5s", `com.df.scale.cooldwnUp: is not a label of Sluice (did you mean cooldownUp?), got "5s"`},
		{"index where none belongs", good + "max.2=5", `com.df.scale.max.2: com.df.scale.max takes no index, got "5"`},
		{"bare duration", good + "window=15", `com.df.scale.window: has no unit (write 15s or 15m), got "15"`},
		{"window too long", good + "window=10m", `com.df.scale.window: must lie between 1s and 5m, got "10m"`},
		{"unknown metric", good + "metric=session", `com.df.scale.metric: is not one of sessions, requestRate, queue (did you mean sessions?), got "session"`},
		{"strategy of the design", good + "strategy=threshold", `com.df.scale.strategy: is not one of target, got "threshold"`},
		{"label of the design", good + "idleReplicas=0", `com.df.scale.idleReplicas: is not supported yet, got "0"`},
		{"indexed label of the design", good + "schedule.1=0", `com.df.scale.schedule.1: is not supported yet, got "0"`},
		{"tolerance", good + "tolerance=1", `com.df.scale.tolerance: must be at least 0 and below 1, got "1"`},
		{"rate without period", good + "rateUp=4", `com.df.scale.rateUp: is not a list such as 4/15s,100%/15s, or disabled, got "4"`},
		{"rate with bare period", good + "rateUp=4/15", `com.df.scale.rateUp: has the period "15", which is not a duration such as 15s, up to 1h, got "4/15"`},
		{"rate of nothing", good + "rateDown=0/15s", `com.df.scale.rateDown: has the amount "0", which is not a number or percentage above 0, got "0/15s"`},
		{"paused", good + "paused=maybe", `com.df.scale.paused: is not true, false, in, out or a number of replicas, got "maybe"`},
		{"frozen outside the bounds", good + "paused=11", `com.df.scale.paused: must lie between min, 1, and max, 10, got "11"`},
		{"panic threshold", good + "panicThreshold=100%", `com.df.scale.panicThreshold: is not a percentage above 100%, got "100%"`},
		{"panic window longer than window", good + "panicWindow=20s", `com.df.scale.panicWindow: must not be longer than the window, 15s, got "20s"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			labels := map[string]string{}
			for word := range strings.FieldsSeq(tt.labels) {
				key, value, _ := strings.Cut(word, "=")
				labels[policy.Prefix+key] = value
			}
			_, _, problems := policy.Parse("web", labels)
			var got []string
			for _, p := range problems {
				got = append(got, p.String())
			}
			if diff := cmp.Diff([]string{"web: " + tt.want}, got); diff != "" {
				t.Errorf("problems differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestStepLabelsOfDockerScalerAreRefused(t *testing.T) {
	_, any, problems := policy.Parse("web", map[string]string{"com.df.scaleUpBy": "2"})
	if !any || !strings.Contains(problems[0].String(), "is not supported yet") {
		t.Errorf("any %t, problems %v", any, problems)
	}
}

func TestDefaultsAndExamplesOfTheTableAreValid(t *testing.T) {
	for _, spec := range policy.Table.Specs {
		for _, raw := range []string{spec.Default, spec.Example} {
			if raw == "" {
				continue
			}
			if _, err := spec.Parse(raw); err != nil {
				t.Errorf("%s: %q %v", spec.Name, raw, err)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("scale.max", "10", "scale.target", "50", "scale.rateUp", "4/15s,100%/15s")
	f.Add("scale.max", "10", "scale.target.1", "5e3", "scale.metric.1", "queue")
	f.Add("scaleMax", "9", "scale.paused", "in", "scale.panicThreshold", "1e300%")
	f.Fuzz(func(t *testing.T, k1, v1, k2, v2, k3, v3 string) {
		labels := map[string]string{"com.df." + k1: v1, "com.df." + k2: v2, "com.df." + k3: v3}
		p, any, problems := policy.Parse("web", labels)
		again, _, _ := policy.Parse("web", labels)
		if diff := cmp.Diff(p, again, cmpopts.IgnoreUnexported(policy.Rate{}), cmpopts.EquateNaNs()); diff != "" {
			t.Fatal("same labels, another policy", diff)
		}
		if !any || len(problems) > 0 || !p.Enabled {
			return
		}
		if p.Min < 1 || p.Max < p.Min || len(p.Rules) == 0 || p.Rules[0].Target <= 0 {
			t.Fatalf("valid, yet %+v", p)
		}
		in := policy.Input{Replicas: p.Min, Replicated: true, Series: []policy.Series{{
			Metric: p.Rules[0].Metric, Proxy: "a", Backend: "b_1", Points: []policy.Point{{At: epoch, Value: 1e9}},
		}}}
		if d, _ := p.Evaluate(epoch, in, policy.State{}); d.To < p.Min || (d.To > p.Max) {
			t.Fatalf("out of bounds: %+v", d)
		}
	})
}
