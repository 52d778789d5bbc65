package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"sluice/routing"
)

// renew brings certificates into force while the swarm cannot be listed, for they do not wait; routes stay as they are.
func (r *reconciler) renew(ctx context.Context, now time.Time, running routing.Running) error {
	v := r.view.Load()
	if !v.Applied {
		return nil
	}
	settings, table, served, _ := r.files.join(r.settings, v.Table, now)
	want, err := routing.Render(table, settings)
	if err != nil {
		return err
	}
	served = marked(served, want)
	if err := r.apply(ctx, now, routing.Diff(running, want), change{want, table, served}); err != nil {
		return err
	}
	r.show(func(v *view) { v.TLS, v.Config = served, r.saved.Text })
	return nil
}

// aboutCertificate tells whether HAProxy refused a command about a certificate.
func aboutCertificate(err error) bool {
	if all, joined := err.(interface{ Unwrap() []error }); joined {
		return slices.ContainsFunc(all.Unwrap(), aboutCertificate)
	}
	refused := (*refusedError)(nil)
	return errors.As(err, &refused) && refused.command.Certificate != ""
}
