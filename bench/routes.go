package main

import (
	"context"
	"fmt"
)

// routingSizes are the numbers of services that routing is measured with.
var routingSizes = [...]int{100, 1_000, 5_000}

// measurements are all there are, in the order of the table.
func measurements() []measurement {
	all := []measurement{}
	for _, n := range routingSizes {
		all = append(all, measurement{fmt.Sprintf("routing %d services", n), func(ctx context.Context, b bench) ([]row, error) { return b.routing(ctx, n) }})
	}
	return append(all, []measurement{
		{"render", rendering}, {"diff", diffing}, {"stats parse", parsing}, {"hitless", hitless}, {"stats cost", exporterNoticed},
		{"exporter cost", exporterCost}, {"attacked rate", attacking}, {"swarm to HAProxy", following},
		{"scaling quality", qualities}, {"scaler tick", tick}, {"reaction", reaction},
	}...)
}

// contestant is one configuration that answers the same requests.
type contestant struct {
	name   string
	files  map[string][]byte
	engine *engine
	rates  []float64
	cpus   []float64
}

// contestants serve the same routes: ours, the floor of any routing, our fixed lines with the floor's choice, a HAProxy that
// has nothing to decide, and the chain of ACLs. Each has an address of its own.
func contestants(s site) (sides []*contestant, err error) {
	for _, name := range []string{"ours", "floor", "fixed", "bare", "chain"} {
		address, err := freeAddress()
		if err != nil {
			return nil, err
		}
		config, table, err := s.render(address)
		if err != nil {
			return nil, err
		}
		c := &contestant{name: name, files: map[string][]byte{}, engine: &engine{address: address}}
		var text string
		switch name {
		case "ours":
			c.files, text = config.Files(), answering(config.Text)
		case "fixed":
			text, err = floored(answering(config.Text))
		case "floor":
			text = named(table, address)
		case "bare":
			text = bare(address)
		case "chain":
			text = chained(table, address)
		}
		if err != nil {
			return nil, err
		}
		c.files["haproxy.cfg"] = []byte(text)
		sides = append(sides, c)
	}
	return sides, nil
}

// routing measures requests/s through the rendered configuration beside the references. All serve all the time and are
// asked in turns, and a ratio is that of one round, so what else the machine does meets all of them.
func (b bench) routing(ctx context.Context, n int) ([]row, error) {
	s := newSite(n, 1)
	sides, err := contestants(s)
	if err != nil {
		return nil, err
	}
	lua, err := script(b.dir, s.requests)
	if err != nil {
		return nil, err
	}
	for _, side := range sides {
		if side.engine, err = serve(ctx, b.dir, side.files, side.engine.address); err != nil {
			return nil, fmt.Errorf("%s: %w", side.name, err)
		}
		defer side.engine.stop()
		if _, err := load(ctx, side.engine, lua, 1); err != nil { // warm
			return nil, fmt.Errorf("%s: %w", side.name, err)
		}
	}
	for round := range b.rounds {
		for i := range sides {
			side := sides[(i+round)%len(sides)]
			l, err := load(ctx, side.engine, lua, 2)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", side.name, err)
			}
			side.rates, side.cpus = append(side.rates, l.rate), append(side.cpus, l.cpu)
			b.say("  round %d %-6s %8.0f requests/s %6.1f µs", round+1, side.name, l.rate, l.cpu)
		}
	}
	name := fmt.Sprintf("routing %d services", n)
	ours, floor, fixed, bare, chain := sides[0], sides[1], sides[2], sides[3], sides[4]
	return []row{
		paired(name+" against the floor", "requests/s", ours.rates, floor.rates, 0.95, true),
		paired(name+" against bare", "requests/s", ours.rates, bare.rates, 0.85, true),
		paired(name+" against a header's choice in our frontend", "requests/s", ours.rates, fixed.rates, 0.95, true),
		paired(name+", DFP's ACL chain against bare", "requests/s", chain.rates, bare.rates, 0, true),
		paired(name+", CPU against the floor", "µs", ours.cpus, floor.cpus, 0, false),
		paired(name+", CPU against bare", "µs", ours.cpus, bare.cpus, 0, false),
		paired(name+", CPU against a header's choice in our frontend", "µs", ours.cpus, fixed.cpus, 0, false)}, nil
}
