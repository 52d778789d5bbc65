package main

import (
	"fmt"
	"time"

	"github.com/rs/zerolog"
)

// source is how one of the places that are asked does.
type source struct {
	name  string // "influxdb"
	lost  string // messages of the log, when it stops answering and when it answers again
	found string
	says  string // what it does when it does not answer: "InfluxDB does not answer"
	never string // the same, for a time: "InfluxDB has not answered"

	answered time.Time // start of the last call that was answered; zero: none yet
	trouble  string    // "" while it answers
	since    time.Time // of trouble
}

func influxSource() source {
	return source{name: "influxdb", lost: "InfluxDB does not answer, services keep their replicas", found: "InfluxDB answers again",
		says: "InfluxDB does not answer", never: "InfluxDB has not answered"}
}

func proxiesSource() source {
	return source{name: "proxies", lost: "no proxy answers", found: "proxies answer again", says: "no proxy answers", never: "no proxy has answered"}
}

func telegrafSource() source {
	return source{name: "telegraf", lost: "figures of containers cannot be read", found: "figures of containers are read again",
		says: "Telegraf's figures cannot be read", never: "Telegraf's figures could not be read"}
}

// did takes note of how a call went. What goes wrong is logged when it begins and when it ends, and is otherwise trouble.
func (s *source) did(log zerolog.Logger, begun, ended time.Time, err error) {
	switch {
	case err == nil:
		if s.trouble != "" {
			log.Info().Stringer("after", ended.Sub(s.since).Round(time.Second)).Msg(s.found)
		}
		s.answered, s.trouble = begun, ""
		return
	case s.trouble == "":
		s.since = begun
		log.Warn().Err(err).Msg(s.lost)
	}
	s.trouble = s.says
	s.waits(ended)
}

// waits brings the words about an outage up to date.
func (s *source) waits(now time.Time) {
	if silent := now.Sub(s.since).Round(time.Second); s.trouble != "" && silent > 0 {
		s.trouble = fmt.Sprintf("%s for %s", s.never, silent)
	}
}
