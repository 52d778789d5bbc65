package influx_test

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"sluice/internal/influx"
	"sluice/internal/influx/influxtest"
)

// writerDir tells a copy of the test program to be the writer that is killed.
const writerDir = "SLUICE_TEST_SPOOL"

func TestMain(m *testing.M) {
	if dir := os.Getenv(writerDir); dir != "" {
		writeUntilKilled(dir)
	}
	os.Exit(m.Run())
}

// writeUntilKilled appends points and says on standard output which of them are on disk. A point's number is its time,
// and goes on from run to run.
func writeUntilKilled(dir string) {
	spool, err := influx.OpenSpool(dir, 64<<20)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	var first int
	fmt.Sscan(os.Getenv("SLUICE_TEST_FIRST"), &first)
	for n := first; ; n++ {
		line := fmt.Sprintf("m n=%di,text=%q %d\n", n, strings.Repeat("x", rand.IntN(3000)), n+1)
		if err := spool.Append([]byte(line)); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("on disk", n)
	}
}

// TestEveryPointOnDiskArrivesOnce kills the writer at random moments, tears the last segment, and lets another process
// send what is left: whatever was said to be on disk is in InfluxDB, once.
func TestEveryPointOnDiskArrivesOnce(t *testing.T) {
	server := influxtest.StartWriteOnly(t)
	cfg := influx.Config{URL: server.URL, Bucket: server.Bucket}
	dir := t.TempDir()
	var onDisk []int
	next := 0
	for kill := range 10 {
		numbers := runWriter(t, dir, next, time.Duration(20+rand.IntN(100))*time.Millisecond)
		onDisk = append(onDisk, numbers...)
		next = onDisk[len(onDisk)-1] + 2 // one more may be on disk without having been said
		if kill%3 == 0 {
			tear(t, dir)
		}
	}
	spool, err := influx.OpenSpool(dir, 64<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer spool.Close()
	st := spool.Stats()
	t.Logf("%d points said to be on disk, %d in the spool, %d bytes torn", len(onDisk), st.Points, st.Torn)
	if st.Torn == 0 || st.Dropped != 0 {
		t.Errorf("%+v", st)
	}
	if err := influx.NewSender(cfg, spool, zerolog.Nop()).Flush(t.Context()); err != nil {
		t.Fatal(err)
	}

	arrived := map[int]int{}
	for _, series := range server.InfluxQL(`SELECT n FROM m`) {
		for _, row := range series.Values {
			arrived[int(row[1].(float64))]++
		}
	}
	for _, n := range onDisk {
		if arrived[n] != 1 {
			t.Fatalf("point %d is in InfluxDB %d times", n, arrived[n])
		}
	}
	if extra := len(arrived) - len(onDisk); extra < 0 || extra > 10 {
		t.Errorf("%d points more than said to be on disk, want at most one per kill", extra)
	}
}

// runWriter runs the writer until it is killed and gives the numbers that it said are on disk.
func runWriter(t *testing.T, dir string, first int, life time.Duration) (numbers []int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), writerDir+"="+dir, fmt.Sprint("SLUICE_TEST_FIRST=", first))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var n int
		if _, err := fmt.Sscanf(lines.Text(), "on disk %d", &n); err != nil {
			t.Fatalf("writer says %q", lines.Text())
		}
		if len(numbers) == 0 {
			time.AfterFunc(life, func() { cmd.Process.Kill() })
		}
		numbers = append(numbers, n)
	}
	cmd.Wait()
	if len(numbers) == 0 {
		t.Fatal("writer wrote nothing")
	}
	return numbers
}

// tear leaves half a record at the end of the last segment, as a crash of the machine in the middle of a write would.
func tear(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.seg"))
	if err != nil || len(files) == 0 {
		t.Fatal("no segments", err)
	}
	f, err := os.OpenFile(files[len(files)-1], os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	f.Write([]byte("\x40\x00\x00\x00half a record"))
}

// TestFullDiskIsCountedAndPasses fills a file system of its own: the oldest points make room for the new ones.
func TestFullDiskIsCountedAndPasses(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=512k"); err != nil {
		t.Skipf("needs a file system of its own: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, 0) })
	spool, err := influx.OpenSpool(filepath.Join(dir, "spool"), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { spool.Close() })
	line := "m text=\"" + strings.Repeat("x", 10000) + "\" %d\n"

	// With nothing of ours to drop, it is an error, and counted.
	ballast := filepath.Join(dir, "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	f.Close()
	if err := spool.Append(fmt.Appendf(nil, line, 0)); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("append to a full disk: %v", err)
	}
	os.Remove(ballast)

	const n = 100
	for i := range n {
		if err := spool.Append(fmt.Appendf(nil, line, i)); err != nil {
			t.Fatalf("append %d: %v", i, err)
		}
	}
	st := spool.Stats()
	if st.Points+st.Dropped != n+1 || st.Dropped < 30 || st.Bytes > 512<<10 {
		t.Errorf("%+v", st)
	}
}
