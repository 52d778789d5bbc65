// Command vote is where the voting application takes votes.
//
//	GET  /  ──> the page; a cookie says who votes, and a hidden field which vote it will be
//	POST /  ──> Redis: LPUSH votes {"id", "voter", "choice", "at"} ──> 303 to the page
//
// It keeps nothing itself, so there can be any number of it.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/alecthomas/kong"

	"sluice/deploy/voting/line"
	"sluice/deploy/voting/web"
	"sluice/internal/daemon"
)

type commands struct {
	Run    runCommand         `cmd:"" default:"withargs" help:"Take votes."`
	Health daemon.HealthCheck `cmd:"" help:"Ask a running one for its health."`
}

type runCommand struct {
	web.Server
	Redis    string        `env:"REDIS" default:"redis:6379" help:"Address of Redis."`
	Work     time.Duration `env:"WORK" default:"0s" help:"Time that a vote takes beside queueing it, so that a load of one machine is worth scaling."`
	Patience time.Duration `env:"PATIENCE" default:"40s" help:"Time that a voter waits for Redis at most; the service's com.df.timeoutServer is longer."`
}

func main() {
	os.Exit(daemon.Main("vote", "Takes votes.", &commands{}, kong.Vars{"port": "8080"}))
}

// Validate refuses settings with which it could not serve. Kong calls it.
func (c runCommand) Validate() error { return c.Check() }

// Run takes votes until ctx ends.
func (c runCommand) Run(ctx context.Context) error {
	host, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("read host name: %w", err)
	}
	pool := line.Open(c.Redis, 20)
	defer pool.Close()
	log := c.Logger()
	booth, err := newBooth(host, Queue{pool}, c.Work, c.Patience, log)
	if err != nil {
		return err
	}
	log.Info().Str("redis", c.Redis).Int("port", c.Port).Msg("takes votes")
	return c.Serve(ctx, booth)
}
