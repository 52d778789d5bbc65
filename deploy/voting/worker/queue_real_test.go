package main

import (
	"context"
	"os"
	"testing"

	"github.com/gomodule/redigo/redis"
	"github.com/google/go-cmp/cmp"

	"sluice/deploy/voting/line"
	"sluice/internal/swarm/swarmtest"
)

// redisServer runs the image that the stack uses.
func redisServer(t *testing.T) *redis.Pool {
	t.Helper()
	docker := swarmtest.Docker(t)
	image := ""
	for _, name := range []string{"redis:7", "sluice/redis:7"} {
		if _, err := docker.ImageInspect(t.Context(), name); err == nil {
			image = name
			break
		}
	}
	if image == "" && os.Getenv("CI") == "" {
		t.Skip("there is no image of Redis: run `make ready` first")
	}
	s := swarmtest.Start(t, swarmtest.Service{Image: image, Args: []string{"redis-server", "--protected-mode", "no"}, Ports: map[uint32]uint32{6379: 0}})
	pool := line.Open(swarmtest.HostPort(t, swarmtest.Running(t, s.ID, 1)[0].ID, 6379), 2)
	t.Cleanup(func() { pool.Close() })
	return pool
}

func TestWhatWasTakenIsGivenUntilItIsDone(t *testing.T) {
	pool := redisServer(t)
	queue := Queue{pool}
	do := func(name string, args ...any) (answer any) {
		t.Helper()
		conn := pool.Get()
		defer conn.Close()
		answer, err := conn.Do(name, args...)
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	swarmtest.Wait(t, "Redis to answer", func(context.Context) bool {
		conn := pool.Get()
		defer conn.Close()
		_, err := conn.Do("PING")
		return err == nil
	})
	take := func(want ...string) {
		t.Helper()
		got, err := queue.Take(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" && len(want)+len(got) > 0 {
			t.Error(diff)
		}
	}
	take()
	do("LPUSH", line.Waiting, "a", "b", "c")
	take("a", "b", "c")
	do("LPUSH", line.Waiting, "d")
	take("a", "b", "c", "d") // the oldest first, and what another one took and left before
	if err := queue.Done(t.Context(), []string{"a", "c"}); err != nil {
		t.Fatal(err)
	}
	if err := queue.SetAside(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	take("d")
	for name, want := range map[string]int64{line.Waiting: 0, line.Taken: 1, line.Unreadable: 1} {
		if got := do("LLEN", name); got != want {
			t.Errorf("%s has %v, want %d", name, got, want)
		}
	}
}
