package main

import (
	"context"
	"errors"
	"fmt"

	"sluice/internal/haproxy"
	"sluice/routing"
)

// checkSettings writes the configuration of no services, which HAProxy has accepted.
func (c controlSettings) checkSettings(ctx context.Context, store *haproxy.Store) (none haproxy.Generation, _ error) {
	settings, err := c.settings(c.Dir)
	if err != nil {
		return none, err
	}
	empty, err := routing.Render(routing.Table{}, settings)
	if err != nil {
		return none, err
	}
	probe := empty
	probe.Text += settings.Log.Probe()
	judged, err := store.Write(probe.Files())
	if err != nil {
		return none, err
	}
	err = judged.Check(ctx)
	if refused := (*haproxy.RefusedError)(nil); errors.As(err, &refused) {
		if names, line, reason, ok := routing.BlameSetting(probe, refused.Output); ok {
			err = fmt.Errorf("%s: HAProxy refuses %q: %s", names, withoutPasswords(line), withoutPasswords(reason))
		}
	}
	if err != nil {
		return none, errors.Join(fmt.Errorf("check the settings: %w", err), judged.Discard())
	}
	if probe.Text == empty.Text {
		return judged, nil
	}
	if err := judged.Discard(); err != nil {
		return none, err
	}
	return store.Write(empty.Files())
}
