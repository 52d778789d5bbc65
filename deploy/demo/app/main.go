// Command demo-app is the sample service of the demo: a server whose capacity is known, so that it can be seen how
// many replicas a load needs.
//
//	request ──> waiting room (QUEUE) ──> one of CAPACITY places, for WORK ──> 200
//	                   └─ full: 503
//	WebSocket at /NAME/chat ──> echo
//	GET /NAME/events ──> an event a second, without end
//
// On SIGTERM it goes on serving for DRAIN, so that the proxies can learn that it leaves, asking clients to close their
// connections; then it finishes what it has and exits.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
)

// Config is read from flags and environment.
type Config struct {
	Listen     string        `env:"LISTEN" default:":8080" help:"Address to listen on."`
	Capacity   int           `env:"CAPACITY" default:"10" help:"Requests in service at the same time."`
	Work       time.Duration `env:"WORK" default:"100ms" help:"Time a request is in service."`
	Queue      int           `env:"QUEUE" default:"100" help:"Requests that may wait for a place; more are answered 503."`
	StartDelay time.Duration `env:"START_DELAY" default:"0s" help:"Time until it listens."`
	Drain      time.Duration `env:"DRAIN" default:"3s" help:"Time it goes on accepting requests after SIGTERM."`
	TLSName    []string      `env:"TLS_NAME" help:"Serve TLS, with a certificate made at the start for these names."`
	Grace      time.Duration `env:"GRACE" default:"10s" help:"Time the last requests get to finish after that."`
}

// Validate refuses values with which it could not serve. Kong calls it.
func (c Config) Validate() error {
	if c.Capacity < 1 {
		return fmt.Errorf("capacity is at least 1, got %d", c.Capacity)
	}
	if c.Queue < 0 {
		return fmt.Errorf("queue is at least 0, got %d", c.Queue)
	}
	return nil
}

func main() {
	var cfg Config
	kong.Parse(&cfg, kong.Name("demo-app"), kong.Description("A sample service of known capacity."))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx, cfg); err != nil {
		fmt.Fprintln(os.Stderr, "demo-app:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends, then drains and returns.
func run(ctx context.Context, cfg Config) error {
	host, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("read host name: %w", err)
	}
	select {
	case <-time.After(cfg.StartDelay):
	case <-ctx.Done():
		return nil
	}
	desk := NewDesk(host, cfg)
	mux := http.NewServeMux()
	mux.Handle("/", desk)
	mux.HandleFunc("/{service}/chat", chat)
	leaving, leave := context.WithCancel(context.Background())
	defer leave()
	mux.HandleFunc("/{service}/events", events(leaving, time.Second))
	// It bounds TLS handshakes too, and a client on a machine that is under load may need long for one.
	server := &http.Server{Addr: cfg.Listen, Handler: mux, ReadHeaderTimeout: time.Minute}
	server.RegisterOnShutdown(leave)
	failed := make(chan error, 1)
	go func() { failed <- listen(server, cfg.TLSName) }()
	fmt.Printf("%s serves %d at a time, %v each, on %s\n", host, cfg.Capacity, cfg.Work, cfg.Listen)

	select {
	case err := <-failed:
		return fmt.Errorf("serve on %s: %w", cfg.Listen, err)
	case <-ctx.Done():
	}
	desk.Leave()
	fmt.Printf("%s drains for %v\n", host, cfg.Drain)
	time.Sleep(cfg.Drain)
	last, cancel := context.WithTimeout(context.Background(), cfg.Grace)
	defer cancel()
	if err := server.Shutdown(last); err != nil {
		return fmt.Errorf("finish requests within %v: %w", cfg.Grace, err)
	}
	fmt.Printf("%s served %d requests\n", host, desk.Served())
	return nil
}
