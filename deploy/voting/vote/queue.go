package main

import (
	"context"
	"fmt"
	"time"

	"github.com/gomodule/redigo/redis"

	"sluice/deploy/voting/ballot"
	"sluice/deploy/voting/line"
)

// pause is the time between two tries to reach Redis.
const pause = 200 * time.Millisecond

// Queue is the list of votes in Redis.
type Queue struct{ pool *redis.Pool }

// Put queues the vote, and tries until ctx ends: Redis comes back. A try whose answer was lost may have queued it, so it
// may be there twice; it has an ID.
func (q Queue) Put(ctx context.Context, v ballot.Vote) error {
	text, err := v.Encode()
	if err != nil {
		return err
	}
	for {
		err := q.push(ctx, text)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("queue vote: %w", err)
		case <-time.After(pause):
		}
	}
}

func (q Queue) push(ctx context.Context, text string) error {
	conn, err := q.pool.GetContext(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = redis.DoContext(conn, ctx, "LPUSH", line.Waiting, text)
	return err
}
