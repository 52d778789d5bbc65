// Command worker takes votes from Redis to PostgreSQL, each exactly once: the queue gives a vote at least once, and the
// database takes each ID once.
//
//	votes ──LMOVE──> taken ──> PostgreSQL: commit ──> LREM taken
//
// Who is killed anywhere in between leaves the votes in taken, from where the next turn of any worker takes them again.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/alecthomas/kong"

	"sluice/deploy/voting/line"
	"sluice/deploy/voting/store"
	"sluice/internal/daemon"
)

type commands struct {
	Run    runCommand         `cmd:"" default:"withargs" help:"Take votes from Redis to PostgreSQL."`
	Health daemon.HealthCheck `cmd:"" help:"Ask a running one for its health."`
}

type runCommand struct {
	daemon.API
	daemon.Log
	Redis string       `env:"REDIS" default:"redis:6379" help:"Address of Redis."`
	DB    store.Config `embed:""`
}

func main() {
	os.Exit(daemon.Main("worker", "Takes votes from Redis to PostgreSQL.", &commands{}, kong.Vars{"port": "8080"}))
}

// Validate refuses settings with which it could not run. Kong calls it.
func (c runCommand) Validate() error { return c.Check() }

const (
	// again is the time between two tries after one that failed.
	again = 300 * time.Millisecond
	// stuck is how long a turn may take before the worker is called ill: longer than all of its timeouts.
	stuck = time.Minute
)

// Run works until ctx ends; the turn that is under way is finished.
func (c runCommand) Run(ctx context.Context) error {
	log := c.Logger()
	db, err := store.Open(ctx, c.DB)
	if err != nil {
		return err
	}
	defer db.Close()
	pool := line.Open(c.Redis, 2)
	defer pool.Close()
	var last atomic.Int64 // Unix time of the last turn
	last.Store(time.Now().Unix())
	failed := make(chan error, 1)
	go func() { failed <- c.Serve(ctx, health(&last)) }()
	log.Info().Str("redis", c.Redis).Str("database", c.DB.Host).Msg("works")
	w := worker{Queue{pool}, db, log}
	for well := true; ctx.Err() == nil; last.Store(time.Now().Unix()) {
		err := w.turn(ctx)
		if ctx.Err() != nil {
			break
		}
		if (err == nil) != well { // once for each outage
			well = err == nil
			if well {
				log.Info().Msg("works again")
			} else {
				log.Warn().Err(err).Msg("votes wait")
			}
		}
		if err == nil {
			continue
		}
		select {
		case <-ctx.Done():
		case <-time.After(again):
		}
	}
	return <-failed
}

func health(last *atomic.Int64) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		if quiet := time.Since(time.Unix(last.Load(), 0)); quiet > stuck {
			daemon.Health{Status: "down", Reason: fmt.Sprintf("no turn for %s", quiet.Round(time.Second))}.Answer(w)
			return
		}
		daemon.Health{Status: "ok"}.Answer(w)
	})
	return mux
}
