package main

import (
	"context"
	"errors"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"sluice/internal/haproxy"
	"sluice/internal/label"
	"sluice/routing"
)

// Pauses of the loop.
const (
	pauseFast    = 50 * time.Millisecond  // while something is on its way
	pauseSlow    = time.Second            // otherwise, longer where the engine needs long to answer
	pausePerTask = 500 * time.Microsecond // and longer than that where it has many tasks to tell, each of 1.5 KB
	pauseBetween = 20 * time.Millisecond  // at least, however many events come
	fastAfter    = time.Second            // an event may come before the lists show what it is about (measured: 130 ms)
	fastFor      = time.Minute            // a service that never converges is not polled fast for ever
	stepTimeout  = 30 * time.Second
)

// A reload waits until the shape was the same for settle, so that many events become one reload, but no longer than
// settleMax, and keeps reloadGap to the one before (oldGap: more while old workers are there).
const (
	settle    = 200 * time.Millisecond
	settleMax = time.Second
	reloadGap = time.Second
)

// reconciler makes HAProxy run what the swarm's labels say. One goroutine calls step; nobody else changes HAProxy.
type reconciler struct {
	lister   lister
	declared *declarations
	resolver *resolver
	engine   engine
	gate     *gate
	reach    *reach // nil without a swarm
	listens  listens
	options  routing.Options
	settings routing.Settings
	files    *tlsFiles
	plain    plainPorts
	built    built
	standing []label.Problem // of the settings, for as long as the program runs
	log      zerolog.Logger
	metrics  *metrics

	refused    map[string]quarantined // by backend name
	reported   map[string]bool        // problems that the log has
	noted      map[string]bool        // notes that the log has
	change     pendingChange
	lastReload time.Time
	asked      declaredAsked  // whose servers are asked for
	reloaded   uint64         // the version of the declarations whose wish for a reload was met
	unsettled  time.Time      // since when something is on its way; zero: nothing is
	saved      routing.Config // as it is on disk
	done       figures
	quiet      quiet
	view       atomic.Pointer[view]
}

// declaredAsked is a version of the declarations, and when it was first met.
type declaredAsked struct {
	version uint64
	since   time.Time
}

// pendingChange is a shape that waits for its reload.
type pendingChange struct {
	shape        string
	first, since time.Time // when any change began to wait, and this one
}

// view is what the API shows: the outcome of the last step.
type view struct {
	Table     routing.Table
	Services  []routing.Service // that were looked at
	Config    string            // haproxy.cfg as it is in force
	Declared  uint64            // the version of the declarations that is in force
	TLS       []certificate     // in their order, those of services last
	Problems  []label.Problem
	Waiting   map[netip.AddrPort]error // tasks that take no connection yet
	Applied   bool                     // a complete listing of the swarm has been applied
	Unread    bool                     // the swarm could not be read since the start
	Failure   string                   // why the last step failed; "" when it did not
	FailedAt  time.Time                // since when
	HAProxyOK bool
	Done      figures // since the controller was started
	owners    map[string]owner
}

// owner says whose backend it is, for the tags of the statistics: the backend of a group is nobody's, its servers are.
func (r *reconciler) owner(backend string) (service, stack string) {
	o := r.view.Load().owners[backend]
	return o.service, o.stack
}

type owner struct{ service, stack string }

func owners(t routing.Table) map[string]owner {
	result := make(map[string]owner, len(t.Backends))
	for _, b := range t.Backends {
		if len(b.TCP.Members) == 0 {
			result[b.Name] = owner{b.Service, b.Stack}
		}
		for _, m := range b.TCP.Members {
			for _, s := range b.Servers {
				if s.Of(m.Service) {
					result[b.Name+"/"+s.Name] = owner{m.Service, m.Stack}
				}
			}
		}
	}
	return result
}

// figures are what the controller tells of itself in the statistics.
func (r *reconciler) figures() figures {
	v := r.view.Load()
	f := v.Done
	f.failure, f.failedAt = v.Failure, v.FailedAt
	return f
}

// run looks again at every hint and otherwise after the pause that the last step asked for.
func (r *reconciler) run(ctx context.Context, hints <-chan struct{}) {
	for ctx.Err() == nil {
		pause := r.once(ctx)
		wait := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-wait.C:
		case <-hints:
			r.lister.hint(time.Now())
			r.unsettled, r.quiet = time.Time{}, quiet{}
			wait.Reset(pauseBetween)
			<-wait.C
		}
		wait.Stop()
	}
}

func (r *reconciler) once(ctx context.Context) time.Duration {
	before := r.view.Load().Failure
	step, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	pause, err := r.step(step)
	if ctx.Err() != nil {
		return 0
	}
	if err == nil {
		if before != "" {
			r.log.Info().Str("failure", before).Msg("recovered")
		}
		return pause
	}
	r.quiet = quiet{}
	now := *r.view.Load()
	if now.Failure == "" {
		now.FailedAt = time.Now()
	}
	now.Failure = err.Error()
	r.view.Store(&now)
	if before != now.Failure {
		r.log.Warn().Err(err).Msg("step failed; what runs goes on, the step is tried again")
	}
	r.metrics.failures.Inc()
	if pause > 0 {
		return pause
	}
	return min(pauseFast+time.Since(now.FailedAt)/4, 5*time.Second)
}

// owes tells whether the API waits for something.
func (r *reconciler) owes() bool { return r.declared.current().version > r.view.Load().Declared }

// step is the whole of the proxy: look at the swarm, decide, apply. While the swarm cannot be read, what the API gave is
// applied to the swarm as it was last, and the step fails all the same; a pause above 0 says when to go on.
func (r *reconciler) step(ctx context.Context) (pause time.Duration, err error) {
	now := time.Now()
	running, err := r.engine.observe(ctx, now)
	if err != nil {
		r.show(func(v *view) { v.HAProxyOK = false })
		return 0, err
	}
	r.show(func(v *view) { v.HAProxyOK = true })
	r.metrics.oldWorkers.Set(float64(len(r.engine.old)))
	swarm, away := r.lister.look(ctx, now, r.owes())
	if away != nil && !swarm.complete {
		r.show(func(v *view) { v.Unread = true })
		return 0, away
	}
	wish := r.declared.current()
	if away == nil && r.rests(now, swarm, wish) {
		return r.pause(now, r.lister.unsure() || swarm.converges, false, swarm), nil
	}
	r.quiet = quiet{}
	d, err := r.decide(ctx, now, running, swarm.services, wish.services)
	if err != nil {
		return 0, err
	}
	defer d.release()
	plan := routing.Diff(running, d.want)
	if plan.Reload == "" && r.reloaded < wish.reload {
		plan.Reload = "asked for by the API"
	}
	if err := r.apply(ctx, now, plan, d.change); err != nil {
		return 0, err
	}
	r.report(d.problems)
	r.note(d.notes)
	r.metrics.observe(d.table, d.served, d.problems)
	// An empty view before the first reload would let /readyz say "ready" for routes that nobody serves yet.
	applied := plan.Reload == "" || r.change.shape == ""
	declared := r.view.Load().Declared
	if applied {
		r.reloaded, declared = wish.reload, r.declaredInForce(now, wish.version, d)
	}
	r.show(func(v *view) {
		r.done.services, r.done.routes, r.done.problems = int64(len(d.services)), int64(len(d.table.AllRoutes())), int64(len(d.problems))
		r.done.quarantined, r.done.problem = worst(d.problems)
		next := view{Table: d.table, Services: d.services, Config: r.saved.Text, Declared: declared, TLS: d.served, Problems: d.problems, Waiting: d.waiting,
			Applied: v.Applied || applied, HAProxyOK: true, Done: r.done, owners: owners(d.table)}
		if away != nil { // once will say so again; nobody shall see it well in between
			next.Failure, next.FailedAt = v.Failure, v.FailedAt
		}
		*v = next
	})
	if away != nil && r.change.shape != "" {
		return pauseFast, away
	}
	if away != nil {
		return 0, away
	}
	moving := r.lister.unsure() || swarm.converges || len(d.waiting) > 0 || plan.Leaving > 0
	r.settled(now, swarm, wish.version, d, len(d.waiting) > 0 || plan.Leaving > 0 || plan.Reload != "" || len(plan.Commands) > 0)
	return r.pause(now, moving, r.change.shape != "", swarm), nil
}

// change is what shall run next, and what it was made of.
type change struct {
	want     routing.Config
	table    routing.Table
	settings routing.Settings // with the certificates of the moment
	served   []certificate
}

// apply sends the commands at once and the reload when it is due. A command that HAProxy refuses does not hold up the
// reload, which brings what the command could not.
func (r *reconciler) apply(ctx context.Context, now time.Time, plan routing.Plan, next change) error {
	err := r.send(ctx, plan.Commands)
	if plan.Reload == "" && aboutCertificate(err) {
		plan.Reload = "a certificate could not be changed at runtime" // and whose fault that is is said by haproxy -c
	}
	if plan.Reload == "" {
		r.change = pendingChange{}
		return errors.Join(err, r.save(next.want))
	}
	// The first configuration does not wait: until it is there nothing is routed.
	if due := r.change.due(now, next.want.Shape, r.lastReload, oldGap(len(r.engine.old))); !due && r.view.Load().Applied {
		return err
	}
	return errors.Join(err, r.reload(ctx, now, plan.Reload, next))
}

func (r *reconciler) send(ctx context.Context, commands []routing.Command) error {
	if len(commands) == 0 {
		return nil
	}
	done, waiting, err := r.engine.send(ctx, commands)
	r.metrics.commands.Add(float64(done))
	r.done.commands += int64(done)
	if done > 0 {
		r.log.Info().Int("commands", done).Int("leaving", waiting).Str("first", commands[0].Line).
			Str("reason", commands[0].Reason).Msg("changed at runtime")
	}
	return err
}

func (r *reconciler) reload(ctx context.Context, now time.Time, reason string, next change) error {
	began, old := time.Now(), r.engine.old
	err := r.engine.reload(ctx, next.want)
	if refused := (*haproxy.RefusedError)(nil); errors.As(err, &refused) {
		return r.quarantine(ctx, next, refused)
	}
	r.change, r.lastReload = pendingChange{}, now
	if err = r.listens.accuse(err, next.table, next.settings); err != nil {
		return err
	}
	r.saved = next.want
	r.metrics.reloads.Inc()
	reason += endedWorkers(old, r.settings.OldWorkers, r.metrics, r.log)
	r.done.reloads, r.done.reloadReason = r.done.reloads+1, reason
	r.log.Info().Str("reason", reason).Dur("took_ms", time.Since(began)).Int("backends", len(next.table.Backends)).Int("old_workers", len(old)).Msg("reloaded")
	return nil
}

// due tells whether a reload to this shape has waited enough.
func (c *pendingChange) due(now time.Time, shape string, lastReload time.Time, gap time.Duration) bool {
	if c.shape == "" {
		c.first = now
	}
	if c.shape != shape {
		c.shape, c.since = shape, now
	}
	settled := now.Sub(c.since) >= settle || now.Sub(c.first) >= settleMax
	return settled && now.Sub(lastReload) >= gap
}

// save keeps the files equal to what runs, for the next start of HAProxy.
func (r *reconciler) save(want routing.Config) error {
	if want.Same(r.saved) {
		return nil
	}
	if err := r.engine.save(want); err != nil {
		return err
	}
	r.saved = want
	return nil
}

// report logs each problem once, for as long as it lasts.
func (r *reconciler) report(problems []label.Problem) {
	present := map[string]bool{}
	for _, p := range problems {
		text := p.String()
		present[text] = true
		if !r.reported[text] {
			r.log.Warn().Str("service", p.Service).Str("label", p.Label).Str("value", p.Value).Str("reason", p.Reason).Msg("label cannot be used")
		}
	}
	r.reported = present
}

// pause is how long to wait without an event: short while something is on its way, for the swarm has no events about
// tasks, and otherwise so long that listing costs the engine at most a twentieth of its time, and this process a hundredth.
func (r *reconciler) pause(now time.Time, moving, reloadWaits bool, swarm listing) time.Duration {
	if !moving {
		r.unsettled = time.Time{}
	} else if r.unsettled.IsZero() {
		r.unsettled = now
	}
	fast := moving && now.Sub(r.unsettled) < fastFor
	if fast || reloadWaits {
		return max(pauseFast, 2*swarm.took)
	}
	return max(pauseSlow, restShare*swarm.cost, time.Duration(swarm.tasks)*pausePerTask)
}

func (r *reconciler) show(change func(*view)) {
	now := *r.view.Load()
	change(&now)
	r.view.Store(&now)
}

// serving lists the addresses that HAProxy sends requests to.
func serving(running routing.Running) map[netip.AddrPort]bool {
	addresses := map[netip.AddrPort]bool{}
	for _, servers := range running.Servers {
		for _, s := range servers {
			if !s.Maint {
				addresses[s.Addr] = true
			}
		}
	}
	return addresses
}
