package swarm

import (
	"errors"
	"fmt"
	"io"
)

const (
	readAtOnce = 64 << 10
	longest    = 16 << 20 // of an object; a configuration in a label may be long
)

var errNoList = errors.New("the answer is not a list of objects")

// objects cuts a JSON array into its objects while it comes in. It holds one of them at a time; what is in them is for
// others to judge.
type objects struct {
	from       io.Reader
	buffer     []byte
	start, end int  // of what is not taken yet
	begun      bool // the bracket was read
	err        error
}

// has tells whether so many bytes are there, and reads on for them.
func (o *objects) has(n int) bool {
	for o.end-o.start < n && o.err == nil && n <= longest {
		if o.start+n > len(o.buffer) {
			next := o.buffer
			if n > len(next) {
				next = make([]byte, max(readAtOnce, 2*n))
			}
			o.end = copy(next, o.buffer[o.start:o.end])
			o.buffer, o.start = next, 0
		}
		var read int
		read, o.err = o.from.Read(o.buffer[o.end:])
		o.end += read
	}
	return o.end-o.start >= n
}

func (o *objects) peek(n int) []byte { return o.buffer[o.start : o.start+n] }
func (o *objects) skip(n int)        { o.start += n }

// mark answers the next byte that is no space, 0 when there is none.
func (o *objects) mark() byte {
	for o.has(1) {
		switch c := o.buffer[o.start]; c {
		case ' ', '\t', '\r', '\n':
			o.skip(1)
		default:
			return c
		}
	}
	return 0
}

// more goes to the next object and tells whether there is one. The end of the array ends the answer.
func (o *objects) more() (bool, error) {
	c := o.mark()
	switch {
	case !o.begun && c == '[':
		o.skip(1)
		if c = o.mark(); c == ']' {
			return false, o.finish(1)
		}
	case !o.begun && c == 'n' && o.has(4) && string(o.peek(4)) == "null":
		return false, o.finish(4)
	case o.begun && c == ']':
		return false, o.finish(1)
	case o.begun && c == ',':
		o.skip(1)
		c = o.mark()
	default:
		return false, o.broken()
	}
	o.begun = true
	if c != '{' {
		return false, o.broken()
	}
	return true, nil
}

// finish takes the last bytes, and the end after them, so that the connection can be used again.
func (o *objects) finish(n int) error {
	o.skip(n)
	o.mark()
	if o.has(1) || o.err != io.EOF {
		return o.broken()
	}
	return nil
}

func (o *objects) broken() error {
	switch {
	case o.end > o.start:
		return errNoList
	case o.err == io.EOF || o.err == nil:
		return io.ErrUnexpectedEOF
	}
	return o.err
}

// object takes the object that begins here; its bytes hold until the next call.
func (o *objects) object() ([]byte, error) {
	depth, quoted := 0, false
	for i := 0; o.end-o.start > i || o.has(i+1); i++ {
		switch c := o.buffer[o.start+i]; {
		case c == '\\' && quoted:
			i++ // whatever follows does not end the string
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				content := o.peek(i + 1)
				o.skip(i + 1)
				return content, nil
			}
		}
	}
	if o.end-o.start >= longest {
		return nil, fmt.Errorf("an object is longer than %d bytes", longest)
	}
	if o.err != nil && o.err != io.EOF {
		return nil, o.err
	}
	return nil, io.ErrUnexpectedEOF
}
