package scenario

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"sluice/internal/label"

	"go.yaml.in/yaml/v3"
)

// shape is a kind of phase: the keys that it takes, and what it does with them.
type shape struct {
	kind  Kind
	takes string   // in a sentence
	needs []string // keys that must be there
	may   []string // keys that may be there
	about string
	build func(*decoder, *phaseKeys, *Phase)
}

func shapes() []shape {
	return []shape{
		{Constant, "a constant phase takes rate", []string{"rate"}, nil, "the same rate all along",
			func(_ *decoder, k *phaseKeys, p *Phase) { p.Rates = []float64{k.rate} }},
		{Ramp, "a ramp takes from and to", []string{"to"}, []string{"from"},
			"a straight line between two rates; without from it goes on from where the phase before it ended", (*decoder).ramp},
		{Step, "a step phase takes rates", []string{"rates"}, nil, "each of the rates for an equal share of the duration", (*decoder).step},
		{Sine, "a sine takes from, to and period, or mean, amplitude and period", []string{"period"}, []string{"from", "to", "mean", "amplitude"},
			"a wave: it starts at its lowest rate (from, or mean - amplitude) and is at its highest (to, or mean + amplitude) half a period later", (*decoder).sine},
		{Spike, "a spike takes base, peak, at and width", []string{"base", "peak", "width"}, []string{"at"},
			"the rate base, but from the time at (counted from the start of the phase) on for width the rate peak", (*decoder).spike},
		{Sawtooth, "a sawtooth takes low, high and period", []string{"low", "high", "period"}, nil,
			"rises in a straight line from low to high in each period, and falls at once", (*decoder).sawtooth},
		{Replay, "a replay takes file and factor", []string{"file"}, []string{"factor"},
			"a recorded load: a CSV file of lines second,rate; between two lines the rate goes in a straight line; without a duration it is as long as the file", (*decoder).replay},
		{Closed, "a closed phase takes users and think", []string{"users"}, []string{"think"},
			"no rate: so many users that each send, wait for the answer and think; a slow service is asked less, and latency counts from sending", func(*decoder, *phaseKeys, *Phase) {}},
	}
}

// phaseKeys are the values that the kinds of phases are made of.
type phaseKeys struct {
	kind                                        string
	rate, from, to, mean, amplitude, base, peak float64
	low, high, factor                           float64
	rates                                       []float64
	points                                      []Point
	given                                       map[string]int // the lines of those that are there
	line                                        int
	lastRate                                    float64 // with which the phase before ended
}

func (d *decoder) phaseFields(p *Phase, k *phaseKeys) []field {
	rate := func(key string, to *float64, about string) field {
		return field{key, "requests/s", about, func(n *yaml.Node) { *to = d.rate(n, key) }}
	}
	return []field{
		{"name", "text", "what expectations and the report call the phase; needed, each another", d.textTo(&p.Name, "name")},
		{"kind", "constant", "its shape, see the table below", d.textTo(&k.kind, "kind")},
		{"duration", "time", "its length, such as 30s or 5m; needed", d.durationTo(&p.Duration, "duration")},
		rate("rate", &k.rate, "of a constant phase"),
		rate("from", &k.from, "of a ramp or a sine"),
		rate("to", &k.to, "of a ramp or a sine"),
		{"rates", "list of requests/s", "of a step phase", func(n *yaml.Node) {
			d.list(n, "rates", func(n *yaml.Node) { k.rates = append(k.rates, d.rate(n, "rates")) })
		}},
		rate("mean", &k.mean, "of a sine"),
		rate("amplitude", &k.amplitude, "of a sine; at most the mean"),
		{"period", "time", "of a sine or a sawtooth", d.durationTo(&p.Period, "period")},
		rate("base", &k.base, "of a spike"),
		rate("peak", &k.peak, "of a spike"),
		{"at", "0s", "of a spike: when it begins", d.momentTo(&p.At, "at")},
		{"width", "time", "of a spike: how long it lasts", d.durationTo(&p.Width, "width")},
		rate("low", &k.low, "of a sawtooth"),
		rate("high", &k.high, "of a sawtooth"),
		{"file", "file", "of a replay: CSV beside the scenario", d.traceTo(&k.points)},
		{"factor", "1", "of a replay: every rate is multiplied with it", func(n *yaml.Node) { k.factor = d.factor(n) }},
		{"users", "number", "of a closed phase; at most connections", d.wholeTo(&p.Users, "users", 50_000)},
		{"think", "0s", "of a closed phase: from an answer to the next request of the same user", d.momentTo(&p.Think, "think")},
	}
}

// phase reads one phase.
func (d *decoder) phase(n *yaml.Node, earlier []Phase) Phase {
	p, k := Phase{Rates: []float64{0}}, phaseKeys{kind: string(Constant), factor: 1, line: n.Line}
	before := len(d.problems)
	k.given = d.object(n, "a phase", d.phaseFields(&p, &k))
	if len(d.problems) > before {
		return p // a key that is missing may be the one that was misspelt
	}
	kinds := shapes()
	i := slices.IndexFunc(kinds, func(s shape) bool { return string(s.kind) == k.kind })
	if i < 0 {
		var names []string
		for _, s := range kinds {
			names = append(names, string(s.kind))
		}
		d.problem(n.Line, "no phase is of kind %q%s", k.kind, label.DidYouMean(k.kind, names))
		return p
	}
	p.Kind = kinds[i].kind
	if p.Duration == 0 && p.Kind != Replay {
		d.problem(n.Line, "a phase needs a duration, such as 30s")
	}
	d.only(kinds[i], k)
	if len(earlier) > 0 {
		k.lastRate = earlier[len(earlier)-1].end()
	}
	if len(d.problems) == before {
		kinds[i].build(d, &k, &p)
	}
	if len(d.problems) > before {
		return Phase{Name: p.Name, Duration: p.Duration, Kind: Constant, Rates: []float64{0}}
	}
	return p
}

// only reports keys that belong to another kind of phase, and those that are missing.
func (d *decoder) only(s shape, k phaseKeys) {
	for key, line := range k.given {
		if !slices.Contains([]string{"name", "kind", "duration"}, key) && !slices.Contains(s.needs, key) && !slices.Contains(s.may, key) {
			d.problem(line, "%s, not %s", s.takes, key)
		}
	}
	for _, key := range s.needs {
		if k.given[key] == 0 {
			d.problem(k.line, "%s: %s is missing", s.takes, key)
		}
	}
}

func (d *decoder) ramp(k *phaseKeys, p *Phase) {
	if k.given["from"] == 0 {
		k.from = k.lastRate
	}
	p.Rates = []float64{k.from, k.to}
}

func (d *decoder) step(k *phaseKeys, p *Phase) {
	p.Rates = k.rates
	if len(k.rates) == 0 {
		d.problem(k.line, "a step phase needs rates, such as [50, 100, 200]")
	}
}

func (d *decoder) sine(k *phaseKeys, p *Phase) {
	ends, middle := k.given["from"] > 0 && k.given["to"] > 0, k.given["mean"] > 0 && k.given["amplitude"] > 0
	switch mixed := ends && (k.given["mean"] > 0 || k.given["amplitude"] > 0) || middle && (k.given["from"] > 0 || k.given["to"] > 0); {
	case !ends && !middle || mixed:
		d.problem(k.line, "a sine takes from, to and period, or mean, amplitude and period")
	case middle && k.amplitude > k.mean:
		d.problem(k.given["amplitude"], "the amplitude (%g) is more than the mean (%g): a rate cannot be less than 0", k.amplitude, k.mean)
	case middle:
		p.Rates = []float64{k.mean - k.amplitude, k.mean + k.amplitude}
	default:
		p.Rates = []float64{k.from, k.to}
	}
}

func (d *decoder) spike(k *phaseKeys, p *Phase) {
	p.Rates = []float64{k.base, k.peak}
	if p.At+p.Width > p.Duration {
		d.problem(k.line, "the spike ends at %s, the phase at %s", p.At+p.Width, p.Duration)
	}
}

// maxTeeth bounds the periods of a sawtooth.
const maxTeeth = 10_000

func (d *decoder) sawtooth(k *phaseKeys, p *Phase) {
	p.Rates = []float64{k.low, k.high}
	if p.Duration/p.Period >= maxTeeth {
		d.problem(k.given["period"], "a sawtooth has at most %d periods, not %d", maxTeeth, p.Duration/p.Period)
	}
}

func (d *decoder) replay(k *phaseKeys, p *Phase) {
	p.Points = scaled(k.points, k.factor)
	end := p.Points[len(p.Points)-1].At
	switch {
	case p.Duration == 0:
		p.Duration = end
	case p.Duration > end:
		d.problem(k.given["duration"], "the file ends after %s, the phase after %s", end, p.Duration)
	}
	p.Rates = extremes(p.Points, p.Duration)
	if p.Rates[1] > maxRate {
		d.problem(k.given["factor"], "the rate becomes %g, more than %d", p.Rates[1], maxRate)
	}
}

// traceTo reads the file of a replay. What is wrong in it is named with its own name and line.
func (d *decoder) traceTo(to *[]Point) func(*yaml.Node) {
	return func(n *yaml.Node) {
		before := len(d.problems)
		var data []byte
		d.fileTo(&data, "file")(n)
		if len(d.problems) > before {
			return
		}
		points, line, err := ParseTrace(data)
		switch {
		case err == nil:
			*to = points
		case line == 0:
			d.problem(n.Line, "file %s: %v", n.Value, err)
		default:
			d.problem(n.Line, "file %s, line %d: %v", n.Value, line, err)
		}
	}
}

func (d *decoder) factor(n *yaml.Node) float64 {
	text, ok := d.text(n, "factor")
	if !ok {
		return 1
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v > 0) || math.IsInf(v, 0) {
		d.problem(n.Line, "factor must be a number above 0, not %q", text)
		return 1
	}
	return v
}

// Describe says in words what the phase asks for: "50 → 200 /s", "12 users, thinking 1s".
func (p Phase) Describe() string {
	switch p.Kind {
	case Closed:
		return fmt.Sprintf("%d users, thinking %s", p.Users, p.Think)
	case Sine, Sawtooth:
		return fmt.Sprintf("%g to %g /s each %s", p.Rates[0], p.Rates[1], p.Period)
	case Spike:
		return fmt.Sprintf("%g, %g /s at %s for %s", p.Rates[0], p.Rates[1], p.At, p.Width)
	case Replay:
		return fmt.Sprintf("%g to %g /s", p.Rates[0], p.Rates[1])
	}
	text := ""
	for i, rate := range p.Rates {
		if i > 0 {
			text += " → "
		}
		text += strconv.FormatFloat(rate, 'g', -1, 64)
	}
	return text + " /s"
}
