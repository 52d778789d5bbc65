package main

import (
	"context"
	"fmt"
	"math"
	"time"

	"sluice/policy"
	"sluice/policy/reference"
	"sluice/policy/simulation"
)

// scalings are the rows of the scaler.
func scalings() []measurement {
	all := []measurement{}
	for _, kind := range simulation.Kinds {
		all = append(all, measurement{"scaling quality, " + kind, func(context.Context, bench) ([]row, error) { return quality(kind) }})
	}
	return append(all, measurement{"scaler tick", tick}, measurement{"reaction", reaction})
}

// The service of the simulations, and everybody's target: 85 % of what a replica carries.
const (
	capacity = 100.0
	aim      = 85.0
	noises   = 3
)

// quality lets the default labels meet generated loads, beside who knows the future and the rules of other scalers.
func quality(kind string) ([]row, error) {
	service := simulation.Service{Capacity: capacity, Start: 10, Latency: 0.1, Min: 1, Max: 40}
	labels := map[string]string{policy.Prefix + "max": "40", policy.Prefix + "target": fmt.Sprint(aim)}
	p, _, problems := policy.Parse("simulated", labels, time.LoadLocation)
	if len(problems) > 0 {
		return nil, fmt.Errorf("read labels: %s", problems[0])
	}
	least, ours := 0, simulation.Result{}
	overloads := map[string]int{}
	for seed := uint64(1); seed <= noises; seed++ {
		trace, err := simulation.Generate(kind, simulation.Sessions, capacity, seed)
		if err != nil {
			return nil, err
		}
		least += simulation.Minimum(trace, service).ReplicaSeconds
		r := simulation.Run(simulation.Policy(p, time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), nil), trace, service)
		ours.ReplicaSeconds += r.ReplicaSeconds
		ours.Overload += r.Overload
		for _, other := range []simulation.Scaler{
			&reference.HPA{Target: aim, Metric: reference.Sessions}, &reference.Knative{Target: aim, Metric: reference.Sessions},
			&reference.DockerScaler{Target: aim, Metric: reference.Sessions},
		} {
			overloads[other.Name()] += simulation.Run(other, trace, service).Overload
		}
	}
	fewest, who := math.MaxInt, ""
	for name, seconds := range overloads {
		if seconds < fewest || seconds == fewest && name < who {
			fewest, who = seconds, name
		}
	}
	cost := against("scaling quality, "+kind+": cost against who knows the future", "replica-s", float64(ours.ReplicaSeconds), float64(least), 1.15, false)
	overload := row{
		Name: "scaling quality, " + kind + ": overload against the best other", Unit: "s", Ours: float64(ours.Overload), Reference: float64(fewest),
		Ratio: float64(ours.Overload) / float64(max(1, fewest)), Goal: "ratio < 1", OK: ours.Overload < fewest,
		Detail: fmt.Sprintf("the best other is %s; HPA %d, Knative %d, docker-scaler %d", who, overloads["HPA"], overloads["Knative"], overloads["docker-scaler"]),
	}
	return []row{cost, overload}, nil
}
