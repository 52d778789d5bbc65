package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"sluice/internal/haproxy"
	"sluice/routing"
)

// suspect finds a backend that HAProxy refuses though its complaint names none: "Proxy 'services': unable to find required
// use_backend: 'x'" has no line. Only raw lines in the frontend can be meant, so each backend that has some is tried
// without the others that have some. An empty name: nobody is refused alone, or everybody for somebody else's fault.
func (r *reconciler) suspect(ctx context.Context, refused change) (backend, reason string) {
	raw := func(b routing.Backend) bool { return len(b.Raw.Frontend) > 0 }
	without := func(but string) *haproxy.RefusedError {
		config, err := routing.Render(refused.table.Filter(func(b routing.Backend) bool { return !raw(b) || b.Name == but }), refused.settings)
		said := (*haproxy.RefusedError)(nil)
		if err == nil && errors.As(r.engine.check(ctx, config), &said) {
			return said
		}
		return nil // the next step reports other errors
	}
	if !slices.ContainsFunc(refused.table.Backends, raw) || without("") != nil {
		return "", ""
	}
	for _, b := range refused.table.Backends {
		if !raw(b) {
			continue
		}
		if said := without(b.Name); said != nil {
			return b.Name, alert(said.Output)
		}
	}
	return "", ""
}

// alert is the first complaint of HAProxy in its own words.
func alert(output string) string {
	for line := range strings.Lines(output) {
		if _, text, ok := strings.Cut(line, "[ALERT]"); ok {
			_, text, _ = strings.Cut(text, " : ")
			return withoutPasswords(strings.TrimSpace(strings.TrimPrefix(text, "config : ")))
		}
	}
	return "its lines in the frontend"
}
