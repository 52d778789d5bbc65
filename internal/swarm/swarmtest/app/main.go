// Command app is the service that tests run in a swarm: an HTTP server on :8080 that
// says who answers.
//
//	GET /…           "hostname slot" of the container
//	GET /…?hold=1s   the header at once, the rest after that time (10 s at most)
//	app check        asks http://127.0.0.1:8080/ and exits 0 or 1: for a health check
//
// The slot is that of the environment variable TASK_SLOT, START_DELAY is a duration to
// wait before listening. SIGTERM lets running requests finish, up to 5 s.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const address = ":8080"

func main() {
	if len(os.Args) > 1 && os.Args[1] == "check" {
		os.Exit(check())
	}
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve() error {
	stopping, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if delay, err := time.ParseDuration(os.Getenv("START_DELAY")); err == nil {
		select {
		case <-time.After(delay):
		case <-stopping.Done():
			return nil
		}
	}
	server := &http.Server{Addr: address, Handler: http.HandlerFunc(answer)}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	select {
	case err := <-failed:
		return err
	case <-stopping.Done():
	}
	patience, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return server.Shutdown(patience)
}

func answer(w http.ResponseWriter, r *http.Request) {
	if hold, err := time.ParseDuration(r.FormValue("hold")); err == nil {
		_ = http.NewResponseController(w).Flush() // who asks knows that it is held
		time.Sleep(min(hold, 10*time.Second))
	}
	hostname, _ := os.Hostname()
	fmt.Fprintln(w, hostname, os.Getenv("TASK_SLOT"))
}

func check() int {
	client := http.Client{Timeout: 30 * time.Second}
	response, err := client.Get("http://127.0.0.1" + address + "/")
	if err != nil || response.StatusCode != http.StatusOK {
		return 1
	}
	return 0
}
