package attack

import (
	"context"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// clock wakes the dispatcher. The runtime waits for its timers in epoll, whose time is in milliseconds: at 1,000 requests/s every
// second one would be half a millisecond late. A timerfd is a file that can be read when the time has come, to some 50 µs.
type clock struct {
	ctx     context.Context
	timer   *os.File // nil when there is none: then it is the runtime's
	raw     syscall.RawConn
	release func() bool
}

func newClock(ctx context.Context) *clock {
	c := &clock{ctx: ctx}
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return c
	}
	timer := os.NewFile(uintptr(fd), "timer")
	if c.raw, err = timer.SyscallConn(); err != nil {
		timer.Close()
		return c
	}
	c.timer = timer
	c.release = context.AfterFunc(ctx, func() { _ = timer.SetReadDeadline(time.Unix(1, 0)) })
	return c
}

// sleepUntil waits for the given moment and says whether the context still goes on then. A moment that has passed costs nothing.
func (c *clock) sleepUntil(at time.Time) bool {
	for {
		wait := time.Until(at)
		if wait <= 0 || c.ctx.Err() != nil {
			return c.ctx.Err() == nil
		}
		if c.timer == nil || c.sleep(wait) != nil && c.ctx.Err() == nil {
			return sleepUntil(c.ctx, at)
		}
	}
}

// sleep sets the timer and waits until it can be read. To set it where the runtime is about to wait for it saves the attempt to read too early.
func (c *clock) sleep(wait time.Duration) error {
	set := false
	var failed error
	err := c.raw.Read(func(fd uintptr) bool {
		if !set {
			set = true
			failed = unix.TimerfdSettime(int(fd), 0, &unix.ItimerSpec{Value: unix.NsecToTimespec(int64(wait))}, nil)
			return failed != nil
		}
		var expirations [8]byte
		_, failed = unix.Read(int(fd), expirations[:])
		return failed != unix.EAGAIN
	})
	if err == nil {
		err = failed
	}
	return err
}

func (c *clock) close() {
	if c.timer != nil {
		c.release()
		c.timer.Close()
	}
}
