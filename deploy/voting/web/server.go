// Package web serves the pages of the voting application, behind a prefix that they do not know: all addresses in them
// are relative, and the proxy takes the prefix away.
//
//	/vote/static/base.css ──(proxy: ^/vote/ is /)──> /static/base.css
package web

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"sluice/internal/daemon"
)

// Server is how the pages are served; embed it.
type Server struct {
	daemon.API
	daemon.Log
	Drain time.Duration `env:"DRAIN" default:"3s" help:"Time it goes on taking requests after SIGTERM, so that the proxies can learn that it leaves."`
	Grace time.Duration `env:"GRACE" default:"45s" help:"Time the last requests get to finish after that."`
}

// Serve answers requests until ctx ends, drains, and returns. Answers that do not end by themselves must end with ctx.
func (s Server) Serve(ctx context.Context, handler http.Handler) error {
	server := &http.Server{
		Addr:              net.JoinHostPort(s.IP, strconv.Itoa(s.Port)),
		Handler:           leaving(ctx, guarded(handler)),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute, // longer than the proxy keeps a connection
	}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve pages: %w", err)
	case <-ctx.Done():
	}
	select {
	case err := <-failed:
		return fmt.Errorf("serve pages: %w", err)
	case <-time.After(s.Drain):
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.Grace)
	defer cancel()
	if err := server.Shutdown(last); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("finish requests within %v: %w", s.Grace, err)
	}
	return nil
}

// leaving asks clients to close their connections once ctx has ended. Those that are idle stay open: closing one while
// the proxy sends on it would lose that request.
func leaving(ctx context.Context, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ctx.Err() != nil {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// guarded lets pages use nothing but what comes from their own address.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}
