package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// maxCertificate bounds what is read of a file in bytes. A chain of four with RSA keys of 4096 bits has 12 kB; routing
// judges the rest.
const maxCertificate = 256 << 10

// certificateFile is a file as it was found, and what of it is in use: what was good goes on serving while what was
// written over it cannot be used.
type certificateFile struct {
	state fileState
	good  []certificate // newest first, two at most: HAProxy may refuse the newer one
	fault string        // why what the file holds is not in use; "" when it is
}

// fileState is what a file looks like from the outside. Writing to a file changes one of it, and so does exchanging a link
// anywhere on the way to it. The zero value is like no file.
type fileState struct {
	device, inode    uint64
	size             int64
	modified, status syscall.Timespec
}

func stateOf(info fs.FileInfo) fileState {
	s := info.Sys().(*syscall.Stat_t)
	return fileState{device: s.Dev, inode: s.Ino, size: s.Size, modified: s.Mtim, status: s.Ctim}
}

// certainAfter is how old a file must be for its state to tell the next change: file systems count time in steps of up
// to two seconds.
const certainAfter = 2 * time.Second

// refresh looks at the file and reads it where it may have changed.
func (f *certificateFile) refresh(dir, name string, now time.Time) {
	path := filepath.Join(dir, name)
	info, err := os.Stat(path)
	if err != nil {
		f.state, f.fault = fileState{}, "cannot be read: "+without(path, err)
		return
	}
	seen := stateOf(info)
	if seen == f.state {
		return
	}
	content, err := readBounded(path, maxCertificate)
	if err != nil {
		f.state, f.fault = fileState{}, "cannot be read: "+without(path, err)
		return
	}
	if f.state = seen; now.Sub(info.ModTime()) < certainAfter {
		f.state = fileState{}
	}
	f.take(dir, name, content)
}

// take judges the content of the file.
func (f *certificateFile) take(dir, name string, content []byte) {
	if f.fault = ""; len(f.good) > 0 && bytes.Equal(f.good[0].PEM, content) {
		return
	}
	c, err := newCertificate(dir, name, content)
	if err != nil {
		f.fault = err.Error()
		return
	}
	f.good = append([]certificate{c}, f.good...)
	f.good = f.good[:min(len(f.good), 2)]
}

// errTooLarge says that something has more bytes than it may.
var errTooLarge = errors.New("is too large")

// readBounded reads a regular file of at most limit bytes. It never waits, as opening a pipe would.
func readBounded(path string, limit int64) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("is no file")
	}
	content, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(content)) > limit {
		err = fmt.Errorf("%w: it has more than %d bytes", errTooLarge, limit)
	}
	return content, err
}

// without leaves out of an error the path that the reader knows already.
func without(path string, err error) string {
	if e := (*fs.PathError)(nil); errors.As(err, &e) && e.Path == path {
		return e.Err.Error()
	}
	return err.Error()
}

// writeWhole puts a file in place in one step: after a crash it is the old or the new one. Only the writer's user may
// read it. While it is written its name begins with a dot.
func writeWhole(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	aside, err := os.CreateTemp(filepath.Dir(path), ".new-*") // of mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(aside.Name()) // it is gone when all went well
	_, err = aside.Write(content)
	if err = errors.Join(err, aside.Sync(), aside.Close()); err != nil {
		return err
	}
	return os.Rename(aside.Name(), path)
}
