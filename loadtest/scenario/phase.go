package scenario

import (
	"slices"

	"sluice/internal/label"

	"go.yaml.in/yaml/v3"
)

// phase reads one phase. A ramp without a start goes on from where the phase before it ended.
func (d *decoder) phase(n *yaml.Node, earlier []Phase) Phase {
	p, kind := Phase{Rates: []float64{0}}, string(Constant)
	rates := map[string]*yaml.Node{}
	keep := func(key string) func(*yaml.Node) { return func(n *yaml.Node) { rates[key] = n } }
	before := len(d.problems)
	d.object(n, "a phase", map[string]func(*yaml.Node){
		"name": d.textTo(&p.Name, "name"), "kind": d.textTo(&kind, "kind"), "duration": d.durationTo(&p.Duration, "duration"),
		"rate": keep("rate"), "from": keep("from"), "to": keep("to"), "rates": keep("rates"),
	})
	if len(d.problems) > before {
		return p // a key that is missing may be the one that was misspelt
	}
	if p.Duration == 0 {
		d.problem(n.Line, "a phase needs a duration, such as 30s")
	}
	p.Kind = Kind(kind)
	switch p.Kind {
	case Constant:
		d.only(rates, "a constant phase takes rate", "rate")
		p.Rates = []float64{d.needRate(n, rates["rate"], "a constant phase needs a rate")}
	case Ramp:
		d.only(rates, "a ramp takes from and to", "from", "to")
		p.Rates = []float64{d.rampStart(rates["from"], earlier), d.needRate(n, rates["to"], "a ramp needs the rate it goes to")}
	case Step:
		d.only(rates, "a step phase takes rates", "rates")
		p.Rates = d.stairs(n, rates["rates"])
	default:
		d.problem(n.Line, "no phase is of kind %q%s", kind, label.DidYouMean(kind, []string{"constant", "ramp", "step"}))
	}
	return p
}

func (d *decoder) needRate(phase, n *yaml.Node, missing string) float64 {
	if n == nil {
		d.problem(phase.Line, "%s", missing)
		return 0
	}
	return d.rate(n, "rate")
}

func (d *decoder) rampStart(from *yaml.Node, earlier []Phase) float64 {
	if from != nil {
		return d.rate(from, "from")
	}
	if len(earlier) == 0 {
		return 0
	}
	last := earlier[len(earlier)-1].Rates
	return last[len(last)-1]
}

func (d *decoder) stairs(phase, n *yaml.Node) []float64 {
	var stairs []float64
	if n != nil {
		d.list(n, "rates", func(n *yaml.Node) { stairs = append(stairs, d.rate(n, "rates")) })
	}
	if len(stairs) == 0 {
		d.problem(phase.Line, "a step phase needs rates, such as [50, 100, 200]")
		return []float64{0}
	}
	return stairs
}

// only reports keys that belong to another kind of phase.
func (d *decoder) only(given map[string]*yaml.Node, takes string, keys ...string) {
	for key, n := range given {
		if !slices.Contains(keys, key) {
			d.problem(n.Line, "%s, not %s", takes, key)
		}
	}
}
