package live

import (
	"fmt"
	"io"
	"strings"

	"sluice/loadtest/observe"
	"sluice/loadtest/result"
)

// View shows frames. The zero value is not usable: see NewView.
type View struct {
	out   io.Writer
	name  string
	plan  []float64  // asked rate, second by second
	width func() int // of the terminal, in columns; nil: it is none

	shown                         []int // lengths of the block's lines on the screen
	ok, p99, held, conns, running []float64
}

const (
	dim    = "\x1b[2m"
	bold   = "\x1b[1m"
	cyan   = "\x1b[36m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	red    = "\x1b[31m"
	off    = "\x1b[0m"
)

// NewView shows a run of that name on out. Plan is the asked rate of every second of the load. Width tells how many columns the terminal has and is
// asked for every frame; without it out is no terminal, and gets a plain line a second.
func NewView(out io.Writer, name string, plan []float64, width func() int) *View {
	return &View{out: out, name: name, plan: plan, width: width}
}

// Show draws a frame in the place of the one before.
func (v *View) Show(f Frame) error {
	if v.width == nil {
		_, err := fmt.Fprintln(v.out, f.Line())
		return err
	}
	v.remember(f)
	width := v.width()
	up := v.back(width)
	lines := v.block(f, newLayout(width))
	v.shown = v.shown[:0]
	for i := range lines {
		lines[i] = cut(lines[i], width)
		v.shown = append(v.shown, visible(lines[i]))
	}
	// Cut or not, no line may wrap: a wide letter takes two columns where one was counted, and a wrapped line would spoil the way back up.
	_, err := io.WriteString(v.out, up+"\x1b[?7l"+strings.Join(lines, "\x1b[K\n")+"\x1b[K\n\x1b[J\x1b[?7h")
	return err
}

// Say writes a word that stays on the screen, above the block.
func (v *View) Say(w Word) error {
	if v.width == nil {
		_, err := fmt.Fprintln(v.out, w.Line())
		return err
	}
	if w.Tone == Quiet {
		return nil
	}
	colour := map[Tone]string{News: yellow, Bad: red}[w.Tone]
	_, err := io.WriteString(v.out, v.back(v.width())+"\x1b[J"+colour+w.Line()+off+"\n")
	v.shown = nil
	return err
}

// back moves to the first line of the block. Where the terminal has become narrower since, the terminal has wrapped what did not fit any more.
func (v *View) back(width int) string {
	if len(v.shown) == 0 {
		return ""
	}
	up := 0
	for _, length := range v.shown {
		up += max(1, (length+width-1)/max(width, 1))
	}
	return fmt.Sprintf("\x1b[%dA\r", up)
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
	v.held = append(v.held, value(f.Latest.Holding, float64(f.Latest.Held)))
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

func (v *View) block(f Frame, l layout) []string {
	length := max(f.Load.Seconds(), f.Elapsed.Seconds())
	curve := func(colour string, values []float64, floor float64) string {
		return colour + graph(squeeze(values, l.columns, length), floor) + off
	}
	sent := thousands(f.Latest.Total.Sent)
	failed := green + "none of " + sent + " failed" + off
	if n := f.Latest.Total.Failed; n > 0 {
		failed = red + thousands(n) + " of " + sent + " failed" + off
	}
	lines := []string{
		"",
		"  " + bold + v.name + off + dim + "  " + where(f) + off,
		l.row("progress", l.progress(f), left(f)),
		l.row("load", v.planned(f, l, length), asked(f)),
		l.row("answered", curve(cyan, v.ok, v.peak()), fmt.Sprintf("%s%d/s%s  %s", bold, f.Latest.OK, off, failed)),
	}
	latency := dim + "–" + off
	if f.Latest.Known {
		latency = fmt.Sprintf("%s%s%s  p50 %s", bold, result.Milliseconds(f.Latest.P99), off, result.Milliseconds(f.Latest.P50))
	}
	lines = append(lines, l.row("p99", curve(cyan, v.p99, 1), latency))
	if f.Latest.Holding {
		lost := ""
		if n := f.Latest.Lost; n > 0 {
			lost = "  " + red + thousands(n) + " lost" + off
		}
		lines = append(lines, l.row("held", curve(cyan, v.held, 1), fmt.Sprintf("%s%s%s open%s", bold, thousands(f.Latest.Held), off, lost)))
	}
	if f.Connections != nil {
		queue := ""
		if f.Queue != nil && *f.Queue > 0 {
			queue = fmt.Sprintf("  %s%.0f queued%s", yellow, *f.Queue, off)
		}
		lines = append(lines, l.row("connections", curve(cyan, v.conns, 1), fmt.Sprintf("%s%.1f%s%s", bold, *f.Connections, off, queue)))
	}
	if f.Replicas != nil {
		lines = append(lines, l.row("replicas", curve(green, v.running, 1), replicas(*f.Replicas)))
	}
	return append(lines, said(f)...)
}

func asked(f Frame) string {
	if f.Users > 0 {
		return fmt.Sprintf("%s%d%s users", bold, f.Users, off)
	}
	return fmt.Sprintf("%s%.0f/s%s asked", bold, f.Asked, off)
}

// said is what is told in words below the graphs.
func said(f Frame) []string {
	var lines []string
	if w := f.Workers; w != nil {
		text := fmt.Sprintf("%d", w.All)
		if w.Draining > 0 {
			text += fmt.Sprintf(", %s%d draining%s", yellow, w.Draining, off)
		}
		lines = append(lines, "  "+dim+fmt.Sprintf("%-12s", "workers")+off+text)
	}
	if n := len(f.Latest.Marks); n > 0 {
		e := Event(f.Latest.Marks[n-1])
		lines = append(lines, "  "+dim+fmt.Sprintf("%-12s", "event")+off+clock(e.At)+" "+e.Text)
	}
	if f.Word != "" {
		lines = append(lines, "  "+dim+fmt.Sprintf("%-12s", "scaler")+off+f.Word)
	}
	return lines
}

// planned draws the whole load: what was bright, what is to come dim.
func (v *View) planned(f Frame, l layout, length float64) string {
	all := []rune(graph(squeeze(v.plan, l.columns, length), 1))
	past := min(len(all), int(f.Elapsed.Seconds()/length*float64(l.columns)))
	return cyan + string(all[:past]) + off + dim + string(all[past:]) + off
}

func (v *View) peak() float64 {
	peak := 1.0
	for _, rate := range v.plan {
		peak = max(peak, rate)
	}
	return peak
}

// replicas draws one box for each: full when it runs, empty when it is wanted, and dim when it runs but is not wanted any more.
func replicas(r observe.Replicas) string {
	const most = 16 // boxes that fit
	running, wanted := min(r.Running, most), min(r.Desired, most)
	boxes := green + strings.Repeat("■", min(running, wanted)) + off +
		yellow + strings.Repeat("□", max(0, wanted-running)) + off +
		dim + strings.Repeat("■", max(0, running-wanted)) + off
	return fmt.Sprintf("%s%d%s of %d  %s", bold, r.Running, off, r.Desired, boxes)
}
