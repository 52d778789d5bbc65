package influx

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"
)

// ErrInUse means that another process has the spool open.
var ErrInUse = errors.New("spool is in use by another process")

// maxSegment bounds a segment file and, with it, what one request to InfluxDB carries.
const maxSegment = 1 << 20

// Spool keeps lines on disk until InfluxDB has them. It is bounded: when it is full, or the disk is, the oldest lines go
// and are counted. One process may have it open at a time; within it, its methods may be called from several goroutines.
type Spool struct {
	dir   string
	limit int64 // bytes of all segments together
	lock  *os.File
	grown chan struct{} // one slot: something was appended

	mu       sync.Mutex
	segments []*segment // oldest first; the last one is appended to
	file     *os.File   // of the last one; nil: the next Append opens a new one
	next     uint64     // number of the next segment
	room     []byte     // for reading, used again
	dropped  int64
	torn     int64
}

// SpoolStats says how the spool does. Counts are since it was opened.
type SpoolStats struct {
	Bytes, Points int64     // waiting for InfluxDB
	Oldest        time.Time // when the oldest of them was appended; zero when there are none
	Dropped       int64     // points lost, since spool or disk were full
	Torn          int64     // bytes at the ends of segments that a crash left unfinished
}

// OpenSpool opens the spool in a directory, which it makes when there is none. What a former process left is sent first.
// limit is in bytes, at least 64 KiB. It fails with ErrInUse when another process has it open.
func OpenSpool(dir string, limit int64) (*Spool, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("make spool: %w", err)
	}
	lock, err := lockFile(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("lock spool %s: %w", dir, err)
	}
	s := &Spool{dir: dir, limit: max(limit, 64<<10), lock: lock, grown: make(chan struct{}, 1)}
	if err := s.load(); err != nil {
		lock.Close()
		return nil, fmt.Errorf("open spool %s: %w", dir, err)
	}
	return s, nil
}

// lockFile holds a lock that the kernel takes back when the process dies, however it dies.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, ErrInUse
		}
		return nil, err
	}
	return f, nil
}

func (s *Spool) load() error {
	entries, err := os.ReadDir(s.dir) // sorted by name, so by number
	if err != nil {
		return err
	}
	for _, e := range entries {
		number, ok := segmentNumber(e.Name())
		if !ok {
			continue
		}
		seg, torn, err := openSegment(filepath.Join(s.dir, e.Name()), number)
		if err != nil {
			return err
		}
		s.next = number + 1
		s.torn += torn
		s.segments = append(s.segments, seg)
	}
	s.clean()
	s.makeRoom(0)
	return nil
}

// Close lets another process open the spool. What was not sent stays.
func (s *Spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.seal(), s.lock.Close())
}

// Append writes whole lines and returns when the disk has them. An error means that some or all of them are lost, and
// counted as dropped; the spool goes on.
func (s *Spool) Append(lines []byte) error {
	if len(lines) == 0 {
		return nil
	}
	if lines[len(lines)-1] != '\n' {
		lines = append(bytes.Clone(lines), '\n')
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for len(lines) > 0 {
		n := wholeLines(lines, maxSegment)
		errs = append(errs, s.append(lines[:n]))
		lines = lines[n:]
	}
	return errors.Join(errs...)
}

// wholeLines is the length of the first lines that have max bytes together, of one line at least.
func wholeLines(lines []byte, max int) int {
	if len(lines) <= max {
		return len(lines)
	}
	if i := bytes.LastIndexByte(lines[:max], '\n'); i >= 0 {
		return i + 1
	}
	return max + bytes.IndexByte(lines[max:], '\n') + 1
}

func (s *Spool) append(lines []byte) error {
	r := record{points: countPoints(lines), at: time.Now()}
	err := s.write(lines, r)
	for errors.Is(err, syscall.ENOSPC) && len(s.segments) > 1 {
		s.dropOldest() // a full disk: the oldest goes first
		err = s.write(lines, r)
	}
	if err != nil {
		s.dropped += r.points
		return fmt.Errorf("append to spool: %w", err)
	}
	select {
	case s.grown <- struct{}{}:
	default:
	}
	return nil
}

func (s *Spool) write(lines []byte, r record) error {
	header := recordHeader(lines, r.at)
	size := int64(len(header) + len(lines))
	if size > s.limit {
		return fmt.Errorf("%d bytes at once are more than the limit of %d", size, s.limit)
	}
	s.makeRoom(size)
	if err := s.openLast(size); err != nil {
		return err
	}
	last := s.segments[len(s.segments)-1]
	_, err := s.file.WriteAt(header[:], last.size)
	if err == nil {
		_, err = s.file.WriteAt(lines, last.size+int64(len(header)))
	}
	if err == nil {
		err = s.file.Sync()
	}
	if err != nil {
		// Half a record may stand there: the next Append writes over it, and a crash leaves a torn end.
		return errors.Join(err, s.file.Truncate(last.size))
	}
	last.size += size
	r.end = last.size
	last.records = append(last.records, r)
	return nil
}

// openLast makes sure that a segment with room for n bytes is open.
func (s *Spool) openLast(n int64) error {
	if s.file != nil {
		size := s.segments[len(s.segments)-1].size
		if size == 0 || size+n <= min(maxSegment, s.limit/8) {
			return nil
		}
		if err := s.seal(); err != nil {
			return err
		}
	}
	path := segmentPath(s.dir, s.next)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	s.segments = append(s.segments, &segment{number: s.next, path: path})
	s.next++
	s.file = f
	return s.syncDir() // else a machine that dies may forget the file with all its lines
}

func (s *Spool) syncDir() error {
	d, err := os.Open(s.dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (s *Spool) seal() error {
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	s.file = nil
	s.clean()
	return err
}

// makeRoom drops the oldest segments until n more bytes are within the limit.
func (s *Spool) makeRoom(n int64) {
	for s.size()+n > s.limit && len(s.segments) > 0 {
		s.dropOldest()
	}
}

func (s *Spool) size() (total int64) {
	for _, seg := range s.segments {
		total += seg.size
	}
	return total
}

func (s *Spool) dropOldest() {
	_, points := s.segments[0].waiting()
	s.dropped += points
	s.remove(0)
}

// remove deletes segment i. A file that cannot be deleted is found again, and sent again, by the next process: that
// does no harm.
func (s *Spool) remove(i int) {
	if i == len(s.segments)-1 && s.file != nil {
		s.file.Close()
		s.file = nil
	}
	os.Remove(s.segments[i].path)
	s.segments = slices.Delete(s.segments, i, i+1)
}

// clean removes the closed segments that are done with.
func (s *Spool) clean() {
	for i := len(s.segments) - 1; i >= 0; i-- {
		open := i == len(s.segments)-1 && s.file != nil
		if seg := s.segments[i]; seg.sent == len(seg.records) && !open {
			s.remove(i)
		}
	}
}

// Stats says how the spool does.
func (s *Spool) Stats() SpoolStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := SpoolStats{Dropped: s.dropped, Torn: s.torn}
	for _, seg := range s.segments {
		b, p := seg.waiting()
		st.Bytes += b
		st.Points += p
		if st.Oldest.IsZero() && p > 0 {
			st.Oldest = seg.records[seg.sent].at
		}
	}
	return st
}

// countPoints counts lines: a point is one line.
func countPoints(lines []byte) int64 { return int64(bytes.Count(lines, []byte{'\n'})) }
