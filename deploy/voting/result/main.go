// Command result shows how the vote stands, live.
//
//	PostgreSQL ──NOTIFY──> count ──> board ──server-sent events──> pages
//
//	GET /       the page
//	GET /live   the tally as it changes
//	GET /tally  the tally now, as JSON
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/alecthomas/kong"

	"sluice/deploy/voting/store"
	"sluice/deploy/voting/web"
	"sluice/internal/daemon"
)

type commands struct {
	Run    runCommand         `cmd:"" default:"withargs" help:"Show the result."`
	Health daemon.HealthCheck `cmd:"" help:"Ask a running one for its health."`
}

type runCommand struct {
	web.Server
	DB store.Config `embed:""`
}

func main() {
	os.Exit(daemon.Main("result", "Shows how the vote stands.", &commands{}, kong.Vars{"port": "8080"}))
}

// Validate refuses settings with which it could not serve. Kong calls it.
func (c runCommand) Validate() error { return c.Check() }

// again is the time between two tries to reach the database.
const again = time.Second

// Run shows the result until ctx ends.
func (c runCommand) Run(ctx context.Context) error {
	host, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("read host name: %w", err)
	}
	db, err := store.Open(ctx, c.DB)
	if err != nil {
		return err
	}
	defer db.Close()
	log := c.Logger()
	board := newBoard()
	go func() {
		for ctx.Err() == nil {
			err := store.Watch(ctx, c.DB, func(t store.Tally) { board.show(state{Tally: t, Known: true}) })
			if ctx.Err() != nil {
				return
			}
			board.lost()
			log.Warn().Err(err).Msg("database is away")
			select {
			case <-ctx.Done():
			case <-time.After(again):
			}
		}
	}()
	pages, err := newPages(ctx, host, board, db, log)
	if err != nil {
		return err
	}
	log.Info().Str("database", c.DB.Host).Int("port", c.Port).Msg("shows the result")
	return c.Serve(ctx, pages)
}
