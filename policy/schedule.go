package policy

import (
	"fmt"
	"math/bits"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Schedule opens windows of time, again and again. It counts by the clock on the wall of its zone: a time that the clock
// skips in spring begins right after the jump, one that comes twice in autumn counts the first time. So a window opens
// exactly once a day that it should, and never closes and opens again because a clock was set back.
type Schedule struct {
	Start, End *cron.SpecSchedule // End is nil when For is set
	For        time.Duration      // by the clock on the wall
	Zone       *time.Location
}

// cronFields are those of crontab(5). Names such as @daily and time zones in the text are not among them.
var cronFields = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)

// parseCron reads five fields. The zone has a label of its own, and the library would look for it in the file system.
func parseCron(raw string) (*cron.SpecSchedule, error) {
	if n := len(strings.Fields(raw)); n != 5 || strings.ContainsAny(raw, "=@") {
		return nil, fmt.Errorf("is not a schedule of five fields such as 0 8 * * 1-5")
	}
	parsed, err := cronFields.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("is not a schedule such as 0 8 * * 1-5 (%w)", err)
	}
	s := parsed.(*cron.SpecSchedule)
	if s.Next(time.Unix(0, 0).UTC()).IsZero() {
		return nil, fmt.Errorf("never comes")
	}
	return s, nil
}

// Open tells whether now lies inside a window.
func (s Schedule) Open(now time.Time) bool {
	wall := onTheWall(now, s.Zone)
	start, any := latest(s.Start, wall)
	if !any {
		return false
	}
	if s.End == nil {
		return wall.Before(start.Add(s.For))
	}
	end, any := latest(s.End, wall)
	return !any || end.Before(start)
}

// onTheWall is what the clock of a zone shows, written as a time of UTC, but it never goes back: while an hour comes the
// second time it stands still at the end of the first.
func onTheWall(now time.Time, zone *time.Location) time.Time {
	local := now.In(zone)
	_, offset := local.Zone()
	wall := local.UTC().Add(time.Duration(offset) * time.Second)
	if since, _ := local.ZoneBounds(); !since.IsZero() {
		_, before := since.Add(-time.Nanosecond).Zone()
		if reached := since.UTC().Add(time.Duration(before)*time.Second - time.Nanosecond); reached.After(wall) {
			return reached
		}
	}
	return wall
}

// furthest is how far back a schedule is followed: 29 February comes every eighth year at worst.
const furthest = 8*366 + 1

// latest is the last time of a schedule at or before t, both of UTC. robfig/cron only looks ahead.
func latest(s *cron.SpecSchedule, t time.Time) (time.Time, bool) {
	year, month, day := t.Date()
	hour, minute := t.Hour(), t.Minute()
	for back := range furthest {
		d := time.Date(year, month, day-back, 0, 0, 0, 0, time.UTC)
		if back > 0 {
			hour, minute = 23, 59
		}
		if s.Month&(1<<uint(d.Month())) == 0 || !onDay(s, d) {
			continue
		}
		for h := highest(s.Hour, hour); h >= 0; h = highest(s.Hour, h-1) {
			if h < hour {
				minute = 59
			}
			if m := highest(s.Minute, minute); m >= 0 {
				return d.Add(time.Duration(h)*time.Hour + time.Duration(m)*time.Minute), true
			}
		}
	}
	return time.Time{}, false
}

// onDay is the rule of crontab(5): of the day of the month and the day of the week one must fit when both are given, else
// both. The library marks a field with a star by its highest bit.
func onDay(s *cron.SpecSchedule, d time.Time) bool {
	const star = 1 << 63
	month, week := s.Dom&(1<<uint(d.Day())) != 0, s.Dow&(1<<uint(d.Weekday())) != 0
	if s.Dom&star != 0 || s.Dow&star != 0 {
		return month && week
	}
	return month || week
}

// highest is the highest bit of a set that is not above n, -1 if there is none. The library's mark is none of them.
func highest(set uint64, n int) int {
	if n < 0 {
		return -1
	}
	return bits.Len64(set&(1<<uint(n+1)-1)) - 1
}
