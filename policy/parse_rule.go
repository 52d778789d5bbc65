package policy

import (
	"slices"
	"strings"
	"time"

	"sluice/internal/label"
)

// Labels that are about a schedule, and those that say there is a rule at all.
var (
	ofSchedules = []string{"schedule", "scheduleEnd", "scheduleFor", "timezone", "scheduleMin", "scheduleMax"}
	ofRules     = []string{"target", "strategy", "metric", "query", "queryConfig", "upAbove", "downBelow", "replicas"}
)

// ofDockerScaler is docker-scaler's name of max. Whoever calls it that has alerts that ask for steps, and needs no rule.
const ofDockerScaler = label.Prefix + "scaleMax"

// rules reads every index as a rule, as a window with other bounds, or as both.
func (c *checker) rules(p *Policy, values label.Values) {
	base := values.At(0)
	isRule := func(g label.Group) bool {
		return slices.ContainsFunc(vocabulary.Specs, func(s label.Spec) bool {
			return s.Indexed && !slices.Contains(ofSchedules, s.Name) && written(g, s.Name)
		})
	}
	bounded := c.window(p, base)
	var groups []label.Group
	for _, n := range values.Indexes() {
		g := values.At(n)
		window := c.window(p, g)
		bounded = bounded || window
		if isRule(g) || !window {
			groups = append(groups, g)
		}
	}
	if len(groups) == 0 { // the labels without an index are the single rule
		stepped := bounded || base.Has("upBy") || base.Has("downBy") || base.Key("max") == ofDockerScaler
		if slices.ContainsFunc(ofRules, base.Has) || !stepped {
			groups = append(groups, base)
		}
	}
	for _, g := range groups {
		p.Rules = append(p.Rules, c.rule(g))
	}
}

// window reads the bounds that hold inside the windows of the group's schedule, if it has any of its own.
func (c *checker) window(p *Policy, g label.Group) bool {
	name := "scheduleMin"
	if !written(g, name) {
		if name = "scheduleMax"; !written(g, name) {
			return false
		}
	}
	if !g.Has("schedule") {
		c.report(g, name, "means nothing without %s", indexed("schedule", g.Index()))
		return true
	}
	p.Windows = append(p.Windows, Bounds{
		Index: g.Index(), Min: g.Int("scheduleMin"), Max: g.Int("scheduleMax"), Schedule: c.schedule(g),
	})
	return true
}

// schedule reads when the group's windows open and how long they last.
func (c *checker) schedule(g label.Group) Schedule {
	s := Schedule{Zone: time.UTC}
	s.Start, _ = parseCron(g.Text("schedule"))
	switch end, length := g.Has("scheduleEnd"), g.Has("scheduleFor"); {
	case end && length:
		c.report(g, "scheduleFor", "stands beside scheduleEnd (say one of them)")
	case end:
		s.End, _ = parseCron(g.Text("scheduleEnd"))
	case length:
		s.For = g.Duration("scheduleFor")
	default:
		c.report(g, "scheduleEnd", "is missing, as is scheduleFor (how long does the window last?)")
	}
	name := g.Text("timezone")
	if name == "UTC" {
		return s
	}
	if name == "" || strings.EqualFold(name, "local") || c.zones == nil {
		c.report(g, "timezone", "is not a time zone such as Europe/Berlin")
		return s
	}
	zone, err := c.zones(name)
	if err != nil {
		c.report(g, "timezone", "is not a time zone such as Europe/Berlin")
		return s
	}
	s.Zone = zone
	return s
}

func (c *checker) rule(g label.Group) Rule {
	r := Rule{
		Index: g.Index(), Strategy: g.Text("strategy"), Metric: g.Text("metric"), Backend: g.Text("backend"),
		Query: g.Text("query"), QueryConfig: g.Text("queryConfig"), Agg: g.Text("agg"),
		Window: g.Duration("window"), Offset: g.Duration("windowOffset"), Target: g.Float("target"),
		Activation: g.Float("activation"), PanicWindow: g.Duration("panicWindow"), For: g.Duration("for"), Replicas: g.Int("replicas"),
	}
	r.PanicThreshold, _ = parsePercent(g.Text("panicThreshold"))
	r.UpBy, _ = parseMove(g.Text("upBy"))
	r.DownBy, _ = parseMove(g.Text("downBy"))
	switch g.Text("targetType") {
	case "perReplica":
		r.PerReplica = true
	case "":
		r.PerReplica = !slices.Contains(levels, r.Metric)
	}
	if g.Has("schedule") && !g.Has("scheduleMin") && !g.Has("scheduleMax") {
		s := c.schedule(g)
		r.Schedule = &s
	} else if !g.Has("schedule") {
		for _, name := range []string{"scheduleEnd", "scheduleFor"} {
			if g.Has(name) {
				c.report(g, name, "means nothing without %s", indexed("schedule", g.Index()))
			}
		}
	}
	c.query(g, r)
	c.strategy(g, &r)
	return r
}

func (c *checker) query(g label.Group, r Rule) {
	switch {
	case r.Metric == "query" && r.Query == "" && r.QueryConfig == "":
		c.report(g, "query", "is missing (what should be asked?)")
	case r.Metric == "query" && r.Query != "" && r.QueryConfig != "":
		c.report(g, "queryConfig", "stands beside query (say one of them)")
	case r.Metric != "query":
		c.unused(g, "metric "+r.Metric, "query", "queryConfig")
	case written(g, "backend"):
		c.report(g, "backend", "means nothing with metric query")
	}
}

// strategy asks for the labels that the strategy needs, and refuses those that it would not look at.
func (c *checker) strategy(g label.Group, r *Rule) {
	who := "strategy " + r.Strategy
	switch r.Strategy {
	case "target":
		if !g.Has("target") {
			c.report(g, "target", "is missing (what should one replica carry?)")
		}
		c.unused(g, who, "upAbove", "downBelow", "for", "replicas")
		c.panic(g, r)
		return
	case "threshold":
		if !g.Has("upAbove") && !g.Has("downBelow") {
			c.report(g, "upAbove", "is missing, as is downBelow (when should it step?)")
		}
		if v := g.Float("upAbove"); g.Has("upAbove") {
			r.UpAbove = &v
		}
		if v := g.Float("downBelow"); g.Has("downBelow") {
			r.DownBelow = &v
			if r.UpAbove != nil && v > *r.UpAbove {
				c.report(g, "downBelow", "must not be above upAbove, %s", number(*r.UpAbove))
			}
		}
		c.unused(g, who, "target", "activation", "panicWindow", "panicThreshold", "replicas")
	case "passThrough":
		c.unused(g, who, "target", "targetType", "upAbove", "downBelow", "for", "panicWindow", "panicThreshold", "replicas")
	case "fixed":
		if !g.Has("replicas") {
			c.report(g, "replicas", "is missing (how many?)")
		}
		c.unused(g, who, "target", "targetType", "upAbove", "downBelow", "for", "panicWindow", "panicThreshold", "activation",
			"metric", "backend", "query", "queryConfig", "agg", "window", "windowOffset")
	}
	r.PanicWindow = 0
}

func (c *checker) unused(g label.Group, who string, names ...string) {
	for _, name := range names {
		if written(g, name) {
			c.report(g, name, "means nothing with %s", who)
		}
	}
}

func (c *checker) panic(g label.Group, r *Rule) {
	switch {
	case r.PanicWindow <= r.Window:
	case g.Has("panicWindow"):
		c.report(g, "panicWindow", "must not be longer than the window, %s", span(r.Window))
	default:
		r.PanicWindow = 0 // the default does not fit a very short window, which is quick enough by itself
	}
}
