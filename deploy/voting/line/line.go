// Package line is where votes wait in Redis: lists that grow on the left.
package line

import (
	"context"
	"time"

	"github.com/gomodule/redigo/redis"
)

// The lists: what was voted, what a worker has taken, and what no worker can read.
const (
	Waiting    = "votes"
	Taken      = "votes:taken"
	Unreadable = "votes:unreadable"
)

// Open makes a pool of connections to Redis; it connects when it is used, and replaces what broke at the next use. Whoever
// needs a connection while size are in use waits for one. An answer that takes 3 s is an error.
func Open(address string, size int) *redis.Pool {
	return &redis.Pool{
		MaxActive:   size,
		MaxIdle:     size,
		Wait:        true,
		IdleTimeout: time.Minute,
		DialContext: func(ctx context.Context) (redis.Conn, error) {
			return redis.DialContext(ctx, "tcp", address, redis.DialConnectTimeout(2*time.Second), redis.DialReadTimeout(3*time.Second), redis.DialWriteTimeout(3*time.Second))
		},
	}
}
