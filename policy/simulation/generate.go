package simulation

import (
	"fmt"
	"math"
	"strings"
)

// Kinds are the traces that Generate makes, each in units of a replica's capacity.
var Kinds = []string{"wave", "step", "spike", "sawtooth", "flash"}

// Generate makes a trace of a kind: the same seed gives the same trace. One capacity of load is what one replica
// carries. wave: a day between 2 and 12 replicas. step: two hours, 3 replicas, then 9, then 3. spike: two hours at 3
// with minutes at 10. sawtooth: two hours of ramps from 2 to 10 that break off. flash: a crowd of 20 comes to 2 within
// half a minute and goes within a quarter of an hour. Each carries noise that changes from second to second and noise
// that lasts, 4 % and 3 % of the load.
func Generate(kind string, unit Unit, capacity float64, seed uint64) (Trace, error) {
	shapes := map[string]struct {
		seconds int
		shape   func(second float64) float64
	}{
		"wave":     {24 * 3600, func(s float64) float64 { return 7 - 5*math.Cos(2*math.Pi*s/86400) }},
		"step":     {7200, func(s float64) float64 { return 3 + 6*inside(s, 1800, 5400) }},
		"spike":    {7200, func(s float64) float64 { return 3 + 7*inside(math.Mod(s, 2400), 1200, 1290) }},
		"sawtooth": {7200, func(s float64) float64 { return 2 + 8*math.Mod(s, 1200)/1200 }},
		"flash":    {7200, func(s float64) float64 { return 2 + 18*crowd(s-1800) }},
	}
	chosen, found := shapes[kind]
	if !found {
		return Trace{}, fmt.Errorf("generate trace: is not one of %s, got %q", strings.Join(Kinds, ", "), kind)
	}
	t := Trace{Name: kind, Unit: unit, Load: make([]float64, chosen.seconds)}
	r, lasting := random(seed), 0.0
	for s := range t.Load {
		lasting = 0.98*lasting + math.Sqrt(1-0.98*0.98)*r.normal()
		noise := 1 + 0.04*r.normal() + 0.03*lasting
		t.Load[s] = max(0, capacity*chosen.shape(float64(s))*noise)
		if unit == Requests {
			t.Load[s] = math.Round(t.Load[s])
		}
	}
	return t, nil
}

func inside(s, from, to float64) float64 {
	if s >= from && s < to {
		return 1
	}
	return 0
}

// crowd rises within half a minute and falls to a third every five minutes.
func crowd(s float64) float64 {
	if s < 0 {
		return 0
	}
	return min(1, s/30) * math.Exp(-max(0, s-30)/273)
}

// random is SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014): a seed is
// all that it knows, and a trace is the same on every machine.
type random uint64

func (r *random) next() uint64 {
	*r += 0x9e3779b97f4a7c15
	z := uint64(*r)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// normal is a normally distributed number, by Box and Muller.
func (r *random) normal() float64 {
	a, b := float64(r.next()>>11)/(1<<53), float64(r.next()>>11)/(1<<53)
	return math.Sqrt(-2*math.Log(1-a)) * math.Cos(2*math.Pi*b)
}
