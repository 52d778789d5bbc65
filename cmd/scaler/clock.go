package main

import "time"

// How wrong the clock of a proxy may be before its points are not understood: behind, it looks silent and its services
// are not scaled down; ahead, its points lie in the future and are not seen until then.
const (
	mostBehind = 10 * time.Second
	mostAhead  = time.Minute
	ordinary   = 2 * time.Second // from measuring to reading, all clocks right
)

// clock tells a proxy whose clock is wrong from one that is silent. A point cannot arrive before it was measured, and
// the quickest of a minute arrive at once: the smallest age at arrival during the last minute or two, seen on points
// that keep coming, is the error of the clock. Outages make points older, never younger, so they do not change it soon.
type clock struct {
	newest   time.Time // by the proxy's clock
	written  time.Time // the same, of what InfluxDB has
	seen     time.Time // newest, when points last arrived
	arrivals int
	since    time.Time     // start of this minute
	least    time.Duration // age at arrival, in this minute
	before   time.Duration // and in the minute before
}

// arrived is called after every answer.
func (c *clock) arrived(now time.Time) {
	if !c.newest.After(c.seen) {
		return
	}
	c.seen = c.newest
	age := now.Sub(c.newest)
	c.arrivals++
	switch {
	case c.arrivals <= 2: // the first answer may hold the last words of a dead proxy
		c.since, c.least, c.before = now, age, age
	case now.Sub(c.since) >= time.Minute:
		c.since, c.before, c.least = now, c.least, age
	default:
		c.least = min(c.least, age)
	}
}

// ahead is how far the proxy's clock is ahead of ours, 0 while it is near enough.
func (c *clock) ahead() time.Duration {
	age := min(c.least, c.before)
	switch {
	case age < 0 && age >= -mostAhead:
		return -age
	case age > ordinary && age <= mostBehind && c.arrivals > 1:
		return ordinary/2 - age
	}
	return 0
}
