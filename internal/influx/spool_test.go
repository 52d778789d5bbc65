package influx

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"pgregory.net/rapid"
)

func openSpool(t testing.TB, dir string, limit int64) *Spool {
	t.Helper()
	s, err := OpenSpool(dir, limit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func put(t testing.TB, s *Spool, lines string) {
	t.Helper()
	if err := s.Append([]byte(lines)); err != nil {
		t.Fatal(err)
	}
}

// drain takes everything out of the spool as the sender does.
func drain(t testing.TB, s *Spool) string {
	t.Helper()
	var all strings.Builder
	for {
		b, ok, err := s.batch(1 << 20)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return all.String()
		}
		all.WriteString(b.lines)
		if err := s.acknowledge(b); err != nil {
			t.Fatal(err)
		}
	}
}

func segments(t testing.TB, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"+suffix))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestSpoolGivesLinesBackInOrder(t *testing.T) {
	dir := t.TempDir()
	s := openSpool(t, dir, 1<<20)
	put(t, s, "a 1\n")
	put(t, s, "b 2\nb 3")
	if st := s.Stats(); st.Points != 3 || st.Bytes == 0 || time.Since(st.Oldest) > time.Minute {
		t.Errorf("stats %+v", st)
	}
	if got := drain(t, s); got != "a 1\nb 2\nb 3\n" {
		t.Errorf("got %q", got)
	}
	if st := s.Stats(); st.Points != 0 || st.Bytes != 0 || !st.Oldest.IsZero() {
		t.Errorf("stats of the empty spool %+v", st)
	}
	put(t, s, "c 4\n")
	if got := drain(t, s); got != "c 4\n" {
		t.Errorf("got %q", got)
	}
}

func TestSpoolSurvivesItsProcess(t *testing.T) {
	dir := t.TempDir()
	s := openSpool(t, dir, 1<<20)
	put(t, s, "a 1\n")
	put(t, s, "b 2\n")
	s.Close()
	s = openSpool(t, dir, 1<<20)
	put(t, s, "c 3\n")
	if got := drain(t, s); got != "a 1\nb 2\nc 3\n" {
		t.Errorf("got %q", got)
	}
	if files := segments(t, dir); len(files) != 1 {
		t.Errorf("%d files are left, want the one that is written to", len(files))
	}
}

func TestSpoolIsForOneProcess(t *testing.T) {
	dir := t.TempDir()
	s := openSpool(t, dir, 1<<20)
	if _, err := OpenSpool(dir, 1<<20); !errors.Is(err, ErrInUse) {
		t.Errorf("got %v, want ErrInUse", err)
	}
	s.Close()
	openSpool(t, dir, 1<<20)
}

func TestFullSpoolDropsTheOldest(t *testing.T) {
	dir := t.TempDir()
	s := openSpool(t, dir, 64<<10)
	line := strings.Repeat("x", 1000) + "\n"
	const n = 200
	for i := range n {
		put(t, s, fmt.Sprintf("%03d %s", i, line))
	}
	st := s.Stats()
	if st.Bytes > 64<<10 || st.Points+st.Dropped != n || st.Dropped == 0 {
		t.Errorf("%+v", st)
	}
	rest := drain(t, s)
	first := fmt.Sprintf("%03d ", st.Dropped)
	if !strings.HasPrefix(rest, first) || !strings.Contains(rest, "\n199 ") {
		t.Errorf("the rest begins with %.4q, want %q, and ends with 199", rest, first)
	}
}

func TestAppendThatCannotFitIsDroppedAndCounted(t *testing.T) {
	s := openSpool(t, t.TempDir(), 64<<10)
	if err := s.Append([]byte(strings.Repeat("x", 100<<10))); err == nil {
		t.Error("no error")
	}
	put(t, s, "a 1\n")
	if st := s.Stats(); st.Dropped != 1 || st.Points != 1 {
		t.Errorf("%+v", st)
	}
}

func TestLargeAppendIsCutIntoBatches(t *testing.T) {
	s := openSpool(t, t.TempDir(), 8<<20)
	line := strings.Repeat("x", 999) + "\n"
	put(t, s, strings.Repeat(line, 3000))
	b, _, err := s.batch(1 << 20)
	if err != nil || len(b.lines) > 1<<20 || !strings.HasSuffix(b.lines, line) {
		t.Errorf("first batch: %d bytes, %v", len(b.lines), err)
	}
	if got := drain(t, s); len(got) != 3000*1000 {
		t.Errorf("%d bytes came back", len(got))
	}
}

func TestTornEndIsCutOffWhereverItTore(t *testing.T) {
	dir := t.TempDir()
	s := openSpool(t, dir, 1<<20)
	put(t, s, "a 1\n")
	put(t, s, "b 2\nb 3\n")
	s.Close()
	whole, err := os.ReadFile(segments(t, dir)[0])
	if err != nil {
		t.Fatal(err)
	}
	first := headerSize + len("a 1\n")
	for cut := range len(whole) {
		torn := t.TempDir()
		if err := os.WriteFile(segmentPath(torn, 7), whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		s := openSpool(t, torn, 1<<20)
		put(t, s, "c 4\n")
		want, rest := "c 4\n", cut
		if cut >= first {
			want, rest = "a 1\nc 4\n", cut-first
		}
		if got := drain(t, s); got != want || s.Stats().Torn != int64(rest) {
			t.Fatalf("cut at %d: got %q and %d torn bytes, want %q and %d", cut, got, s.Stats().Torn, want, rest)
		}
		s.Close()
	}
}

func TestBatchStaysUntilAcknowledged(t *testing.T) {
	s := openSpool(t, t.TempDir(), 1<<20)
	put(t, s, "a 1\n")
	b, _, _ := s.batch(1 << 20)
	put(t, s, "b 2\n") // comes while the first is on its way
	if err := s.acknowledge(b); err != nil {
		t.Fatal(err)
	}
	if got := drain(t, s); got != "b 2\n" {
		t.Errorf("got %q", got)
	}
}

func TestBatchOfADroppedSegmentIsForgotten(t *testing.T) {
	s := openSpool(t, t.TempDir(), 64<<10)
	put(t, s, "a 1\n")
	b, _, _ := s.batch(1 << 20)
	line := strings.Repeat("x", 1000) + "\n"
	for range 100 {
		put(t, s, line)
	}
	if err := s.acknowledge(b); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.Points+st.Dropped != 101 {
		t.Errorf("%+v", st)
	}
}

// TestSpoolNeitherLosesNorRepeats appends, takes, acknowledges and opens again at random.
func TestSpoolNeitherLosesNorRepeats(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		s, err := OpenSpool(dir, 1<<20)
		if err != nil {
			r.Fatal(err)
		}
		defer func() { s.Close() }()
		var want, got strings.Builder
		n := 0
		for range rapid.IntRange(1, 30).Draw(r, "steps") {
			switch rapid.IntRange(0, 3).Draw(r, "step") {
			case 0, 1:
				for range rapid.IntRange(1, 5).Draw(r, "appends") {
					line := fmt.Sprintf("m n=%di %s\n", n, strings.Repeat("x", rapid.SampledFrom([]int{0, 100, 40000}).Draw(r, "size")))
					n++
					want.WriteString(line)
					if err := s.Append([]byte(line)); err != nil {
						r.Fatal(err)
					}
				}
			case 2:
				b, ok, err := s.batch(int64(rapid.IntRange(1, 100000).Draw(r, "max")))
				if err != nil {
					r.Fatal(err)
				}
				if ok && rapid.Bool().Draw(r, "acknowledged") {
					got.WriteString(b.lines)
					if err := s.acknowledge(b); err != nil {
						r.Fatal(err)
					}
				}
			case 3:
				// What was acknowledged of the open segment comes again after a crash: take all first.
				got.WriteString(drain(t, s))
				s.Close()
				if s, err = OpenSpool(dir, 1<<20); err != nil {
					r.Fatal(err)
				}
			}
		}
		got.WriteString(drain(t, s))
		if dropped := s.Stats().Dropped; dropped == 0 && got.String() != want.String() {
			r.Fatalf("%d bytes in, %d out", want.Len(), got.Len())
		}
	})
}

func FuzzSegment(f *testing.F) {
	var two []byte
	for i, lines := range []string{"a 1\n", "b 2\nb 3\n"} {
		header := recordHeader([]byte(lines), time.Unix(int64(i), 0))
		two = append(append(two, header[:]...), lines...)
	}
	f.Add(two)
	f.Add([]byte{4, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "s"+suffix)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		s, torn, err := openSegment(path, 1)
		if err != nil {
			t.Fatal(err)
		}
		if s.size+torn != int64(len(data)) {
			t.Fatalf("%d of %d bytes are records, %d torn", s.size, len(data), torn)
		}
		if _, _, err := s.read(0, len(s.records), nil); err != nil {
			t.Fatal(err)
		}
	})
}

func TestRefusedFileIsBounded(t *testing.T) {
	f := refusedFile{path: filepath.Join(t.TempDir(), "refused"), limit: 1000}
	for i := range 100 {
		if err := f.add(strings.Repeat("x", 99)+"\n", "no\nsuch thing", time.Unix(int64(i), 0)); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{f.path, f.path + ".old"} {
		data, err := os.ReadFile(path)
		if err != nil || len(data) == 0 || len(data) > 1200 {
			t.Errorf("%s: %d bytes, %v", filepath.Base(path), len(data), err)
		}
	}
}

func TestRefusedPointsAreThoseThatInfluxDBNames(t *testing.T) {
	tests := []struct {
		answer string
		want   int64
	}{
		{"partial write: field type conflict: input field \"n\" on measurement \"m\" is type string, already exists as type integer dropped=2", 2},
		{"partial write: points beyond retention policy dropped=5", 5},
		{"partial write: unable to parse 'a': missing fields\nunable to parse 'b': missing fields dropped=0", 2},
		{"unable to parse 'nonsense': missing fields", 10},
		{"Request Entity Too Large", 10},
		{"partial write: dropped=99", 10},
	}
	for _, tt := range tests {
		if got := refusedPoints(tt.answer, 10); got != tt.want {
			t.Errorf("%q: got %d, want %d", tt.answer, got, tt.want)
		}
	}
}

func TestOutboxWithoutInfluxDBForgets(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	o := NewOutbox(Config{}, dir, 1<<20, zerolog.Nop())
	o.Put([]byte("a 1\n"))
	o.Close(t.Context())
	if _, err := os.Stat(dir); err == nil || o.Stats() != (Stats{}) {
		t.Errorf("spool exists or stats %+v", o.Stats())
	}
}

func TestOutboxWaitsForTheSpoolOfAFormerProcess(t *testing.T) {
	dir := t.TempDir()
	former := openSpool(t, dir, 1<<20)
	var log strings.Builder
	o := NewOutbox(Config{URL: "http://127.0.0.1:1", Bucket: "b"}, dir, 1<<20, zerolog.New(&log))
	o.Put([]byte("a 1\na 2\n"))
	if st := o.Stats(); st.Dropped != 2 {
		t.Errorf("dropped %d, want 2", st.Dropped)
	}
	former.Close()
	o.open()
	o.Put([]byte("b 3\n"))
	if st := o.Stats(); st.Points != 1 || st.Dropped != 2 {
		t.Errorf("%+v", st)
	}
	o.Close(t.Context())
	if text := log.String(); strings.Count(text, "cannot be opened") != 1 || strings.Count(text, "spool is open") != 1 {
		t.Errorf("log:\n%s", text)
	}
}
