package haproxy

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Answers of HAProxy 2.6.12, as they came.
const (
	oneWorker = `#<PID>          <type>          <reloads>       <uptime>        <version>      
3056            master          0 [failed: 0]   0d00h00m02s     2.6.12-1+deb12u4
# workers
3059            worker          0               0d00h00m02s     2.6.12-1+deb12u4
# programs

`
	oldWorkers = `#<PID>          <type>          <reloads>       <uptime>        <version>      
16965           master          3 [failed: 2]   1d02h03m13s     2.6.12-1+deb12u4
# workers
19820           worker          0               0d00h00m00s     2.6.12-1+deb12u4
# old workers
16967           worker          2               1d02h03m13s     2.6.12-1+deb12u4
16999           worker          1               0d00h01m00s     2.6.12-1+deb12u4
# programs

`
)

func TestParseProcesses(t *testing.T) {
	for _, row := range []struct {
		meaning, answer string
		want            Processes
	}{
		{"one worker", oneWorker, Processes{Workers: []Worker{{PID: 3059, Uptime: 2 * time.Second}}}},
		{"old workers and refused reloads", oldWorkers, Processes{Reloads: 3, Failed: 2, Workers: []Worker{
			{PID: 19820},
			{PID: 16967, Reloads: 2, Uptime: 26*time.Hour + 3*time.Minute + 13*time.Second, Draining: true},
			{PID: 16999, Reloads: 1, Uptime: time.Minute, Draining: true},
		}}},
	} {
		t.Run(row.meaning, func(t *testing.T) {
			got, err := parseProcesses(row.answer)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseProcessesRefusesOtherAnswers(t *testing.T) {
	for _, answer := range []string{"", "Unknown command\n", "# workers\n1 worker 0 0d00h00m00s 2.6\n", "1 master 0 [failed: 0] 0d00h00m00s 2.6\nx worker 0 0d00h00m00s 2.6\n"} {
		if got, err := parseProcesses(answer); err == nil {
			t.Errorf("%q is read as %+v", answer, got)
		}
	}
}

func TestCurrentIsTheWorkerThatDoesNotDrain(t *testing.T) {
	p, err := parseProcesses(oldWorkers)
	if err != nil {
		t.Fatal(err)
	}
	if w, ok := p.Current(); !ok || w.PID != 19820 {
		t.Errorf("got %+v, %v", w, ok)
	}
	if w, ok := (Processes{Workers: []Worker{{PID: 1, Draining: true}}}).Current(); ok {
		t.Errorf("got %+v where all drain", w)
	}
}

func FuzzParseProcesses(f *testing.F) {
	f.Add(oneWorker)
	f.Add(oldWorkers)
	f.Fuzz(func(t *testing.T, answer string) { _, _ = parseProcesses(answer) })
}
