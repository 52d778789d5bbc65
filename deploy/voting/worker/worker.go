package main

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"sluice/deploy/voting/ballot"
)

// limit is how long what follows the taking of votes may take.
const limit = 20 * time.Second

// queue gives votes until they are done.
type queue interface {
	Take(ctx context.Context) ([]string, error)
	Done(ctx context.Context, texts []string) error
	SetAside(ctx context.Context, text string) error
}

// adder writes votes, each ID once.
type adder interface {
	Add(ctx context.Context, votes []ballot.Vote) error
}

type worker struct {
	queue queue
	db    adder
	log   zerolog.Logger
}

// turn takes votes, writes them, and only then lets go of them. What it took when ctx ended is written all the same.
func (w worker) turn(ctx context.Context) error {
	texts, err := w.queue.Take(ctx)
	if err != nil || len(texts) == 0 {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	var votes []ballot.Vote
	var readable []string
	for _, text := range texts {
		v, err := ballot.Parse(text)
		if err != nil {
			w.log.Error().Err(err).Msg("vote set aside")
			if err := w.queue.SetAside(ctx, text); err != nil {
				return err
			}
			continue
		}
		votes, readable = append(votes, v), append(readable, text)
	}
	if len(votes) == 0 {
		return nil
	}
	if err := w.db.Add(ctx, votes); err != nil {
		return err
	}
	return w.queue.Done(ctx, readable)
}
