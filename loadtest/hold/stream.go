package hold

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// stream is an answer that goes on: server-sent events, a log that is followed, a long download.
type stream struct {
	body    io.ReadCloser
	patient time.Duration // how long it may bring nothing; 0 is for ever
	cut     context.CancelCauseFunc
	cause   func() error // why it was cut
}

// openStream is done when the head of the answer is there, in time and with a status of success.
func openStream(ctx context.Context, g *group) (conn, error) {
	ctx, cut := context.WithCancelCause(ctx)
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, g.hold.URL, nil)
	if err != nil {
		cut(nil)
		return nil, err
	}
	q.Header, q.Host = g.headers.Clone(), g.host
	impatient := time.AfterFunc(g.timeout, func() { cut(context.DeadlineExceeded) })
	answer, err := g.client.Do(q)
	switch {
	case !impatient.Stop() && err == nil:
		err = context.DeadlineExceeded
	case err == nil && answer.StatusCode/100 != 2:
		err = fmt.Errorf("answer %s", answer.Status)
	}
	if err != nil {
		cut(err) // closes the connection, whatever is left of the answer
		if answer != nil {
			_ = answer.Body.Close()
		}
		return nil, err
	}
	return &stream{answer.Body, g.hold.Every, cut, func() error { return context.Cause(ctx) }}, nil
}

// stay reads until the stream ends, is silent for too long, or ctx ends.
func (s *stream) stay(context.Context) error { // the request has the same ctx
	var silence *time.Timer
	if s.patient > 0 {
		silence = time.AfterFunc(s.patient, func() { s.cut(fmt.Errorf("nothing came for %s", s.patient)) })
		defer silence.Stop()
	}
	buffer := make([]byte, 4096)
	for total := 0; ; {
		n, err := s.body.Read(buffer)
		if total += n; n > 0 && silence != nil {
			silence.Reset(s.patient)
		}
		switch {
		case errors.Is(err, io.EOF):
			return fmt.Errorf("the server ended the answer after %d bytes", total)
		case err != nil && s.cause() != nil:
			return s.cause()
		case err != nil:
			return err
		}
	}
}

func (s *stream) drop() {
	s.cut(nil) // or closing would read what is left
	_ = s.body.Close()
}

func (s *stream) leave() { s.drop() }
