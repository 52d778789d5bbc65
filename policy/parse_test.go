package policy_test

import (
	"reflect"
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
		Service: "go-demo", Enabled: true, Min: 2, Max: 10, Interval: time.Second, Merge: "max", Tolerate: 0.05,
		CooldownUp: 5 * time.Second, CooldownDown: 20 * time.Second, StabilizeDown: time.Minute, Warmup: 15 * time.Second,
		NoData: "hold", OnError: "hold", OnExternalChange: "restore", Fallback: policy.Fallback{After: time.Minute, Behavior: "static"},
		UpBy: policy.Move{Amount: 1}, DownBy: policy.Move{Amount: 1},
		Rules: []policy.Rule{{
			Strategy: "target", For: 30 * time.Second, UpBy: policy.Move{Amount: 1}, DownBy: policy.Move{Amount: 1},
			Metric: "sessions", Agg: "mean", Window: 15 * time.Second, Target: 50, PerReplica: true,
			PanicWindow: 3 * time.Second, PanicThreshold: 1.5,
		}},
		RateUp: policy.Rate{Limits: []policy.Limit{
			{Amount: 10, Period: 15 * time.Second}, {Amount: 300, Percent: true, Period: 15 * time.Second},
		}},
		RateDown: policy.Rate{Limits: []policy.Limit{{Amount: 100, Percent: true, Period: 15 * time.Second}}},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(policy.Rate{})); diff != "" {
		t.Errorf("policy differs (-want +got):\n%s", diff)
	}
}

func TestBoundsAreJudgedBesideLabelsThatCannotBeRead(t *testing.T) {
	for _, c := range []struct {
		labels map[string]string
		want   string
	}{
		{map[string]string{"com.df.scale.min": "5", "com.df.scale.max": "3", "com.df.scale.target": "many"}, "com.df.scale.min: must not be above max, 3, got \"5\""},
		{map[string]string{"com.df.scale.min": "5", "com.df.scale.max": "few", "com.df.scale.target": "50"}, ""},
		{map[string]string{"com.df.scale.min": "5", "com.df.scale.max": "3", "com.df.scale.enabled": "false"}, ""},
	} {
		_, _, problems := policy.Parse("go-demo", c.labels, time.LoadLocation)
		var got string
		for _, p := range problems {
			if p.Label == "com.df.scale.min" {
				got = strings.TrimPrefix(p.String(), "go-demo: ")
			}
		}
		if got != c.want {
			t.Errorf("%v: %q, want %q", c.labels, got, c.want)
		}
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
	_, any, problems := policy.Parse("web", map[string]string{"com.df.port": "8080", "com.df.notify": "true"}, time.LoadLocation)
	if any || len(problems) > 0 {
		t.Errorf("scaling labels found: %t, problems %v", any, problems)
	}
}

func TestEnabledFalseAloneIsOffAndNoProblem(t *testing.T) {
	got, any, problems := policy.Parse("web", map[string]string{"com.df.scale.enabled": "false"}, time.LoadLocation)
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
		{"unknown metric", good + "metric=session", `com.df.scale.metric: is not one of sessions, sessionRate, requestRate, queue, responseTime, errorRate, bytesOut, cpu, memory, query (did you mean sessions?), got "session"`},
		{"strategy of the design", good + "strategy=predict", `com.df.scale.strategy: is not supported yet, got "predict"`},
		{"threshold without one", "max=10 strategy=threshold", `com.df.scale.upAbove: is missing, as is downBelow (when should it step?), got ""`},
		{"target for a threshold", good + "strategy=threshold upAbove=9", `com.df.scale.target: means nothing with strategy threshold, got "50"`},
		{"threshold for a target", good + "upAbove=9", `com.df.scale.upAbove: means nothing with strategy target, got "9"`},
		{"range turned round", "max=10 strategy=threshold upAbove=5 downBelow=6", `com.df.scale.downBelow: must not be above upAbove, 5, got "6"`},
		{"step of nothing", good + "upBy=0", `com.df.scale.upBy: is not a step such as 2, 50% or =7, got "0"`},
		{"step both ways", good + "downBy.1==5%", `com.df.scale.downBy.1: is not a step such as 2, 50% or =7, got "=5%"`},
		{"fixed without a number", "max=10 strategy=fixed", `com.df.scale.replicas: is missing (how many?), got ""`},
		{"activation of a fixed rule", "max=10 strategy.1=fixed replicas.1=2 activation.1=3", `com.df.scale.activation.1: means nothing with strategy fixed, got "3"`},
		{"query missing", good + "metric=query", `com.df.scale.query: is missing (what should be asked?), got ""`},
		{"query twice", good + "metric=query query=a queryConfig=b", `com.df.scale.queryConfig: stands beside query (say one of them), got "b"`},
		{"query for another metric", good + "query=a", `com.df.scale.query: means nothing with metric sessions, got "a"`},
		{"placeholder misspelt", good + "metric=query query={{servce}}", `com.df.scale.query: has the placeholder {{servce}}, not one of {{service}}, {{window}} (did you mean service?), got "{{servce}}"`},
		{"placeholder open", good + "metric=query query={{service", `com.df.scale.query: has a {{ without }}, got "{{service"`},
		{"schedule without length", good + "schedule=0_8_*_*_1-5", `com.df.scale.scheduleEnd: is missing, as is scheduleFor (how long does the window last?), got ""`},
		{"schedule with two lengths", good + "schedule=0_8_*_*_* scheduleEnd=0_9_*_*_* scheduleFor=1h", `com.df.scale.scheduleFor: stands beside scheduleEnd (say one of them), got "1h"`},
		{"length without schedule", good + "scheduleFor=1h", `com.df.scale.scheduleFor: means nothing without com.df.scale.schedule, got "1h"`},
		{"bounds without schedule", good + "scheduleMin.2=3", `com.df.scale.scheduleMin.2: means nothing without com.df.scale.schedule.2, got "3"`},
		{"schedule of six fields", good + "schedule=0_0_8_*_*_* scheduleFor=1h", `com.df.scale.schedule: is not a schedule of five fields such as 0 8 * * 1-5, got "0 0 8 * * *"`},
		{"schedule by name", good + "schedule=@daily scheduleFor=1h", `com.df.scale.schedule: is not a schedule of five fields such as 0 8 * * 1-5, got "@daily"`},
		{"schedule that never comes", good + "schedule=0_0_30_2_* scheduleFor=1h", `com.df.scale.schedule: never comes, got "0 0 30 2 *"`},
		{"schedule out of range", good + "schedule=0_25_*_*_* scheduleFor=1h", `com.df.scale.schedule: is not a schedule such as 0 8 * * 1-5 (end of range (25) above maximum (23): 25), got "0 25 * * *"`},
		{"time zone", good + "schedule=0_8_*_*_* scheduleFor=1h timezone=Europe/Berln", `com.df.scale.timezone: is not a time zone such as Europe/Berlin, got "Europe/Berln"`},
		{"time zone of the machine", good + "schedule=0_8_*_*_* scheduleFor=1h timezone=Local", `com.df.scale.timezone: is not a time zone such as Europe/Berlin, got "Local"`},
		{"bounds of a window", good + "schedule.1=0_8_*_*_* scheduleFor.1=1h scheduleMin.1=11", `com.df.scale.scheduleMin.1: must not be above the most replicas of its window, 10, got "11"`},
		{"fallback without a number", good + "onError=fallback", `com.df.scale.fallbackReplicas: is missing (how many replicas when the source fails?), got ""`},
		{"fallback above max", good + "onError=fallback fallbackReplicas=11", `com.df.scale.fallbackReplicas: must not be above max, 10, got "11"`},
		{"number without fallback", good + "fallbackReplicas=3", `com.df.scale.fallbackReplicas: means nothing without com.df.scale.onError=fallback, got "3"`},
		{"noData", good + "noData=zeor", `com.df.scale.noData: is not one of hold, zero (did you mean zero?), got "zeor"`},
		{"onExternalChange", good + "onExternalChange=ignore", `com.df.scale.onExternalChange: is not one of restore, adopt, pause, got "ignore"`},
		{"notify", good + "notify=https://a.example/x,b.example", `com.df.scale.notify: has "b.example", which is no address of http or https, got "https://a.example/x,b.example"`},
		{"label of an index misspelt", good + "upAbov.2=4", `com.df.scale.upAbov.2: is not a label of Sluice (did you mean upAbove?), got "4"`},
		{"label of the design", good + "idleReplicas=0", `com.df.scale.idleReplicas: is not supported yet, got "0"`},
		{"idleAfter", good + "idleAfter=5m", `com.df.scale.idleAfter: is not supported yet, got "5m"`},
		{"wake", good + "wake=hold", `com.df.scale.wake: is not supported yet, got "hold"`},
		{"wakeTimeout", good + "wakeTimeout=60s", `com.df.scale.wakeTimeout: is not supported yet, got "60s"`},
		{"predictModel", good + "predictModel.2=seasonal", `com.df.scale.predictModel.2: is not supported yet, got "seasonal"`},
		{"predictHorizon", good + "predictHorizon=10m", `com.df.scale.predictHorizon: is not supported yet, got "10m"`},
		{"predictHistory", good + "predictHistory=168h", `com.df.scale.predictHistory: is not supported yet, got "168h"`},
		{"indexed label of the design", good + "predictMode.1=x", `com.df.scale.predictMode.1: is not supported yet, got "x"`},
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
				labels[policy.Prefix+key] = strings.ReplaceAll(value, "_", " ")
			}
			_, _, problems := policy.Parse("web", labels, time.LoadLocation)
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

// What docker-scaler does on an alert needs bounds and steps, and no rule.
func TestLabelsOfDockerScalerAreAPolicyWithoutRules(t *testing.T) {
	got := parse(t, map[string]string{
		"com.df.scaleMin": "2", "com.df.scaleMax": "5", "com.df.scaleDownBy": "1", "com.df.scaleUpBy": "2",
	})
	if len(got.Rules) > 0 || got.Min != 2 || got.Max != 5 || got.UpBy.Up(2) != 4 || got.DownBy.Down(4) != 3 {
		t.Errorf("reads %+v", got)
	}
}

// In docker-scaler's own example a service has bounds alone, and every step is one replica.
func TestBoundsOfDockerScalerAloneAreAPolicyWithoutRules(t *testing.T) {
	got := parse(t, map[string]string{"com.df.scaleMin": "2", "com.df.scaleMax": "4"})
	if len(got.Rules) > 0 || got.Min != 2 || got.Max != 4 || got.UpBy.Up(2) != 3 || got.DownBy.Down(4) != 3 {
		t.Errorf("reads %+v", got)
	}
	if got := parse(t, map[string]string{"com.df.scaleMax": "4", "com.df.scale.target": "50"}); len(got.Rules) != 1 {
		t.Errorf("with a target reads %+v", got)
	}
}

func TestAnIndexWithNothingButBoundsIsNoRule(t *testing.T) {
	got := parse(t, map[string]string{
		"com.df.scale.max": "10", "com.df.scale.target": "50",
		"com.df.scale.schedule.1": "0 8 * * 1-5", "com.df.scale.scheduleFor.1": "10h", "com.df.scale.scheduleMin.1": "5",
		"com.df.scale.timezone": "Europe/Berlin",
	})
	if len(got.Rules) != 1 || got.Rules[0].Index != 0 || got.Rules[0].Schedule != nil {
		t.Errorf("rules %+v", got.Rules)
	}
	if len(got.Windows) != 1 || got.Windows[0].Min != 5 || got.Windows[0].Schedule.Zone.String() != "Europe/Berlin" {
		t.Errorf("windows %+v", got.Windows)
	}
}

func TestTheKindOfATargetFollowsTheMetric(t *testing.T) {
	for metric, want := range map[string]bool{"sessions": true, "bytesOut": true, "responseTime": false, "errorRate": false, "cpu": false, "memory": false} {
		got := parse(t, map[string]string{"com.df.scale.max": "10", "com.df.scale.target": "50", "com.df.scale.metric": metric})
		if got.Rules[0].PerReplica != want {
			t.Errorf("%s: per replica %t, want %t", metric, got.Rules[0].PerReplica, want)
		}
	}
}

func TestOwnStateIsNoLabelOfTheUser(t *testing.T) {
	labels := map[string]string{"com.df.scale.max": "10", "com.df.scale.target": "50", policy.StateLabel: "1;0"}
	if _, _, problems := policy.Parse("web", labels, nil); len(problems) > 0 {
		t.Error(problems)
	}
	if _, any, _ := policy.Parse("web", map[string]string{policy.StateLabel: "1;0"}, nil); any {
		t.Error("the state alone makes a policy")
	}
}

func TestMoves(t *testing.T) {
	tests := []struct {
		move           policy.Move
		from, up, down int
	}{
		{policy.Move{Amount: 2}, 5, 7, 3},
		{policy.Move{Amount: 9}, 5, 14, 0},
		{policy.Move{Amount: 50, Percent: true}, 5, 8, 2},
		{policy.Move{Amount: 10, Percent: true}, 1, 2, 0},
		{policy.Move{Amount: 7, Exact: true}, 5, 7, 5},
		{policy.Move{Amount: 7, Exact: true}, 9, 9, 7},
		{policy.Move{}, 4, 4, 4},
	}
	for _, tt := range tests {
		if up, down := tt.move.Up(tt.from), tt.move.Down(tt.from); up != tt.up || down != tt.down {
			t.Errorf("%s from %d: %d and %d, want %d and %d", tt.move, tt.from, up, down, tt.up, tt.down)
		}
	}
}

func TestQueryIsExpanded(t *testing.T) {
	r := policy.Rule{Window: 90 * time.Second}
	got, err := r.Expand(`range(start: -{{window}}) where "{{ service }}"`, "shop_web")
	if want := `range(start: -1m30s) where "shop_web"`; got != want || err != nil {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
}

func TestNoNameOfAServiceIsMoreThanAWordInAQuery(t *testing.T) {
	for _, name := range []string{`a" or true or "b`, `a\`, "${http.post()}", "a\nb", "a b", "a)", "a/", ""} {
		if got, err := (policy.Rule{}).Expand(`r.service == "{{service}}" and {{service}}`, name); err == nil {
			t.Errorf("%q makes %s", name, got)
		}
	}
}

func TestTextOfAConfigIsCheckedLikeALabel(t *testing.T) {
	for _, text := range []string{" ", "SELECT mean(x) FROM jobs", "{{node}}", "{{service"} {
		if got, err := (policy.Rule{}).Expand(text, "web"); err == nil {
			t.Errorf("%q makes %q", text, got)
		}
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
	f.Add("scale.max", "10", "scale.schedule.1", "*/5 8-18 * jan-jun mon,wed", "scale.scheduleFor.1", "10h")
	f.Add("scale.max", "10", "scale.strategy", "threshold", "scale.upAbove", "1e308")
	f.Add("scale.max", "10", "scale.target", "1e-300", "scale.schedule", "TZ= 0 0 0 0")
	f.Add("scale.max", "10", "scale.metric", "query", "scale.query", "{{window}}")
	f.Add("scaleMax", "9", "scale.paused", "in", "scale.panicThreshold", "1e300%")
	f.Fuzz(func(t *testing.T, k1, v1, k2, v2, k3, v3 string) {
		labels := map[string]string{"com.df." + k1: v1, "com.df." + k2: v2, "com.df." + k3: v3}
		p, any, problems := policy.Parse("web", labels, time.LoadLocation)
		again, _, _ := policy.Parse("web", labels, time.LoadLocation)
		if !reflect.DeepEqual(p, again) {
			t.Fatalf("same labels, another policy: %+v, %+v", p, again)
		}
		if !any || len(problems) > 0 || !p.Enabled {
			return
		}
		if p.Min < 1 || p.Max < p.Min || len(p.Rules) > 0 && p.Rules[0].Strategy == "target" && p.Rules[0].Target <= 0 {
			t.Fatalf("valid, yet %+v", p)
		}
		in := policy.Input{Replicas: p.Min, Replicated: true}
		for _, r := range p.Rules {
			in.Series = append(in.Series, policy.Series{
				Metric: r.Source(), Proxy: "a", Backend: "b_1", Points: []policy.Point{{At: epoch, Value: 1e9, Weight: 1}},
			})
		}
		low, high := p.Min, p.Max
		for _, w := range p.Windows {
			low, high = min(low, max(1, w.Min)), max(high, w.Max)
			if w.Max > 0 {
				low = min(low, w.Max)
			}
		}
		if d, _ := p.Evaluate(epoch, in, policy.State{}); d.To < low || d.To > high {
			t.Fatalf("out of bounds: %+v", d)
		}
	})
}
