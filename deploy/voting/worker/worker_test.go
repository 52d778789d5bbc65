package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"sluice/deploy/voting/ballot"
)

// shelf is a queue of taken votes.
type shelf struct {
	taken, aside []string
	doneErr      error
}

func (s *shelf) Take(context.Context) ([]string, error) { return slices.Clone(s.taken), nil }

func (s *shelf) Done(_ context.Context, texts []string) error {
	if s.doneErr == nil {
		s.taken = slices.DeleteFunc(s.taken, func(text string) bool { return slices.Contains(texts, text) })
	}
	return s.doneErr
}

func (s *shelf) SetAside(_ context.Context, text string) error {
	s.taken = slices.DeleteFunc(s.taken, func(t string) bool { return t == text })
	s.aside = append(s.aside, text)
	return nil
}

// book is a database.
type book struct {
	ids []string
	err error
}

func (b *book) Add(ctx context.Context, votes []ballot.Vote) error {
	if err := errors.Join(b.err, ctx.Err()); err != nil {
		return err
	}
	for _, v := range votes {
		if !slices.Contains(b.ids, v.ID) {
			b.ids = append(b.ids, v.ID)
		}
	}
	return nil
}

func vote(t *testing.T, id string) string {
	t.Helper()
	text, err := ballot.Vote{ID: id, Voter: "v", Choice: "sea", At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestATurnThatFailsAnywhereIsMadeUpForByTheNext wants each vote once, whatever went wrong first.
func TestATurnThatFailsAnywhereIsMadeUpForByTheNext(t *testing.T) {
	for _, row := range []struct {
		name    string
		db, let error
	}{
		{"nothing fails", nil, nil},
		{"the database is away", errors.New("away"), nil},
		{"Redis is away once the votes are written", nil, errors.New("away")},
	} {
		t.Run(row.name, func(t *testing.T) {
			queue, db := &shelf{taken: []string{vote(t, "a"), "no vote", vote(t, "b")}, doneErr: row.let}, &book{err: row.db}
			w := worker{queue, db, zerolog.Nop()}
			if err := w.turn(t.Context()); (err != nil) != (row.db != nil || row.let != nil) {
				t.Fatalf("the first turn: %v", err)
			}
			if len(queue.taken) != 0 != (row.db != nil || row.let != nil) {
				t.Errorf("after the first turn %q is taken", queue.taken)
			}
			queue.doneErr, db.err = nil, nil
			if err := w.turn(t.Context()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{"a", "b"}, db.ids); diff != "" || len(queue.taken) > 0 {
				t.Errorf("in the end %q is taken; written:\n%s", queue.taken, diff)
			}
			if got := strings.Join(queue.aside, " "); got != "no vote" {
				t.Errorf("set aside is %q", got)
			}
		})
	}
}

func TestWhatWasTakenIsWrittenWhenTheWorkerIsToldToEnd(t *testing.T) {
	ctx, end := context.WithCancel(t.Context())
	end()
	db := &book{}
	if err := (worker{&shelf{taken: []string{vote(t, "a")}}, db, zerolog.Nop()}).turn(ctx); err != nil || len(db.ids) != 1 {
		t.Errorf("wrote %v, %v", db.ids, err)
	}
}
