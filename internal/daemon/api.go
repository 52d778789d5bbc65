package daemon

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// API is where a command's API listens; embed it.
type API struct {
	IP   string `name:"ip" env:"IP" placeholder:"ADDRESS" help:"Address that the API listens on; by default all."`
	Port int    `env:"PORT" default:"${port}" help:"Port of the API."`
}

// Check refuses a port that is none.
func (a API) Check() error {
	if a.Port < 1 || a.Port > 65535 {
		return fmt.Errorf("PORT: is not a port between 1 and 65535, got %d", a.Port)
	}
	return nil
}

// Serve answers requests until ctx ends.
func (a API) Serve(ctx context.Context, handler http.Handler) error {
	server := &http.Server{Addr: net.JoinHostPort(a.IP, fmt.Sprint(a.Port)), Handler: handler, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
	defer context.AfterFunc(ctx, func() {
		// The context has ended; answers in progress get a moment of their own.
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = server.Shutdown(closing)
	})()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the API: %w", err)
	}
	return nil
}

// Answer writes body as JSON.
func Answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // a client that went away is its own affair
}

// Health is the body of /healthz.
type Health struct {
	Status string     `json:"status"` // ok; degraded: it does its work, but something is wrong; down
	Reason string     `json:"reason,omitempty"`
	Since  *time.Time `json:"since,omitempty"`
}

// Answer writes the health; down is 503.
func (h Health) Answer(w http.ResponseWriter) {
	code := http.StatusOK
	if h.Status == "down" {
		code = http.StatusServiceUnavailable
	}
	Answer(w, code, h)
}

// HealthCheck is the command that a container's health check runs.
type HealthCheck struct{ API }

// Run asks /healthz; an error makes the exit code 1.
func (c HealthCheck) Run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	url := "http://" + net.JoinHostPort(cmp.Or(c.IP, "127.0.0.1"), fmt.Sprint(c.Port)) + "/healthz"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("ask for health: %w", err)
	}
	defer response.Body.Close()
	var body Health
	if err := json.NewDecoder(response.Body).Decode(&body); err != nil {
		return fmt.Errorf("ask for health: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", body.Status, body.Reason)
	}
	_, err = fmt.Println(body.Status, body.Reason)
	return err
}
