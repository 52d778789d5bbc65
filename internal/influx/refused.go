package influx

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// refusedFile holds the batches that InfluxDB refused, with its answer, for a person to look at. When it is full it
// starts anew and the former one stays as path.old: it never has more than twice its limit.
type refusedFile struct {
	path  string
	limit int64
}

func (f refusedFile) add(lines, answer string, at time.Time) error {
	if info, err := os.Stat(f.path); err == nil && info.Size()+int64(len(lines)) > f.limit {
		if err := os.Rename(f.path, f.path+".old"); err != nil {
			return fmt.Errorf("turn over refused file: %w", err)
		}
	}
	out, err := os.OpenFile(f.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return fmt.Errorf("open refused file: %w", err)
	}
	answer = strings.ReplaceAll(strings.TrimSpace(answer), "\n", " ")
	_, err = fmt.Fprintf(out, "# %s %s\n%s", at.UTC().Format(time.RFC3339), answer, lines)
	if closeErr := out.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("write refused file: %w", err)
	}
	return nil
}

// droppedCount finds the count in InfluxDB's answer `partial write: field type conflict: … dropped=2`.
var droppedCount = regexp.MustCompile(`dropped=(\d+)`)

// refusedPoints is how many of the points InfluxDB did not take: what it says, or all of them.
func refusedPoints(answer string, points int64) int64 {
	m := droppedCount.FindStringSubmatch(answer)
	if m == nil || !strings.Contains(answer, "partial write") {
		return points
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		return points
	}
	if bad := int64(strings.Count(answer, "unable to parse")); n == 0 {
		n = bad // lines that are no lines are named one by one, and not counted
	}
	return min(n, points)
}
