package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sluice/internal/haproxy"
	"sluice/internal/label"
	"sluice/routing"
)

// quarantined is what HAProxy said of a backend; it counts for as long as the backend would be written the same way.
type quarantined struct{ fingerprint, reason string }

// quarantine remembers which certificate or backend HAProxy refused; the next step leaves it out and routes everything
// else.
func (r *reconciler) quarantine(ctx context.Context, next change, refused *haproxy.RefusedError) error {
	refused = told(refused)
	if name, reason, found := routing.BlameCertificate(next.want, refused.Output); found {
		if c, ours := r.files.refuse(name, brief(reason, 500), next.served); ours {
			return fmt.Errorf("check the configuration: certificate %s: %s", c.Origin, brief(reason, 500))
		}
	}
	name, reason, found := routing.Blame(next.want, refused.Output)
	if !found {
		name, reason = r.suspect(ctx, next)
	}
	reason = brief(reason, 500)
	for _, b := range next.table.Backends {
		if b.Name == name {
			r.refused[name] = quarantined{next.table.Fingerprint(b), reason}
			r.lister.forget()
			return fmt.Errorf("check the configuration: backend %s of service %s: %s", name, b.Service, reason)
		}
	}
	return refused
}

// told is a refusal as it may be read: HAProxy quotes what it does not take, which may be a password, and at any length.
func told(refused *haproxy.RefusedError) *haproxy.RefusedError {
	return &haproxy.RefusedError{Output: brief(withoutPasswords(refused.Output), 4000)}
}

func (r *reconciler) withoutRefused(t routing.Table, problems []label.Problem) (routing.Table, []label.Problem) {
	if len(r.refused) == 0 {
		return t, problems
	}
	kept := t.Filter(func(b routing.Backend) bool {
		past, known := r.refused[b.Name]
		refused := known && past.fingerprint == t.Fingerprint(b)
		if refused {
			problems = append(problems, label.Problem{Service: b.Service, Label: b.Labels["backend"], Value: b.Name, Reason: refuses + "its backend: " + past.reason})
		}
		return !refused
	})
	return kept, problems
}

// brief cuts a text that is longer than n bytes.
func brief(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "") + "…"
}

// aboutCertificate tells whether HAProxy refused a command about a certificate.
func aboutCertificate(err error) bool {
	if all, joined := err.(interface{ Unwrap() []error }); joined {
		return slices.ContainsFunc(all.Unwrap(), aboutCertificate)
	}
	refused := (*refusedError)(nil)
	return errors.As(err, &refused) && refused.command.Certificate != ""
}
