package main

import (
	"context"
	"errors"
	"strings"

	"sluice/internal/haproxy"
	"sluice/routing"
)

// suspect finds a backend that HAProxy refuses though its complaint names none: "Proxy 'services': unable to find required
// use_backend: 'x'" has no line. Only raw lines in the frontend can be meant, so each backend that has some is tried
// without the others that have some. An empty name: nobody is refused alone.
func (r *reconciler) suspect(ctx context.Context, table routing.Table) (backend, reason string) {
	for _, b := range table.Backends {
		if len(b.Raw.Frontend) == 0 {
			continue
		}
		alone := table.Filter(func(other routing.Backend) bool { return other.Name == b.Name || len(other.Raw.Frontend) == 0 })
		config, err := routing.Render(alone, r.settings)
		if err != nil {
			return "", "" // the next step reports it
		}
		if refused := (*haproxy.RefusedError)(nil); errors.As(r.engine.check(ctx, config), &refused) {
			return b.Name, alert(refused.Output)
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
