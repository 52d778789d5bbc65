package influx

import (
	"context"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// reopenPause is how long the Outbox waits before it tries again to open a spool that it could not open.
const reopenPause = 5 * time.Second

// Outbox is a spool with its sender, for who wants to hand over points and never be bothered: nothing that is wrong with
// disk or server is an error for the caller, it is logged when it begins and when it ends, and counted.
type Outbox struct {
	cfg   Config
	dir   string
	limit int64
	log   zerolog.Logger

	mu      sync.Mutex
	spool   *Spool // nil: there is no InfluxDB, or the spool could not be opened yet
	sender  *Sender
	dropped int64 // points put while there was no spool
	failing bool  // the last Put was lost
}

// NewOutbox opens the spool in dir, or goes on trying while it runs: a former process may hold it for another moment.
// With an empty URL there is no InfluxDB, and the Outbox takes points and forgets them.
func NewOutbox(cfg Config, dir string, limit int64, log zerolog.Logger) *Outbox {
	o := &Outbox{cfg: cfg, dir: dir, limit: limit, log: log}
	if cfg.URL != "" {
		o.open()
	}
	return o
}

// Enabled says whether there is an InfluxDB to write to.
func (o *Outbox) Enabled() bool { return o.cfg.URL != "" }

func (o *Outbox) open() *Sender {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.spool != nil {
		return o.sender
	}
	spool, err := OpenSpool(o.dir, o.limit)
	if err != nil {
		if !o.failing {
			o.log.Error().Err(err).Msg("spool cannot be opened, points are lost")
		}
		o.failing = true
		return nil
	}
	if o.failing {
		o.log.Info().Msg("spool is open")
	}
	o.failing = false
	o.spool, o.sender = spool, NewSender(o.cfg, spool, o.log)
	return o.sender
}

// Run sends until the context ends.
func (o *Outbox) Run(ctx context.Context) {
	if !o.Enabled() {
		<-ctx.Done()
		return
	}
	for {
		if sender := o.open(); sender != nil {
			sender.Run(ctx)
			return
		}
		if !wait(ctx, reopenPause, nil) {
			return
		}
	}
}

// Put hands over whole lines and returns when the disk has them, or has not.
func (o *Outbox) Put(lines []byte) {
	if !o.Enabled() || len(lines) == 0 {
		return
	}
	o.mu.Lock()
	spool := o.spool
	if spool == nil {
		o.dropped += countPoints(lines)
	}
	o.mu.Unlock()
	if spool != nil {
		o.note(spool.Append(lines))
	}
}

// note logs when points begin to be lost and when that ends.
func (o *Outbox) note(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case err != nil && !o.failing:
		o.log.Error().Err(err).Msg("spool cannot be written, points are lost")
	case err == nil && o.failing:
		o.log.Info().Int64("dropped", o.dropped+o.spool.Stats().Dropped).Msg("spool is written again")
	}
	o.failing = err != nil
}

// Stats says how it does; all zero without an InfluxDB.
func (o *Outbox) Stats() Stats {
	o.mu.Lock()
	sender, dropped := o.sender, o.dropped
	o.mu.Unlock()
	var st Stats
	if sender != nil {
		st = sender.Stats()
	}
	st.Dropped += dropped
	return st
}

// Close sends what waits until the context ends, and gives the spool back. What is left is sent by the next process.
// Run must have returned.
func (o *Outbox) Close(ctx context.Context) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.spool == nil {
		return
	}
	if err := o.sender.Flush(ctx); err != nil {
		o.log.Info().Err(err).Int64("points", o.spool.Stats().Points).Msg("points wait in the spool for the next start")
	}
	if err := o.spool.Close(); err != nil {
		o.log.Warn().Err(err).Msg("spool does not close")
	}
	o.spool, o.sender = nil, nil
}
