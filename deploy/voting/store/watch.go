package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// apart is the time between two counts at least, however many votes come.
	apart = 200 * time.Millisecond
	// look is the time after which it counts though nothing was told, so that a database that is gone is noticed.
	look = 3 * time.Second
	// answer is how long a count may take.
	answer = 5 * time.Second
)

// Watch calls show with every new tally until ctx ends or the database is away, which is the error. It listens on a
// connection of its own.
func Watch(ctx context.Context, c Config, show func(Tally)) error {
	settings, err := pgx.ParseConfig(c.URL())
	if err != nil {
		return errors.New("watch votes: DB_HOST, DB_NAME and DB_USER make no address")
	}
	told := false // is set while the connection is read, by this goroutine
	settings.OnNotification = func(*pgconn.PgConn, *pgconn.Notification) { told = true }
	conn, err := pgx.ConnectConfig(ctx, settings)
	if err != nil {
		return fmt.Errorf("watch votes: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, "LISTEN "+Channel); err != nil {
		return fmt.Errorf("watch votes: %w", err)
	}
	for {
		told = false
		counting, cancel := context.WithTimeout(ctx, answer)
		tally, err := count(counting, conn)
		cancel()
		if err != nil {
			return fmt.Errorf("watch votes: %w", err)
		}
		show(tally)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(apart):
		}
		if told { // while it counted
			continue
		}
		waiting, cancel := context.WithTimeout(ctx, look)
		err = conn.PgConn().WaitForNotification(waiting)
		expired := waiting.Err() != nil
		cancel()
		if err != nil && !expired {
			return fmt.Errorf("watch votes: %w", err)
		}
	}
}
