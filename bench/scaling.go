package main

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"sluice/policy"
	"sluice/policy/reference"
	"sluice/policy/simulation"
)

// The service of the simulations, and everybody's target: 85 % of what a replica carries.
const (
	capacity = 100.0
	aim      = 85.0
	noises   = 3
)

// qualities lets the default labels meet generated loads of every kind. What is promised is promised of the worst.
func qualities(context.Context, bench) (rows []row, err error) {
	var costs, overloads []row
	for _, kind := range simulation.Kinds {
		cost, overload, err := quality(kind)
		if err != nil {
			return nil, err
		}
		costs, overloads = append(costs, cost), append(overloads, overload)
	}
	dearest, latest := worst(costs), worst(overloads)
	dearest.Name, dearest.Goal, dearest.OK = "scaling quality, cost against who knows the future, worst of "+strings.Join(simulation.Kinds, ", "), "ratio <= 1.15", dearest.Ratio <= 1.15
	latest.Name, latest.Goal, latest.OK = "scaling quality, overload against the best other, worst of "+strings.Join(simulation.Kinds, ", "), "ratio < 1", latest.Ratio < 1
	return slices.Concat([]row{dearest, latest}, costs, overloads), nil
}

// worst is the row of the highest ratio.
func worst(rows []row) row {
	return slices.MaxFunc(rows, func(a, b row) int { return cmp.Compare(a.Ratio, b.Ratio) })
}

// quality is one kind of load, beside who knows the future and the rules of other scalers.
func quality(kind string) (cost, overload row, err error) {
	service := simulation.Service{Capacity: capacity, Start: 10, Latency: 0.1, Min: 1, Max: 40}
	labels := map[string]string{policy.Prefix + "max": "40", policy.Prefix + "target": fmt.Sprint(aim)}
	p, _, problems := policy.Parse("simulated", labels, time.LoadLocation)
	if len(problems) > 0 {
		return cost, overload, fmt.Errorf("read labels: %s", problems[0])
	}
	least, ours := 0, simulation.Result{}
	others := map[string]int{}
	for seed := uint64(1); seed <= noises; seed++ {
		trace, err := simulation.Generate(kind, simulation.Sessions, capacity, seed)
		if err != nil {
			return cost, overload, err
		}
		least += simulation.Minimum(trace, service).ReplicaSeconds
		r := simulation.Run(simulation.Policy(p, time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), nil), trace, service)
		ours.ReplicaSeconds += r.ReplicaSeconds
		ours.Overload += r.Overload
		for _, other := range []simulation.Scaler{
			&reference.HPA{Target: aim, Metric: reference.Sessions}, &reference.Knative{Target: aim, Metric: reference.Sessions},
			&reference.DockerScaler{Target: aim, Metric: reference.Sessions},
		} {
			others[other.Name()] += simulation.Run(other, trace, service).Overload
		}
	}
	fewest, who := math.MaxInt, ""
	for name, seconds := range others {
		if seconds < fewest || seconds == fewest && name < who {
			fewest, who = seconds, name
		}
	}
	cost = compared("scaling quality, "+kind+": cost against who knows the future", "replica-s", float64(ours.ReplicaSeconds), float64(least))
	overload = compared("scaling quality, "+kind+": overload against the best other", "s", float64(ours.Overload), float64(max(1, fewest)))
	overload.Detail = fmt.Sprintf("the best other is %s; HPA %d, Knative %d, docker-scaler %d", who, others["HPA"], others["Knative"], others["docker-scaler"])
	return cost, overload, nil
}
