package main

import (
	"context"
	"fmt"
)

// measurements are all there are, in the order of the table.
func measurements() []measurement {
	all := []measurement{}
	for _, n := range []int{100, 1_000, 5_000} {
		all = append(all, measurement{fmt.Sprintf("routing %d services", n), func(ctx context.Context, b bench) ([]row, error) { return b.routing(ctx, n) }})
	}
	return append(all, measurement{"render", rendering}, measurement{"diff", diffing}, measurement{"stats parse", parsing}, measurement{"swarm to HAProxy", following})
}

// contestant is one configuration that answers the same requests.
type contestant struct {
	name  string
	files map[string][]byte
	rates []float64
	cpus  []float64
}

// routing measures requests/s through the rendered configuration, beside the floor of any routing, a HAProxy that has
// nothing to decide, and the chain of ACLs.
func (b bench) routing(ctx context.Context, n int) ([]row, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	s := newSite(n, 1)
	config, table, err := s.render(address)
	if err != nil {
		return nil, err
	}
	ours := config.Files()
	ours["haproxy.cfg"] = []byte(answering(config.Text))
	floor, err := floored(answering(config.Text))
	if err != nil {
		return nil, err
	}
	text := func(config string) map[string][]byte { return map[string][]byte{"haproxy.cfg": []byte(config)} }
	floorFiles := config.Files()
	floorFiles["haproxy.cfg"] = []byte(floor)
	sides := []*contestant{{name: "ours", files: ours}, {name: "floor", files: floorFiles}, {name: "bare", files: text(bare(address))}, {name: "chain", files: text(chained(table, address))}}
	lua, err := script(b.dir, s.requests)
	if err != nil {
		return nil, err
	}
	for round := range b.rounds {
		for _, side := range sides {
			l, err := side.round(ctx, b, address, lua)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", side.name, err)
			}
			side.rates, side.cpus = append(side.rates, l.rate), append(side.cpus, l.cpu)
			b.say("  round %d %-6s %8.0f requests/s %6.1f µs", round+1, side.name, l.rate, l.cpu)
		}
	}
	rates, cpus := map[string]float64{}, map[string]float64{}
	for _, side := range sides {
		rates[side.name], cpus[side.name] = median(side.rates), median(side.cpus)
	}
	name := fmt.Sprintf("routing %d services", n)
	chain := row{Name: name + ", DFP's ACL chain against bare", Unit: "requests/s", Ours: rates["chain"], Reference: rates["bare"], Ratio: rates["chain"] / rates["bare"]}
	cpu := row{Name: name + ", CPU per request against the floor", Unit: "µs", Ours: cpus["ours"], Reference: cpus["floor"], Ratio: cpus["ours"] / cpus["floor"]}
	return []row{against(name+" against the floor", "requests/s", rates["ours"], rates["floor"], 0.95, true),
		against(name+" against bare", "requests/s", rates["ours"], rates["bare"], 0.85, true), chain, cpu}, nil
}

func (c *contestant) round(ctx context.Context, b bench, address, lua string) (loaded, error) {
	e, err := serve(ctx, b.dir, c.files, address)
	if err != nil {
		return loaded{}, err
	}
	defer e.stop()
	if _, err := load(ctx, e, lua, 1); err != nil { // warm
		return loaded{}, err
	}
	return load(ctx, e, lua, 3)
}
