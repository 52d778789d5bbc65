//go:build unix

package attack

import "syscall"

// open says whether a kept connection is still good: nothing can be read from it, neither its end nor an answer nobody asked for. On
// a TLS connection there may be something to read: a session's ticket.
func (c *conn) open(quiet bool) bool {
	if c.raw == nil {
		return true
	}
	good := false
	err := c.raw.Read(func(fd uintptr) bool {
		var one [1]byte
		n, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		good = err == syscall.EAGAIN || err == nil && n > 0 && !quiet
		return true
	})
	return err == nil && good
}
