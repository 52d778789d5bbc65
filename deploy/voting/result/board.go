package main

import (
	"sync"

	"sluice/deploy/voting/store"
)

// state is what the pages show: the last tally, and whether it is known to be the present one.
type state struct {
	store.Tally
	Known bool `json:"known"`
}

// board holds the state for any number of readers, who wait for the next one.
type board struct {
	mu      sync.Mutex
	state   state
	changed chan struct{} // closed when state is another
}

func newBoard() *board { return &board{changed: make(chan struct{})} }

// show tells the readers when the state is new.
func (b *board) show(s state) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s == b.state {
		return
	}
	b.state = s
	close(b.changed)
	b.changed = make(chan struct{})
}

// lost says that the state may be old.
func (b *board) lost() {
	now, _ := b.read()
	now.Known = false
	b.show(now)
}

// read is the state, and a channel that is closed when there is another.
func (b *board) read() (state, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state, b.changed
}
