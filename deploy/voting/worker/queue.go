package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gomodule/redigo/redis"

	"sluice/deploy/voting/line"
)

// batch is how many votes are taken at once at most.
const batch = 500

// Queue is the votes in Redis.
type Queue struct{ pool *redis.Pool }

// Take moves what waits into taken, waiting up to a second for the first, and gives all that is in taken, the oldest first.
// What others took is given too: it may have been left, and nothing is counted twice.
func (q Queue) Take(ctx context.Context) ([]string, error) {
	conn, err := q.pool.GetContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("take votes: %w", err)
	}
	defer conn.Close()
	_, err = redis.String(conn.Do("BLMOVE", line.Waiting, line.Taken, "RIGHT", "LEFT", 1)) // the pool's 3 s are longer
	if err != nil && !errors.Is(err, redis.ErrNil) {
		return nil, fmt.Errorf("take votes: %w", err)
	}
	if err == nil {
		if err := takeMore(conn); err != nil {
			return nil, fmt.Errorf("take votes: %w", err)
		}
	}
	texts, err := redis.Strings(conn.Do("LRANGE", line.Taken, -2*batch, -1))
	if err != nil {
		return nil, fmt.Errorf("take votes: %w", err)
	}
	slices.Reverse(texts)
	return texts, nil
}

// takeMore moves what else waits, up to a batch.
func takeMore(conn redis.Conn) error {
	n, err := redis.Int(conn.Do("LLEN", line.Waiting))
	if err != nil {
		return err
	}
	var moves []command
	for range min(n, batch-1) {
		moves = append(moves, command{"LMOVE", []any{line.Waiting, line.Taken, "RIGHT", "LEFT"}})
	}
	return all(conn, moves) // those that find nothing, because another worker was quicker, are no error
}

// Done removes votes from taken. One that is there twice is there once less.
func (q Queue) Done(ctx context.Context, texts []string) error {
	var removals []command
	for _, text := range texts {
		removals = append(removals, command{"LREM", []any{line.Taken, -1, text}})
	}
	if err := q.send(ctx, removals); err != nil {
		return fmt.Errorf("let go of votes: %w", err)
	}
	return nil
}

// SetAside moves what cannot be read out of the way, where a person can look at it.
func (q Queue) SetAside(ctx context.Context, text string) error {
	err := q.send(ctx, []command{{"MULTI", nil}, {"LREM", []any{line.Taken, -1, text}}, {"LPUSH", []any{line.Unreadable, text}}, {"EXEC", nil}})
	if err != nil {
		return fmt.Errorf("set vote aside: %w", err)
	}
	return nil
}

func (q Queue) send(ctx context.Context, commands []command) error {
	conn, err := q.pool.GetContext(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return all(conn, commands)
}

type command struct {
	name string
	args []any
}

// all sends the commands in one go and reads their answers.
func all(conn redis.Conn, commands []command) error {
	for _, c := range commands {
		if err := conn.Send(c.name, c.args...); err != nil {
			return err
		}
	}
	if err := conn.Flush(); err != nil {
		return err
	}
	for range commands {
		if _, err := conn.Receive(); err != nil {
			return err
		}
	}
	return nil
}
