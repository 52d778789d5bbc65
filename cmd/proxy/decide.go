package main

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"time"

	"sluice/internal/label"
	"sluice/routing"
)

// decision is what shall run, and what there is to say about it.
type decision struct {
	change
	services        []routing.Service
	problems, notes []label.Problem
	waiting         map[netip.AddrPort]error // tasks that take no connection yet
	release         func()                   // gives up the ports that were tried
	files           filesSeen
	undecided       bool // the API waits, and a server of a declared service has not answered, not even by a refusal
	open            bool // something was asked that may answer otherwise next time, though nothing changes here
}

// decide turns the services of the swarm and the declared ones into a configuration, without what cannot be used now:
// refused backends and certificates, ports that cannot be bound, tasks that take no connection or whose node is silent.
func (r *reconciler) decide(ctx context.Context, now time.Time, running routing.Running, ofSwarm, declared []routing.Service) (d decision, err error) {
	services, standing := join(ofSwarm, declared)
	asked := r.resolver.fill(ctx, now, services, r.options.Separator)
	options := r.options
	options.Templates = readTemplates(services, options)
	table, problems, notes := r.built.build(services, options)
	table, problems = r.withoutRefused(table, slices.Concat(problems, standing, r.standing))
	table, unbound, release := r.listens.try(table, running.Frontends)
	settings, served, found := r.files.settings(r.settings, now)
	files := filesSeen{settings, found}
	table, ofLabels, foundInLabels := r.files.ofServices(table, now)
	served, found = append(served, ofLabels...), slices.Concat(found, foundInLabels)
	closed := r.gate.closed(ctx, table, serving(running), r.patience())
	maps.Copy(closed, r.reach.closed(table, closed, r.lister.last.nodeOf))
	late := r.owes() && declaredUndecided(services, table, closed)
	table = table.WithoutServers(func(s routing.Server) error { return closed[s.Addr] })
	want, err := r.built.render(table, settings)
	if err != nil {
		release()
		return decision{}, err
	}
	problems = withoutSecrets(slices.Concat(problems, unbound, found, want.Problems, r.plain.judge(want, settings, r.log)))
	return decision{change: change{want, table, settings, marked(served, want)}, services: services, problems: problems, notes: notes, waiting: closed,
		undecided: late, release: release, files: files, open: asked || len(options.Templates) > 0 || len(unbound) > 0}, nil
}

// declaredUndecided tells whether a server of a service that was declared has not answered yet.
func declaredUndecided(services []routing.Service, t routing.Table, closed map[netip.AddrPort]error) bool {
	declared := map[string]bool{}
	for _, s := range services {
		declared[s.Name] = s.Declared
	}
	return slices.ContainsFunc(t.Backends, func(b routing.Backend) bool {
		asked := declared[b.Service] || slices.ContainsFunc(b.TCP.Members, func(m routing.Member) bool { return declared[m.Service] })
		return asked && slices.ContainsFunc(b.Servers, func(s routing.Server) bool { return undecided(closed[s.Addr]) })
	})
}

// declaredInForce answers which version of the declarations is in force after one was applied: that one when the servers of its
// services have answered, be it by a refusal, or have had their time.
func (r *reconciler) declaredInForce(now time.Time, applied uint64, d decision) uint64 {
	if r.asked.version != applied {
		r.asked = declaredAsked{applied, now}
	}
	if d.undecided && now.Sub(r.asked.since) < undecidedAtMost {
		return r.view.Load().Declared
	}
	return applied
}

// undecidedAtMost is how long the API waits for servers that do not answer: less than siblings wait for each other.
const undecidedAtMost = 3 * time.Second

// patience with tasks that do not answer: the first configuration shall have all that listen, the next ones come soon.
func (r *reconciler) patience() time.Duration {
	if !r.view.Load().Applied {
		return dialTimeout
	}
	return dialPatience
}
