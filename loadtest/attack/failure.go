package attack

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
)

// Kind names a way to fail, in the words of reports.
type Kind string

const (
	Status5xx Kind = "status 5xx"
	Status4xx Kind = "status 4xx"
	Refused   Kind = "refused" // nobody listens
	Reset     Kind = "reset"   // the connection was torn down
	EOF       Kind = "eof"     // the connection was closed before the answer was complete
	Timeout   Kind = "timeout"
	Unsent    Kind = "unsent" // no connection became free in time
	Client    Kind = "client" // this machine has no port, file or buffer left for a connection: nothing that the service did
	Other     Kind = "other"
	Cut       Kind = "cut" // in flight when the run was interrupted: neither good nor bad
)

// classify gives the kind of failure of an answer, or "" when there is none.
func classify(status int, err error) Kind {
	var timeout net.Error
	switch {
	case err == nil && status >= 500:
		return Status5xx
	case err == nil && status >= 400:
		return Status4xx
	case err == nil:
		return ""
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return Timeout
	case errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.ENOBUFS):
		return Client
	case errors.Is(err, syscall.ECONNREFUSED):
		return Refused
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return Reset
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), closedIdle(err):
		return EOF
	default:
		return Other
	}
}

// closedIdle knows the one error of net/http that has only a text: the server closed a kept connection while the request was on
// its way into it.
func closedIdle(err error) bool {
	return strings.Contains(err.Error(), "server closed idle connection")
}
