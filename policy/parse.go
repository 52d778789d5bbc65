package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sluice/internal/label"
)

// vocabulary is what Parse reads by; it never changes.
var vocabulary = known()

// Parse reads the policy of a service. The second result says whether the service carries any scaling label at all.
// With a single problem the policy is invalid and must not be used: a service is scaled as its labels say, or not at
// all. A service whose only scaling label is enabled=false is fine, and off.
func Parse(service string, labels map[string]string) (Policy, bool, []label.Problem) {
	any := false
	for key := range labels {
		any = any || Owns(key)
	}
	if !any {
		return Policy{}, false, nil
	}
	values, problems := vocabulary.Read(service, labels)
	all := values.At(0)
	p := Policy{
		Service: service, Enabled: all.Bool("enabled"),
		Min: all.Int("min"), Max: all.Int("max"), Interval: all.Duration("interval"),
		Merge: all.Text("merge"), Tolerate: all.Float("tolerance"),
		CooldownUp: all.Duration("cooldownUp"), CooldownDown: all.Duration("cooldownDown"),
		StabilizeUp: all.Duration("stabilizeUp"), StabilizeDown: all.Duration("stabilizeDown"),
		Warmup: all.Duration("warmup"), DryRun: all.Bool("dryRun"),
	}
	if len(problems) > 0 || !p.Enabled {
		return p, true, problems
	}
	// Every value was read and checked: the errors of these three are problems above.
	p.RateUp, _ = parseRate(all.Text("rateUp"))
	p.RateDown, _ = parseRate(all.Text("rateDown"))
	p.Pause, _ = parsePause(all.Text("paused"))
	p.RateUp.Tightest = all.Text("rateUpSelect") == "min"
	p.RateDown.Tightest = all.Text("rateDownSelect") == "min"

	c := checker{service: service}
	indexes := values.Indexes()
	if len(indexes) == 0 {
		indexes = []int{0}
	}
	for _, n := range indexes {
		p.Rules = append(p.Rules, c.rule(values.At(n)))
	}
	c.bounds(p, all)
	return p, true, c.problems
}

// Owns tells whether a label belongs to the scaler, readable or not.
func Owns(key string) bool {
	return strings.HasPrefix(key, Prefix) ||
		slices.ContainsFunc(vocabulary.Specs, func(s label.Spec) bool { return slices.Contains(s.Aliases, key) })
}

// checker collects what is wrong between labels that are each fine alone.
type checker struct {
	service  string
	problems []label.Problem
}

func (c *checker) report(g label.Group, name, format string, args ...any) {
	key := g.Key(name)
	if key == "" {
		key = Prefix + name
		if g.Index() > 0 {
			key += "." + strconv.Itoa(g.Index())
		}
	}
	c.problems = append(c.problems, label.Problem{
		Service: c.service, Label: key, Value: g.Raw(name), Reason: fmt.Sprintf(format, args...),
	})
}

func (c *checker) rule(g label.Group) Rule {
	r := Rule{
		Index: g.Index(), Metric: g.Text("metric"), Backend: g.Text("backend"), Agg: g.Text("agg"),
		Window: g.Duration("window"), Target: g.Float("target"), PerReplica: g.Text("targetType") == "perReplica",
		PanicWindow: g.Duration("panicWindow"),
	}
	r.PanicThreshold, _ = parsePercent(g.Text("panicThreshold"))
	if !g.Has("target") {
		c.report(g, "target", "is missing (what should one replica carry?)")
	}
	switch {
	case r.PanicWindow <= r.Window:
	case g.Has("panicWindow"):
		c.report(g, "panicWindow", "must not be longer than the window, %s", span(r.Window))
	default:
		r.PanicWindow = 0 // the default does not fit a very short window, which is quick enough by itself
	}
	return r
}

func (c *checker) bounds(p Policy, g label.Group) {
	switch {
	case !g.Has("max"):
		c.report(g, "max", "is missing (how many replicas at most?)")
	case p.Min > p.Max:
		c.report(g, "min", "must not be above max, %d", p.Max)
	case p.Pause.Frozen && (p.Pause.Replicas < p.Min || p.Pause.Replicas > p.Max):
		c.report(g, "paused", "must lie between min, %d, and max, %d", p.Min, p.Max)
	}
}
