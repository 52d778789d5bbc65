package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"sluice/haproxystats"
)

const (
	statRows   = 10_000
	statReads  = 20 // answers that each side reads in one round
	recordings = "haproxystats/testdata/reload.txtar"
)

// parsing measures the CPU that one `show stat` of 10,000 rows costs, from the answer to points, beside the real Telegraf
// on the same bytes. Telegraf is a program of its own: what it uses for an answer without rows is subtracted.
func parsing(ctx context.Context, b bench) ([]row, error) {
	answer, err := statAnswer()
	if err != nil {
		return nil, err
	}
	telegraf := filepath.Join(".tools", "bin", "telegraf")
	if _, err := os.Stat(telegraf); err != nil {
		return nil, fmt.Errorf("find Telegraf (make tools): %w", err)
	}
	header, _, _ := bytes.Cut(answer, []byte("\n"))
	nothing := append(header[:len(header):len(header)], "\n\n"...)
	var parsers, wholes, theirs, allocations []float64
	for range b.rounds {
		idle, err := b.telegraf(ctx, telegraf, nothing, statReads)
		if err != nil {
			return nil, err
		}
		busy, err := b.telegraf(ctx, telegraf, answer, statReads)
		if err != nil {
			return nil, err
		}
		theirs = append(theirs, (busy-idle).Seconds()*1000/statReads)
		parser, whole, err := parse(answer)
		if err != nil {
			return nil, err
		}
		allocated, err := parseAllocations(answer)
		if err != nil {
			return nil, err
		}
		parsers, wholes, allocations = append(parsers, parser.Seconds()*1000), append(wholes, whole.Seconds()*1000), append(allocations, allocated)
	}
	reference, whole := median(theirs), median(wholes)
	return []row{
		against(fmt.Sprintf("stats parse, %d rows, CPU against Telegraf's input", statRows), "ms", median(parsers), reference, 0.1, false),
		{Name: "stats parse, workers added up and points made", Unit: "ms", Ours: whole, Reference: reference, Ratio: whole / reference},
		limited("stats parse, allocations", "per row", median(allocations), 2)}, nil
}

// statAnswer repeats the rows that a real HAProxy gave until there are enough.
func statAnswer() ([]byte, error) {
	archive, err := txtar.ParseFile(recordings)
	if err != nil {
		return nil, fmt.Errorf("read recordings (run from the repository's root): %w", err)
	}
	lines := strings.Split(strings.TrimSpace(string(archive.Files[0].Data)), "\n")
	var out bytes.Buffer
	out.WriteString(lines[0] + "\n")
	for i := range statRows {
		proxy, rest, _ := strings.Cut(lines[1+i%(len(lines)-1)], ",")
		out.WriteString(proxy + strconv.Itoa(i/(len(lines)-1)) + "," + rest + "\n")
	}
	out.WriteString("\n")
	return out.Bytes(), nil
}

// parse reads the answer as often as Telegraf does and gives the CPU for one: of the parser, and with what follows it up
// to points, for which the workers of HAProxy are added up.
func parse(answer []byte) (parsing, toPoints time.Duration, err error) {
	var rows []haproxystats.Row
	parsing, err = perRead(func(int) (err error) {
		rows, err = haproxystats.Parse(bytes.NewReader(answer))
		return err
	})
	if err != nil {
		return 0, 0, err
	}
	sampler, at := haproxystats.NewSampler(), time.Now()
	pointing, err := perRead(func(i int) error {
		n := 0
		samples := sampler.Next(at.Add(time.Duration(i)*time.Second), []haproxystats.Worker{{PID: 1, Rows: rows}})
		for range haproxystats.Points(at, haproxystats.Origin{Host: "h", Server: "s"}, samples) {
			n++
		}
		if n != statRows {
			return fmt.Errorf("made %d points of %d rows", n, statRows)
		}
		return nil
	})
	return parsing, parsing + pointing, err
}

// perRead is the CPU of one call of many.
func perRead(call func(i int) error) (time.Duration, error) {
	before, err := ownCPU()
	if err != nil {
		return 0, err
	}
	for i := range statReads {
		if err := call(i); err != nil {
			return 0, err
		}
	}
	after, err := ownCPU()
	return (after - before) / statReads, err
}

// ownCPU is what this process, its garbage collector included, has used of the cores so far.
func ownCPU() (time.Duration, error) {
	var usage syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), err
}

// parseAllocations counts what the parser alone allocates per row.
func parseAllocations(answer []byte) (float64, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	rows, err := haproxystats.Parse(bytes.NewReader(answer))
	runtime.ReadMemStats(&after)
	if err == nil && len(rows) != statRows {
		err = fmt.Errorf("parsed %d rows of %d", len(rows), statRows)
	}
	return float64(after.Mallocs-before.Mallocs) / statRows, err
}

// telegraf answers the CPU that a Telegraf uses to read so many sockets once.
func (b bench) telegraf(ctx context.Context, binary string, answer []byte, reads int) (time.Duration, error) {
	dir, err := os.MkdirTemp(b.dir, "telegraf")
	if err != nil {
		return 0, err
	}
	var sockets []string
	for i := range reads {
		path := filepath.Join(dir, fmt.Sprintf("%d.sock", i))
		listener, err := net.Listen("unix", path)
		if err != nil {
			return 0, err
		}
		defer listener.Close()
		go answerOnce(listener, answer)
		sockets = append(sockets, strconv.Quote(path))
	}
	config := "[agent]\n  omit_hostname = true\n  metric_buffer_limit = 1000000\n[[outputs.file]]\n  files = [\"/dev/null\"]\n" +
		"[[inputs.haproxy]]\n  servers = [" + strings.Join(sockets, ", ") + "]\n  namedrop = [\"*\"]\n" // made, but not written
	path := filepath.Join(dir, "telegraf.conf")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, binary, "--once", "--config", path)
	if output, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("run telegraf: %w: %.300s", err, output)
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}

// answerOnce is a stats socket that answers one question.
func answerOnce(listener net.Listener, answer []byte) {
	conn, err := listener.Accept()
	if err != nil {
		return // closed
	}
	defer conn.Close()
	_, _ = conn.Read(make([]byte, 64))
	_, _ = conn.Write(answer) // a reader that hangs up fails the run by itself
}
