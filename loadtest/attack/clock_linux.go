package attack

import (
	"context"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// clock wakes the dispatcher. The runtime waits for its timers in epoll, whose time is in milliseconds: at 1,000 requests/s every
// second one would be half a millisecond late. A timerfd is a file that can be read when the time has come, to some 50 µs.
type clock struct {
	ctx     context.Context
	timer   *os.File // nil when there is none: then it is the runtime's
	fd      int
	release func() bool
}

func newClock(ctx context.Context) *clock {
	c := &clock{ctx: ctx}
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return c
	}
	c.fd, c.timer = fd, os.NewFile(uintptr(fd), "timer")
	c.release = context.AfterFunc(ctx, func() { _ = c.timer.SetReadDeadline(time.Unix(1, 0)) })
	return c
}

// sleepUntil waits for the given moment and says whether the context still goes on then. A moment that has passed costs nothing.
func (c *clock) sleepUntil(at time.Time) bool {
	if c.timer == nil {
		return sleepUntil(c.ctx, at)
	}
	for {
		wait := time.Until(at)
		if wait <= 0 || c.ctx.Err() != nil {
			return c.ctx.Err() == nil
		}
		once := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(wait))}
		var expirations [8]byte
		if err := unix.TimerfdSettime(c.fd, 0, &once, nil); err != nil {
			return sleepUntil(c.ctx, at)
		}
		if _, err := c.timer.Read(expirations[:]); err != nil && c.ctx.Err() == nil {
			return sleepUntil(c.ctx, at)
		}
	}
}

func (c *clock) close() {
	if c.timer != nil {
		c.release()
		c.timer.Close()
	}
}
