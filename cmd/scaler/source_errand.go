package main

import (
	"context"
	"time"
)

// errand is a call that may outlast the tick that began it. There is one under way at most.
type errand[T any] struct{ came chan outcome[T] } // nil: none

// outcome is what a call brought.
type outcome[T any] struct {
	begun, ended time.Time
	value        T
	err          error
}

func (e *errand[T]) busy() bool { return e.came != nil }

// begin starts a call unless one is under way; it may take until timeout.
func (e *errand[T]) begin(ctx context.Context, timeout time.Duration, call func(context.Context) (T, error)) {
	if e.busy() {
		return
	}
	came, begun := make(chan outcome[T], 1), time.Now()
	e.came = came
	go func() {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		value, err := call(ctx)
		came <- outcome[T]{begun, time.Now(), value, err}
	}()
}

// take waits for the outcome, and not for longer than ctx; false: nothing is under way, or it goes on.
func (e *errand[T]) take(ctx context.Context) (outcome[T], bool) {
	if !e.busy() {
		return outcome[T]{}, false
	}
	select {
	case o := <-e.came:
		e.came = nil
		return o, true
	case <-ctx.Done():
		return outcome[T]{}, false
	}
}
