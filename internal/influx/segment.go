package influx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A segment is a file of records, each one Append: a header, then the lines.
//
//	bytes  0..3   length of the lines
//	       4..7   CRC-32C of bytes 8..15 and the lines
//	       8..15  time of the Append, Unix nanoseconds
//
// A record that is short or whose sum is wrong was being written when the process or the machine died.
const headerSize = 16

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// record is the place of one Append in its segment.
type record struct {
	end    int64 // offset behind it
	points int64
	at     time.Time
}

// segment is one file of the spool. Records before sent are acknowledged.
type segment struct {
	number  uint64
	path    string
	size    int64
	records []record
	sent    int
}

const suffix = ".seg"

func segmentPath(dir string, number uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%016d%s", number, suffix))
}

// segmentNumber reads the number from a file name, false when it is no segment.
func segmentNumber(name string) (uint64, bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	if !ok || len(digits) != 16 {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	return n, err == nil
}

// start is the offset of record i.
func (s *segment) start(i int) int64 {
	if i == 0 {
		return 0
	}
	return s.records[i-1].end
}

// waiting counts what is not acknowledged.
func (s *segment) waiting() (bytes, points int64) {
	for _, r := range s.records[s.sent:] {
		points += r.points
	}
	return s.size - s.start(s.sent), points
}

// recordHeader is what stands before the lines of a record.
func recordHeader(lines []byte, at time.Time) (h [headerSize]byte) {
	binary.LittleEndian.PutUint32(h[0:], uint32(len(lines)))
	binary.LittleEndian.PutUint64(h[8:], uint64(at.UnixNano()))
	binary.LittleEndian.PutUint32(h[4:], checksum(h[8:], lines))
	return h
}

func checksum(at, lines []byte) uint32 {
	return crc32.Update(crc32.Checksum(at, castagnoli), castagnoli, lines)
}

var errTorn = errors.New("record is torn")

// cutRecord takes the first record off b: io.EOF when there is none, errTorn when it is not whole.
func cutRecord(b []byte) (lines []byte, at time.Time, rest []byte, err error) {
	if len(b) == 0 {
		return nil, time.Time{}, nil, io.EOF
	}
	if len(b) < headerSize {
		return nil, time.Time{}, nil, errTorn
	}
	n := uint64(binary.LittleEndian.Uint32(b))
	if n == 0 || n > uint64(len(b)-headerSize) {
		return nil, time.Time{}, nil, errTorn
	}
	lines, rest = b[headerSize:headerSize+n], b[headerSize+n:]
	if checksum(b[8:headerSize], lines) != binary.LittleEndian.Uint32(b[4:]) {
		return nil, time.Time{}, nil, errTorn
	}
	return lines, time.Unix(0, int64(binary.LittleEndian.Uint64(b[8:]))), rest, nil
}

// openSegment finds the records of a file and says how many bytes at its end were torn. They are cut off.
func openSegment(path string, number uint64) (s *segment, torn int64, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, 0, fmt.Errorf("read segment: %w", err)
	}
	s = &segment{number: number, path: path}
	for rest := data; ; {
		var lines []byte
		var at time.Time
		lines, at, rest, err = cutRecord(rest)
		if err != nil {
			break
		}
		s.size = int64(len(data) - len(rest))
		s.records = append(s.records, record{s.size, countPoints(lines), at})
	}
	if torn = int64(len(data)) - s.size; torn > 0 {
		if err := os.Truncate(path, s.size); err != nil {
			return nil, torn, fmt.Errorf("cut torn segment: %w", err)
		}
	}
	return s, torn, nil
}

// read gives the lines of records from..to. The room is used for the records, and answered for the next time.
func (s *segment) read(from, to int, room []byte) (lines string, used []byte, err error) {
	f, err := os.Open(s.path)
	if err != nil {
		return "", room, fmt.Errorf("open segment: %w", err)
	}
	defer f.Close()
	start := s.start(from)
	rest := slices.Grow(room[:0], int(s.start(to)-start))[:s.start(to)-start]
	room = rest
	if _, err := f.ReadAt(rest, start); err != nil {
		return "", room, fmt.Errorf("read segment: %w", err)
	}
	var all strings.Builder
	all.Grow(len(rest))
	for len(rest) > 0 {
		var part []byte
		if part, _, rest, err = cutRecord(rest); err != nil {
			return all.String(), room, fmt.Errorf("read segment: %w", err)
		}
		all.Write(part)
	}
	return all.String(), room, nil
}
