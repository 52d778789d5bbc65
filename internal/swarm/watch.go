package swarm

import (
	"context"
	"time"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
)

// pauses are the waits between attempts to follow the engine's events: from first,
// doubling, up to longest. A stream that held for longest starts again from first.
type pauses struct{ first, longest time.Duration }

var watchPauses = pauses{first: 100 * time.Millisecond, longest: 10 * time.Second}

// Watch returns a channel that holds at most one signal, "look again": something
// changed about a service, a node or a network, or a container of the connected engine
// started, was told to stop, died or changed its health. The latter are free hints of
// tasks on that node; of tasks elsewhere there are no events. The hint comes first: the
// list of tasks shows the new state up to 150 ms later, so look more than once.
//
// Every time the events are followed (again) there is a signal too, since some may have
// been missed. Events can also get lost on the way: list now and then without a signal.
// The channel is closed when ctx ends.
func (c *Client) Watch(ctx context.Context) <-chan struct{} {
	return c.watch(ctx, watchPauses)
}

func (c *Client) watch(ctx context.Context, p pauses) <-chan struct{} {
	hints := make(chan struct{}, 1)
	go func() {
		defer close(hints)
		for pause := p.first; ctx.Err() == nil; pause = min(2*pause, p.longest) {
			began := time.Now()
			c.follow(ctx, hints)
			if time.Since(began) >= p.longest {
				pause = p.first
			}
			select {
			case <-ctx.Done():
			case <-time.After(pause):
			}
		}
	}()
	return hints
}

// follow turns events into signals until the stream ends, for whatever reason: the next
// attempt is the answer to all of them.
func (c *Client) follow(ctx context.Context, hints chan<- struct{}) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// Events does not tell whether it connected: ask first, so that an engine that is
	// away causes no signal.
	if !c.answers(ctx) {
		return
	}
	messages, errs := c.docker.Events(ctx, events.ListOptions{Filters: eventFilter()})
	signal(hints)
	for {
		select {
		case m := <-messages:
			if relevant(m) {
				signal(hints)
			}
		case <-errs:
			return
		}
	}
}

func (c *Client) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return c.Ping(ctx) == nil
}

// eventFilter makes the engine send little. It matches actions by their beginning, so
// relevant has the last word.
func eventFilter() filters.Args {
	args := filters.NewArgs()
	for _, kind := range []events.Type{events.ServiceEventType, events.NodeEventType, events.NetworkEventType, events.ContainerEventType} {
		args.Add("type", string(kind))
	}
	for _, action := range []events.Action{
		events.ActionCreate, events.ActionUpdate, events.ActionRemove, // service, node, network
		events.ActionStart, events.ActionKill, events.ActionDie, events.ActionHealthStatus, // container
	} {
		args.Add("event", string(action))
	}
	return args
}

func relevant(m events.Message) bool {
	if m.Type != events.ContainerEventType {
		return true
	}
	return m.Action != events.ActionCreate && m.Action != events.ActionUpdate
}

func signal(hints chan<- struct{}) {
	select {
	case hints <- struct{}{}:
	default: // one is waiting already
	}
}
