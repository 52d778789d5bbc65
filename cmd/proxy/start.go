package main

import (
	"context"
	"errors"
	"net/netip"
	"os"

	"github.com/rs/zerolog"

	"sluice/internal/haproxy"
	"sluice/routing"
)

// startingConfig puts in place what HAProxy begins with, for a start must not wait for the swarm: the last good configuration,
// or one without routes when there is none that HAProxy takes. Settings that HAProxy refuses stop the start: no configuration
// with them would ever be in force.
func startingConfig(ctx context.Context, c controlSettings, log zerolog.Logger) (*haproxy.Store, error) {
	store, err := haproxy.OpenStore(c.configDir(), c.HAProxy)
	if err != nil {
		return nil, err
	}
	empty, err := c.checkSettings(ctx, store)
	if err != nil {
		return nil, err
	}
	good, err := useSaved(ctx, store, log)
	if err != nil {
		return nil, err
	}
	if !good {
		good, err = c.useClosed(ctx, store)
		log.Info().Bool("listens", !good).Msg("start without routes until the swarm is read")
	}
	if good || err != nil {
		return store, errors.Join(err, empty.Discard())
	}
	_, err = empty.Activate()
	return store, err
}

// useSaved tells whether HAProxy can begin with the configuration of the last time. It does so without the listeners
// whose addresses somebody else has: the controller, which follows at once, leaves out the same and says why.
func useSaved(ctx context.Context, store *haproxy.Store, log zerolog.Logger) (good bool, err error) {
	reason, refused := store.Check(ctx), (*haproxy.RefusedError)(nil)
	if errors.As(reason, &refused) {
		if _, err := os.Stat(store.ConfigFile()); err == nil {
			log.Warn().Err(told(refused)).Msg("HAProxy refuses the saved configuration")
		}
		return false, nil
	}
	if reason != nil {
		return false, reason
	}
	files, err := store.Files()
	if err != nil {
		return false, err
	}
	const name = "haproxy.cfg"
	taken, reason := unbindable(string(files[name]))
	if reason == nil {
		return true, nil
	}
	log.Warn().Err(reason).Msg("HAProxy starts without a listener of the saved configuration")
	files[name] = []byte(routing.WithoutListeners(string(files[name]), func(addr netip.AddrPort) bool { return taken[addr] }))
	return use(ctx, store, files)
}

// useClosed lets HAProxy begin without its entries, unless they could not be bound, which it shall say itself. A client that is refused
// asks another proxy or asks again, a POST too; one that is answered 503 has its answer.
func (c *controlSettings) useClosed(ctx context.Context, store *haproxy.Store) (good bool, err error) {
	settings, err := c.settings(c.Dir)
	if err != nil {
		return false, err
	}
	if bindable(addressesOf(settings.Entries)) != nil {
		return false, nil
	}
	settings.Entries = nil
	closed, err := routing.Render(routing.Table{}, settings)
	if err != nil {
		return false, err
	}
	return use(ctx, store, closed.Files())
}

// use puts a configuration in place when HAProxy takes it.
func use(ctx context.Context, store *haproxy.Store, files map[string][]byte) (good bool, err error) {
	written, err := store.Write(files)
	if err != nil {
		return false, err
	}
	reason, refused := written.Check(ctx), (*haproxy.RefusedError)(nil)
	if errors.As(reason, &refused) {
		return false, written.Discard()
	}
	if reason == nil {
		_, reason = written.Activate()
	}
	return reason == nil, reason
}
