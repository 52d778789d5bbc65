package policy_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"sluice/policy"
)

func scheduled(t testing.TB, labels map[string]string) policy.Schedule {
	t.Helper()
	full := map[string]string{"com.df.scale.max": "10", "com.df.scale.target": "50"}
	for k, v := range labels {
		full[policy.Prefix+k] = v
	}
	return *parse(t, full).Rules[0].Schedule
}

func TestScheduleOpensAndCloses(t *testing.T) {
	tests := []struct {
		name, start, end, length, zone string
		at                             string // local time with its offset
		open                           bool
	}{
		{"before it begins", "0 8 * * 1-5", "0 18 * * 1-5", "", "Europe/Berlin", "2026-03-02T07:59:59+01:00", false},
		{"as it begins", "0 8 * * 1-5", "0 18 * * 1-5", "", "Europe/Berlin", "2026-03-02T08:00:00+01:00", true},
		{"as it ends", "0 8 * * 1-5", "0 18 * * 1-5", "", "Europe/Berlin", "2026-03-02T18:00:00+01:00", false},
		{"at the weekend", "0 8 * * 1-5", "0 18 * * 1-5", "", "Europe/Berlin", "2026-03-01T12:00:00+01:00", false},
		{"over midnight", "0 22 * * *", "0 6 * * *", "", "UTC", "2026-03-02T03:00:00Z", true},
		{"over midnight, by length", "0 22 * * *", "", "8h", "UTC", "2026-03-02T05:59:59Z", true},
		{"over midnight, by length, after it", "0 22 * * *", "", "8h", "UTC", "2026-03-02T06:00:00Z", false},
		{"starts that overlap go on", "0 * * * *", "30 9 * * *", "", "UTC", "2026-03-02T09:10:00Z", true},
		{"and end all at once", "0 * * * *", "30 9 * * *", "", "UTC", "2026-03-02T09:40:00Z", false},
		{"29 February four years ago", "0 0 29 2 *", "", "24h", "UTC", "2024-02-29T12:00:00Z", true},
		{"29 February, another year", "0 0 29 2 *", "", "24h", "UTC", "2026-02-28T12:00:00Z", false},
		{"day of the month or of the week", "0 0 13 * 5", "", "24h", "UTC", "2026-03-06T12:00:00Z", true}, // a Friday
		// 29 March 2026: the clock of Berlin goes from 2:00 to 3:00.
		{"what the clock skips begins right after", "30 2 * * *", "15 3 * * *", "", "Europe/Berlin", "2026-03-29T03:10:00+02:00", true},
		{"and not before", "30 2 * * *", "15 3 * * *", "", "Europe/Berlin", "2026-03-29T01:59:59+01:00", false},
		{"and ends as on other days", "30 2 * * *", "15 3 * * *", "", "Europe/Berlin", "2026-03-29T03:15:00+02:00", false},
		{"a window that is skipped wholly does not open", "10 2 * * *", "50 2 * * *", "", "Europe/Berlin", "2026-03-29T03:00:00+02:00", false},
		{"a day of 23 hours ends by the clock", "0 22 * * *", "", "10h", "Europe/Berlin", "2026-03-29T07:59:59+02:00", true},
		{"and not an hour later", "0 22 * * *", "", "10h", "Europe/Berlin", "2026-03-29T08:00:00+02:00", false},
		// 25 October 2026: it goes from 3:00 back to 2:00.
		{"what comes twice begins the first time", "30 2 * * *", "30 3 * * *", "", "Europe/Berlin", "2026-10-25T02:30:00+02:00", true},
		{"and goes on through the second", "30 2 * * *", "30 3 * * *", "", "Europe/Berlin", "2026-10-25T02:10:00+01:00", true},
		{"an end that comes twice ends the first time", "30 1 * * *", "30 2 * * *", "", "Europe/Berlin", "2026-10-25T02:10:00+01:00", false},
		{"a day of 25 hours ends by the clock", "0 22 * * *", "", "10h", "Europe/Berlin", "2026-10-25T07:59:59+01:00", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			labels := map[string]string{"schedule": tt.start, "timezone": tt.zone, "scheduleEnd": tt.end, "scheduleFor": tt.length}
			for _, name := range []string{"scheduleEnd", "scheduleFor"} {
				if labels[name] == "" {
					delete(labels, name)
				}
			}
			at, err := time.Parse(time.RFC3339, tt.at)
			if err != nil {
				t.Fatal(err)
			}
			if got := scheduled(t, labels).Open(at); got != tt.open {
				t.Errorf("open %t, want %t", got, tt.open)
			}
		})
	}
}

// In UTC, where no clock jumps, looking back must find what robfig/cron finds looking ahead.
func TestScheduleAgreesWithLookingAhead(t *testing.T) {
	specs := []string{"* * * * *", "*/7 3-5 * * *", "0 0 1 * *", "59 23 31 12 *", "30 6 */2 1,7 mon", "0 12 29 2 *", "15,45 * * * 0,6", "5 4 1-7 * 3"}
	rapid.Check(t, func(t *rapid.T) {
		s := scheduledOf(rapid.SampledFrom(specs).Draw(t, "schedule"), rapid.SampledFrom([]string{"1m", "10m", "25h"}).Draw(t, "for"))
		at := time.Unix(rapid.Int64Range(1_700_000_000, 2_000_000_000).Draw(t, "at"), 0).UTC()
		next := s.Start.Next(at.Add(-s.For))
		if want := !next.IsZero() && !next.After(at); s.Open(at) != want {
			t.Fatalf("at %s: open %t, want %t (next %s)", at, s.Open(at), want, next)
		}
	})
}

func scheduledOf(spec, length string) policy.Schedule {
	p, _, _ := policy.Parse("web", map[string]string{
		"com.df.scale.max": "10", "com.df.scale.target": "5", "com.df.scale.schedule": spec, "com.df.scale.scheduleFor": length,
	}, nil)
	return *p.Rules[0].Schedule
}

func BenchmarkSchedule(b *testing.B) {
	for _, spec := range []string{"0 8 * * 1-5", "* * * * *", "0 0 29 2 *"} {
		b.Run(spec, func(b *testing.B) {
			s := scheduledOf(spec, "10h")
			for b.Loop() {
				s.Open(epoch)
			}
		})
	}
}
