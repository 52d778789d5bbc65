package influx

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"github.com/influxdata/influxdb-client-go/v2/api"
	influxhttp "github.com/influxdata/influxdb-client-go/v2/api/http"
	"github.com/rs/zerolog"
)

// Sender posts what the spool holds, oldest first, and has it deleted when InfluxDB acknowledged it. What InfluxDB
// refuses (400) goes to the file `refused` beside the segments. With any other answer, or none, the lines stay and are
// sent again: the same series and time overwrite, so that twice is once.
type Sender struct {
	cfg     Config
	spool   *Spool
	log     zerolog.Logger
	http    *http.Client
	write   api.WriteAPIBlocking
	refused refusedFile

	sending sync.Mutex // one batch at a time

	mu    sync.Mutex
	stats SenderStats
	down  time.Time // since when InfluxDB does not take anything; zero: it does
}

// SenderStats says how the sending does. Counts are since the start.
type SenderStats struct {
	Sent    int64     // points acknowledged
	Refused int64     // points InfluxDB refused
	Failed  int64     // attempts that failed
	LastAck time.Time // zero: never
	LastErr string    // why the last attempt failed; "" when it did not
}

// Stats says how spool and sender do together.
type Stats struct {
	SpoolStats
	SenderStats
	Lag time.Duration // age of the oldest point that waits; 0 when none does
}

// timeout of one request. A server that hangs costs so long an attempt, and nobody waits for it.
const timeout = 5 * time.Second

// The pause after a failed attempt doubles from the first to the last. The last is short: a scaler waits for the points.
const (
	firstPause = 200 * time.Millisecond
	lastPause  = 5 * time.Second
)

// NewSender makes a Sender. It sends nothing before Run or Flush.
func NewSender(cfg Config, spool *Spool, log zerolog.Logger) *Sender {
	h := newHTTPClient(timeout)
	return &Sender{
		cfg:     cfg,
		spool:   spool,
		log:     log,
		http:    h,
		write:   newClient(cfg, h).WriteAPIBlocking(cfg.Org, cfg.Bucket),
		refused: refusedFile{path: filepath.Join(spool.dir, "refused"), limit: maxSegment},
	}
}

// Run sends until the context ends. It logs when InfluxDB stops taking points and when it takes them again.
func (s *Sender) Run(ctx context.Context) {
	defer s.http.CloseIdleConnections()
	pause := firstPause
	for {
		sent, err := s.step(ctx)
		switch {
		case err != nil:
			if !wait(ctx, jitter(pause), nil) {
				return
			}
			pause = min(2*pause, lastPause)
		case !sent:
			if !wait(ctx, 0, s.spool.grown) {
				return
			}
			fallthrough
		default:
			pause = firstPause
		}
	}
}

// Flush sends what waits and returns when nothing does, at the first failure, or when the context ends.
func (s *Sender) Flush(ctx context.Context) error {
	defer s.http.CloseIdleConnections()
	for {
		sent, err := s.step(ctx)
		if err != nil || !sent {
			return err
		}
	}
}

// Stats says how spool and sender do.
func (s *Sender) Stats() Stats {
	st := Stats{SpoolStats: s.spool.Stats()}
	s.mu.Lock()
	st.SenderStats = s.stats
	s.mu.Unlock()
	if !st.Oldest.IsZero() {
		st.Lag = max(0, time.Since(st.Oldest))
	}
	return st
}

// wait returns after the pause (0: never), or when something comes; false when the context ended.
func wait(ctx context.Context, pause time.Duration, something <-chan struct{}) bool {
	var timer <-chan time.Time
	if pause > 0 {
		timer = time.After(pause)
	}
	select {
	case <-ctx.Done():
		return false
	case <-timer:
	case <-something:
	}
	return ctx.Err() == nil
}

// jitter spreads the attempts of many proxies: half the pause to all of it.
func jitter(pause time.Duration) time.Duration {
	return pause/2 + rand.N(pause/2+1)
}

// step sends one batch. sent is false when there is none.
func (s *Sender) step(ctx context.Context) (sent bool, err error) {
	s.sending.Lock()
	defer s.sending.Unlock()
	if err := ctx.Err(); err != nil {
		return false, err
	}
	b, ok, err := s.spool.batch(maxSegment)
	if err != nil {
		s.log.Error().Err(err).Int64("points", b.points).Msg("spool cannot be read, points are lost")
		return true, s.spool.discard(b)
	}
	if !ok {
		return false, nil
	}
	err = s.write.WriteRecord(ctx, b.lines)
	switch {
	case err == nil:
		s.acknowledged(b)
	case isRefused(err):
		s.refuse(b, err)
	case isMissingDatabase(err) && s.createDatabase(ctx):
		return true, nil
	default:
		s.failed(ctx, err)
		return true, err
	}
	return true, s.spool.acknowledge(b)
}

func (s *Sender) acknowledged(b batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Sent += b.points
	s.up()
}

// up notes that InfluxDB answers.
func (s *Sender) up() {
	s.stats.LastAck, s.stats.LastErr = time.Now(), ""
	if !s.down.IsZero() {
		s.log.Info().Stringer("after", time.Since(s.down).Round(time.Millisecond)).Msg("InfluxDB takes points again")
		s.down = time.Time{}
	}
}

// failed counts an attempt and logs the first of a row.
func (s *Sender) failed(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return // it is us who gave up
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Failed++
	s.stats.LastErr = err.Error()
	if s.down.IsZero() {
		s.down = time.Now()
		s.log.Warn().Err(err).Msg("InfluxDB takes no points, they wait in the spool")
	}
}

// refuse sets a batch aside. The good points of the batch are in InfluxDB: 1.8 writes them and answers "partial write".
func (s *Sender) refuse(b batch, cause error) {
	points := refusedPoints(cause.Error(), b.points)
	err := s.refused.add(b.lines, cause.Error(), time.Now())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Refused += points
	s.stats.Sent += b.points - points
	s.up()
	s.log.Warn().AnErr("file_error", err).Int64("points", points).Str("answer", cause.Error()).Str("file", s.refused.path).
		Msg("InfluxDB refuses points, their batch is set aside")
}

// status is the HTTP status of an answer, 0 when there was none.
func status(err error) int {
	var e *influxhttp.Error
	if errors.As(err, &e) {
		return e.StatusCode
	}
	return 0
}

// isRefused says that sending the same lines again can never succeed.
func isRefused(err error) bool {
	switch status(err) {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return true
	}
	return false
}

func wrapStatus(verb string, code int, answer []byte) error {
	return fmt.Errorf("%s: status %d: %.200s", verb, code, answer)
}
