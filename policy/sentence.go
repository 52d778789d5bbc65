package policy

import (
	"cmp"
	"fmt"
	"strings"
)

// Sentence says what the rule saw: `sessions 412 over 3 replicas is 137 each, target 100`.
func (o Observation) Sentence(r Rule) string {
	switch {
	case o.Asleep:
		return "outside its schedule"
	case o.fallen:
		return fmt.Sprintf("%s: fall back to %d", o.Missing, o.Want)
	case o.Ignored:
		return o.Missing + ", ignored"
	case o.Missing != "":
		return o.Missing
	case r.Strategy == "fixed":
		return fmt.Sprintf("fixed at %d", r.Replicas)
	}
	what := fmt.Sprintf("%s %s", o.Metric, number(o.Value))
	if o.short > 0 {
		what += " in the last " + span(o.short)
	}
	share := fmt.Sprintf(" over %s is %s each", count(o.replicas, "replica"), number(o.Value/float64(max(1, o.replicas))))
	switch {
	case r.Strategy == "passThrough":
		return what + " is the number of replicas"
	case r.Strategy == "threshold" && r.PerReplica:
		return what + share + o.where(r)
	case r.Strategy == "threshold":
		return what + o.where(r)
	case o.Need == 0 && o.Value <= r.Activation && r.Activation != 0:
		return what + fmt.Sprintf(" is not above activation %s", number(r.Activation))
	case r.PerReplica:
		return what + share + ", target " + number(o.Target)
	}
	return what + fmt.Sprintf(" with %s warm, target %s", count(o.ready, "replica"), number(o.Target))
}

// where says where the value lies, and whether it has been there for long enough.
func (o Observation) where(r Rule) string {
	limit, name := "", ""
	switch {
	case o.side > 0:
		limit, name = number(*r.UpAbove), ", above upAbove "
	case o.side < 0:
		limit, name = number(*r.DownBelow), ", below downBelow "
	case r.UpAbove == nil:
		return ", not below downBelow " + number(*r.DownBelow)
	case r.DownBelow == nil:
		return ", not above upAbove " + number(*r.UpAbove)
	default:
		return fmt.Sprintf(", between %s and %s", number(*r.DownBelow), number(*r.UpAbove))
	}
	if o.Want == o.replicas && r.For > 0 {
		return name + limit + ", not yet for " + span(r.For)
	}
	return name + limit
}

func (r Rule) missing(silent []silence) string {
	if len(silent) == 0 {
		return fmt.Sprintf("no %s measured within the last %s", r.Metric, span(Lookback))
	}
	return fmt.Sprintf("no fresh %s (%s)", r.Metric, silences(silent, "silent for"))
}

func silences(silent []silence, words string) string {
	var parts []string
	for _, s := range silent {
		parts = append(parts, fmt.Sprintf("%s %s %s %s", cmp.Or(s.By, "proxy"), s.Proxy, words, span(s.For)))
	}
	return strings.Join(parts, ", ")
}

// lead is the first half of the sentence: what was seen and what it asks for.
func (p Policy) lead(seen sight) string {
	if len(seen.rules) == 0 {
		return "there is no rule"
	}
	var texts []string
	asleep := 0
	for i, o := range seen.rules {
		text := o.Sentence(p.Rules[i])
		if o.Asleep {
			asleep++
			continue
		}
		if !seen.any {
			return text
		}
		if len(seen.rules) > 1 {
			text = fmt.Sprintf("rule %d: %s", o.Rule, text)
		}
		if !o.Ignored && p.Merge != "mean" && o.Need == seen.need {
			return fmt.Sprintf("%s: want %d", text, seen.want)
		}
		texts = append(texts, text)
	}
	switch {
	case asleep == len(seen.rules):
		return fmt.Sprintf("no rule is inside its schedule: want %d", seen.want)
	case len(texts) == 1:
		return fmt.Sprintf("%s: want %d", texts[0], seen.want)
	}
	return fmt.Sprintf("%s: want %d on average", strings.Join(texts, "; "), seen.want)
}
