package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sluice/internal/haproxy"
	"sluice/routing"
)

// checkSettings writes the configuration of no services, which HAProxy has accepted. A certificate that it refuses is
// left out, for it must not keep the proxy from starting; a setting that it refuses is an error.
func (c controlSettings) checkSettings(ctx context.Context, store *haproxy.Store) (none haproxy.Generation, _ error) {
	settings, err := c.settings(c.Dir)
	if err != nil {
		return none, err
	}
	files := newTLSFiles(c.routeSettings, c.place)
	for {
		complete, list, _ := files.settings(settings, time.Now())
		empty, err := routing.Render(routing.Table{}, complete)
		if err != nil {
			return none, err
		}
		refused, err := judge(ctx, store, empty, complete.Log.Probe())
		if err != nil {
			return none, fmt.Errorf("check the settings: %w", err)
		}
		if refused == nil {
			return store.Write(empty.Files())
		}
		if name, said, found := routing.BlameCertificate(empty, refused.Output); found {
			if _, ours := files.refuse(name, said, list); ours {
				continue
			}
		}
		return none, fmt.Errorf("check the settings: %w", refusedSetting(empty, complete.Log.Probe(), refused))
	}
}

// judge lets HAProxy look at a configuration with a probe at its end, and leaves nothing behind.
func judge(ctx context.Context, store *haproxy.Store, c routing.Config, probe string) (refused *haproxy.RefusedError, err error) {
	c.Text += probe
	written, err := store.Write(c.Files())
	if err != nil {
		return nil, err
	}
	err = written.Check(ctx)
	if errors.As(err, &refused) {
		err = nil
	}
	return refused, errors.Join(err, written.Discard())
}

// refusedSetting says which setting HAProxy does not take, where its line names one.
func refusedSetting(c routing.Config, probe string, refused *haproxy.RefusedError) error {
	c.Text += probe
	if names, line, reason, ok := routing.BlameSetting(c, refused.Output); ok {
		return fmt.Errorf("%s: HAProxy refuses %q: %s", names, withoutPasswords(line), withoutPasswords(reason))
	}
	return told(refused)
}
