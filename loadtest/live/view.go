package live

import (
	"fmt"
	"io"
	"strings"
	"time"

	"sluice/loadtest/observe"
	"sluice/loadtest/result"
)

// View shows frames. The zero value is not usable: see NewView.
type View struct {
	out   io.Writer
	name  string
	plan  []float64 // asked rate, second by second
	plain bool

	shown                   int // lines of the block on the screen
	ok, p99, conns, running []float64
}

const (
	columns = 40 // of a graph; the whole block fits into 80
	dim     = "\x1b[2m"
	bold    = "\x1b[1m"
	cyan    = "\x1b[36m"
	green   = "\x1b[32m"
	yellow  = "\x1b[33m"
	red     = "\x1b[31m"
	off     = "\x1b[0m"
)

// NewView shows a run of that name on out. Plan is the asked rate of every second of the load. A plain view writes a line a second.
func NewView(out io.Writer, name string, plan []float64, plain bool) *View {
	return &View{out: out, name: name, plan: plan, plain: plain}
}

// Show draws a frame in the place of the one before.
func (v *View) Show(f Frame) error {
	if v.plain {
		_, err := fmt.Fprintln(v.out, f.Line())
		return err
	}
	v.remember(f)
	lines := v.block(f)
	// Lines that are too long for the terminal are cut, not wrapped: a wrapped one would spoil the way back up.
	_, err := io.WriteString(v.out, v.back()+"\x1b[?7l"+strings.Join(lines, "\x1b[K\n")+"\x1b[K\n\x1b[J\x1b[?7h")
	v.shown = len(lines)
	return err
}

// Say writes a decision that stays on the screen, above the block. On a terminal only changes do: the block shows the others for as long as they last.
func (v *View) Say(at time.Duration, d observe.Decision) error {
	line := Sentence(at, d)
	if v.plain {
		_, err := fmt.Fprintln(v.out, line)
		return err
	}
	if !d.Changes() {
		return nil
	}
	_, err := io.WriteString(v.out, v.back()+"\x1b[J"+yellow+line+off+"\n")
	v.shown = 0
	return err
}

// back moves to the first line of the block.
func (v *View) back() string {
	if v.shown == 0 {
		return ""
	}
	return fmt.Sprintf("\x1b[%dA\r", v.shown)
}

func (v *View) remember(f Frame) {
	value := func(known bool, x float64) float64 {
		if known {
			return x
		}
		return -1
	}
	v.ok = append(v.ok, float64(f.Latest.OK))
	v.p99 = append(v.p99, value(f.Latest.Known, f.Latest.P99))
	var connections, running float64
	if f.Connections != nil {
		connections = *f.Connections
	}
	if f.Replicas != nil {
		running = float64(f.Replicas.Running)
	}
	v.conns = append(v.conns, value(f.Connections != nil, connections))
	v.running = append(v.running, value(f.Replicas != nil, running))
}

func (v *View) block(f Frame) []string {
	length := max(f.Load.Seconds(), f.Elapsed.Seconds())
	where := fmt.Sprintf("%s  %s, %s left", clock(f.Elapsed), f.Phase, clock(f.Left))
	if f.Phase == "" {
		where = fmt.Sprintf("%s  load is over, watching for %s at most", clock(f.Elapsed), clock(f.Left))
	}
	failed := green + "none failed" + off
	if n := f.Latest.Total.Failed; n > 0 {
		failed = red + thousands(n) + " failed" + off
	}
	lines := []string{
		"",
		"  " + bold + v.name + off + dim + "  " + where + off,
		row("load", v.planned(f, length), fmt.Sprintf("%s%.0f/s%s asked", bold, f.Asked, off)),
		row("answered", cyan+graph(squeeze(v.ok, columns, length), v.peak())+off, fmt.Sprintf("%s%d/s%s  %s sent, %s",
			bold, f.Latest.OK, off, thousands(f.Latest.Total.Sent), failed)),
	}
	if f.Latest.Known {
		lines = append(lines, row("p99", cyan+graph(squeeze(v.p99, columns, length), 1)+off, fmt.Sprintf("%s%s%s  p50 %s",
			bold, result.Milliseconds(f.Latest.P99), off, result.Milliseconds(f.Latest.P50))))
	} else {
		lines = append(lines, row("p99", cyan+graph(squeeze(v.p99, columns, length), 1)+off, dim+"–"+off))
	}
	if f.Connections != nil {
		lines = append(lines, row("connections", cyan+graph(squeeze(v.conns, columns, length), 1)+off, fmt.Sprintf("%s%.1f%s", bold, *f.Connections, off)))
	}
	if f.Replicas != nil {
		lines = append(lines, row("replicas", green+graph(squeeze(v.running, columns, length), 1)+off, replicas(*f.Replicas)))
	}
	if f.Word != "" {
		lines = append(lines, "  "+dim+fmt.Sprintf("%-12s", "scaler")+off+f.Word)
	}
	return lines
}

// planned draws the whole load: what was bright, what is to come dim.
func (v *View) planned(f Frame, length float64) string {
	all := []rune(graph(squeeze(v.plan, columns, length), 1))
	past := min(len(all), int(f.Elapsed.Seconds()/length*columns))
	return cyan + string(all[:past]) + off + dim + string(all[past:]) + off
}

func (v *View) peak() float64 {
	peak := 1.0
	for _, rate := range v.plan {
		peak = max(peak, rate)
	}
	return peak
}

// replicas draws one box for each: full when it runs, empty when it is wanted, and hollowed out in red when it runs but is not wanted any more.
func replicas(r observe.Replicas) string {
	const most = 16 // boxes that fit
	running, wanted := min(r.Running, most), min(r.Desired, most)
	boxes := green + strings.Repeat("■", min(running, wanted)) + off +
		yellow + strings.Repeat("□", max(0, wanted-running)) + off +
		dim + strings.Repeat("■", max(0, running-wanted)) + off
	return fmt.Sprintf("%s%d%s of %d  %s", bold, r.Running, off, r.Desired, boxes)
}

func row(label, graph, value string) string {
	return fmt.Sprintf("  %s%-12s%s%s  %s", dim, label, off, graph, value)
}
