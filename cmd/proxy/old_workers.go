package main

import (
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"sluice/internal/haproxy"
)

// An old worker stays as long as a connection of it does: with a WebSocket on each, every reload leaves a process of full
// size behind. HARD_STOP_AFTER bounds their age and MAX_OLD_WORKERS (`mworker-max-reloads`) their number.

// oldPause is what each old worker adds to the time between two reloads, so that a storm of reloads slows down before
// connections have to be ended.
const oldPause = 100 * time.Millisecond

// oldGap is how long a reload keeps from the one before.
func oldGap(old int) time.Duration { return reloadGap + time.Duration(old)*oldPause }

// endedWorkers reports the old workers that a reload has ended with the connections they had: those that had survived so
// many. It answers what to add to the reload's reason.
func endedWorkers(old []haproxy.Worker, most int, m *metrics, log zerolog.Logger) (remark string) {
	for _, w := range old {
		if most > 0 && w.Reloads >= most {
			m.ended.Inc()
			log.Warn().Int("pid", w.PID).Int("max_old_workers", most).Dur("age_ms", w.Uptime).
				Msg("the oldest worker was ended with its connections: a younger one was to take its place")
			remark = fmt.Sprintf("; ended the oldest of %d workers with its connections (MAX_OLD_WORKERS)", len(old))
		}
	}
	return remark
}
