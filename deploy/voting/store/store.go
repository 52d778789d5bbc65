// Package store is the voting application's database: each vote once, and each voter's last choice.
//
//	votes    id, voter, choice, cast_at    what was voted, in the order in which it came
//	ballots  voter, choice                 what counts
package store

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"sluice/deploy/voting/ballot"
)

// Channel is what PostgreSQL's NOTIFY names a change of the votes.
const Channel = "votes"

// Config is where the database is; embed it.
type Config struct {
	Host     string `env:"DB_HOST" default:"db" help:"Host of PostgreSQL, or HOST:PORT."`
	Name     string `env:"DB_NAME" default:"votes" help:"Name of the database."`
	User     string `env:"DB_USER" default:"postgres" help:"User of the database."`
	Password string `env:"DB_PASSWORD" placeholder:"TEXT" help:"Password of the user; better in the file that DB_PASSWORD_FILE names."`
}

// URL is the address of the database, with the password. A server that does not take a connection within 3 s is away.
func (c Config) URL() string {
	host := c.Host
	if _, _, err := net.SplitHostPort(host); err != nil {
		host = net.JoinHostPort(host, "5432")
	}
	u := url.URL{Scheme: "postgres", User: url.UserPassword(c.User, c.Password), Host: host, Path: "/" + c.Name, RawQuery: "sslmode=disable&connect_timeout=3"}
	return u.String()
}

// Store is the database, over a pool of connections: those that broke are replaced at the next use.
type Store struct{ pool *pgxpool.Pool }

// Open makes the pool; it connects when it is used.
func Open(ctx context.Context, c Config) (Store, error) {
	settings, err := pgxpool.ParseConfig(c.URL())
	if err != nil {
		return Store{}, errors.New("open database: DB_HOST, DB_NAME and DB_USER make no address") // the error itself may show the password
	}
	settings.MaxConns = 4
	pool, err := pgxpool.NewWithConfig(ctx, settings)
	if err != nil {
		return Store{}, fmt.Errorf("open database: %w", err)
	}
	return Store{pool}, nil
}

// Close ends the connections.
func (s Store) Close() { s.pool.Close() }

const schema = `
CREATE TABLE IF NOT EXISTS votes (
	id text PRIMARY KEY,
	voter text NOT NULL,
	choice text NOT NULL,
	cast_at timestamptz NOT NULL,
	turn bigint GENERATED ALWAYS AS IDENTITY
);
CREATE TABLE IF NOT EXISTS ballots (voter text PRIMARY KEY, choice text NOT NULL);`

// one is the advisory lock of whoever writes: transactions come one after the other, so that of two votes that two workers
// took the first one is written first.
const one = `SELECT pg_advisory_xact_lock(7265646973)`

// add counts what is new. What is there already changes nothing, not even the ballot of its voter.
const add = `
WITH came AS (
	SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[]) WITH ORDINALITY AS v (id, voter, choice, cast_at, nth)
), counted AS (
	INSERT INTO votes (id, voter, choice, cast_at) SELECT id, voter, choice, cast_at FROM came ORDER BY nth
	ON CONFLICT (id) DO NOTHING RETURNING id
)
INSERT INTO ballots (voter, choice)
SELECT DISTINCT ON (voter) voter, choice FROM came JOIN counted USING (id) ORDER BY voter, nth DESC
ON CONFLICT (voter) DO UPDATE SET choice = excluded.choice`

// Add writes votes in their order, all or none, each ID once; and tells whoever listens. It makes the tables when they are missing.
func (s Store) Add(ctx context.Context, votes []ballot.Vote) error {
	err := s.add(ctx, votes)
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == undefinedTable {
		if err = s.makeTables(ctx); err == nil {
			err = s.add(ctx, votes)
		}
	}
	if err != nil {
		return fmt.Errorf("add votes: %w", err)
	}
	return nil
}

const undefinedTable = "42P01"

func (s Store) makeTables(ctx context.Context) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, one); err != nil { // two that make the same table would fail
			return err
		}
		_, err := tx.Exec(ctx, schema)
		return err
	})
}

func (s Store) add(ctx context.Context, votes []ballot.Vote) error {
	var ids, voters, choices []string
	var times []time.Time
	seen := map[string]bool{}
	for _, v := range votes {
		if seen[v.ID] { // the first one is the vote: what came again must not come after a later vote of its voter
			continue
		}
		seen[v.ID] = true
		ids, voters, choices, times = append(ids, v.ID), append(voters, v.Voter), append(choices, v.Choice), append(times, v.At)
	}
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, one); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, add, ids, voters, choices, times); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `SELECT pg_notify($1, '')`, Channel)
		return err
	})
}

// Tally is how it stands.
type Tally struct {
	Mountains int `json:"mountains"` // voters whose last vote this is
	Sea       int `json:"sea"`
	Votes     int `json:"votes"` // all votes, those that were replaced too
}

// querier is a pool or a connection.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Tally counts. Before the first vote there are no tables, and nothing is counted.
func (s Store) Tally(ctx context.Context) (Tally, error) { return count(ctx, s.pool) }

func count(ctx context.Context, q querier) (t Tally, err error) {
	err = q.QueryRow(ctx, `SELECT
		(SELECT count(*) FROM ballots WHERE choice = 'mountains'),
		(SELECT count(*) FROM ballots WHERE choice = 'sea'),
		(SELECT count(*) FROM votes)`).Scan(&t.Mountains, &t.Sea, &t.Votes)
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == undefinedTable {
		return Tally{}, nil
	}
	if err != nil {
		return Tally{}, fmt.Errorf("count votes: %w", err)
	}
	return t, nil
}
