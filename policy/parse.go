package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/internal/label"
)

// vocabulary is what Parse reads by; it never changes.
var vocabulary = known()

// Zones finds a time zone by its name, as time.LoadLocation does. The zones of the world lie in files, and are not this
// package's to read.
type Zones func(name string) (*time.Location, error)

// Parse reads the policy of a service. The second result says whether the service carries any scaling label at all.
// With a single problem the policy is invalid and must not be used: a service is scaled as its labels say, or not at
// all. A service whose only scaling label is enabled=false is fine, and off.
func Parse(service string, labels map[string]string, zones Zones) (Policy, bool, []label.Problem) {
	any := false
	for key := range labels {
		any = any || Owns(key)
	}
	if !any {
		return Policy{}, false, nil
	}
	labels = withoutState(labels)
	values, problems := vocabulary.Read(service, labels)
	all := values.At(0)
	p := Policy{
		Service: service, Enabled: all.Bool("enabled"),
		Min: all.Int("min"), Max: all.Int("max"), Interval: all.Duration("interval"),
		Merge: all.Text("merge"), Tolerate: all.Float("tolerance"),
		CooldownUp: all.Duration("cooldownUp"), CooldownDown: all.Duration("cooldownDown"),
		StabilizeUp: all.Duration("stabilizeUp"), StabilizeDown: all.Duration("stabilizeDown"),
		Warmup: all.Duration("warmup"), DryRun: all.Bool("dryRun"), NoData: all.Text("noData"), OnError: all.Text("onError"),
		Fallback:         Fallback{all.Int("fallbackReplicas"), all.Duration("fallbackAfter"), all.Text("fallbackBehavior")},
		OnExternalChange: all.Text("onExternalChange"), Notify: all.List("notify"),
	}
	c := checker{service: service, zones: zones}
	if len(problems) > 0 || !p.Enabled {
		return p, true, append(problems, c.boundsBeside(problems, p, all)...)
	}
	// Every value was read and checked: the errors of these are problems above.
	p.RateUp, _ = parseRate(all.Text("rateUp"))
	p.RateDown, _ = parseRate(all.Text("rateDown"))
	p.Pause, _ = ParsePause(all.Text("paused"))
	p.UpBy, _ = parseMove(all.Text("upBy"))
	p.DownBy, _ = parseMove(all.Text("downBy"))
	p.RateUp.Tightest = all.Text("rateUpSelect") == "min"
	p.RateDown.Tightest = all.Text("rateDownSelect") == "min"

	c.rules(&p, values)
	c.limits(p, all)
	return p, true, c.problems
}

// boundsBeside is what is wrong between min and max where other labels cannot be read, so that both are told at once.
func (c *checker) boundsBeside(problems []label.Problem, p Policy, g label.Group) []label.Problem {
	unread := func(name string) bool {
		return slices.ContainsFunc(problems, func(l label.Problem) bool { return l.Label == g.Key(name) })
	}
	if p.Enabled && g.Has("max") && !unread("min") && !unread("max") && p.Min > p.Max {
		c.report(g, "min", "must not be above max, %d", p.Max)
	}
	return c.problems
}

// StateLabel is where the scaler itself keeps what must survive a restart, see State.Encode. It is no part of a policy.
const StateLabel = Prefix + "state"

func withoutState(labels map[string]string) map[string]string {
	if _, written := labels[StateLabel]; !written {
		return labels
	}
	rest := make(map[string]string, len(labels))
	for key, value := range labels {
		if key != StateLabel {
			rest[key] = value
		}
	}
	return rest
}

// Owns tells whether a label belongs to the scaler's vocabulary, readable or not.
func Owns(key string) bool {
	return key != StateLabel && strings.HasPrefix(key, Prefix) ||
		slices.ContainsFunc(vocabulary.Specs, func(s label.Spec) bool { return slices.Contains(s.Aliases, key) })
}

// checker collects what is wrong between labels that are each fine alone.
type checker struct {
	service  string
	zones    Zones
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
	problem := label.Problem{Service: c.service, Label: key, Value: g.Raw(name), Reason: fmt.Sprintf(format, args...)}
	if !slices.Contains(c.problems, problem) { // a default of several rules is wrong once
		c.problems = append(c.problems, problem)
	}
}

// written tells whether the label carries the group's own index: a label without one may be meant for other rules.
func written(g label.Group, name string) bool {
	key := g.Key(name)
	return key != "" && (g.Index() == 0 || strings.HasSuffix(key, "."+strconv.Itoa(g.Index())))
}

// limits checks the labels of the whole service against each other.
func (c *checker) limits(p Policy, g label.Group) {
	switch {
	case !g.Has("max"):
		c.report(g, "max", "is missing (how many replicas at most?)")
		return
	case p.Min > p.Max:
		c.report(g, "min", "must not be above max, %d", p.Max)
	case p.Pause.Frozen && (p.Pause.Replicas < p.Min || p.Pause.Replicas > p.Max):
		c.report(g, "paused", "must lie between min, %d, and max, %d", p.Min, p.Max)
	}
	switch fallback := p.OnError == "fallback"; {
	case fallback && !g.Has("fallbackReplicas"):
		c.report(g, "fallbackReplicas", "is missing (how many replicas when the source fails?)")
	case fallback && p.Fallback.Replicas > p.Max:
		c.report(g, "fallbackReplicas", "must not be above max, %d", p.Max)
	case !fallback:
		for _, name := range []string{"fallbackReplicas", "fallbackAfter", "fallbackBehavior"} {
			if g.Has(name) {
				c.report(g, name, "means nothing without %sonError=fallback", Prefix)
			}
		}
	}
	for _, w := range p.Windows {
		low, high := w.Min, w.Max
		if low == 0 {
			low = p.Min
		}
		if high == 0 {
			high = p.Max
		}
		if low > high {
			c.problems = append(c.problems, label.Problem{
				Service: c.service, Label: indexed("scheduleMin", w.Index), Value: strconv.Itoa(low),
				Reason: fmt.Sprintf("must not be above the most replicas of its window, %d", high),
			})
		}
	}
}

func indexed(name string, n int) string {
	if n == 0 {
		return Prefix + name
	}
	return Prefix + name + "." + strconv.Itoa(n)
}
