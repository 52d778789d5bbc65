package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// stateVersion begins every encoded state. A scaler that does not know it starts to observe anew, which is always safe.
const stateVersion = "1"

// Limits of an encoded state: it stands in a label, and what somebody wrote into a label must not cost memory.
const (
	longestState = 16 << 10
	mostEntries  = 512
	latestTime   = 1 << 48 // milliseconds
)

// Encode writes the state as one short line, for the label StateLabel:
//
//	1;1772366400000;n=2;r=5,5,5;c=60000:1>2,0:2>5;o=300000:0;d=300000:0;w=90000:2000:5,1000:0:4
//
// First the version and a time in Unix milliseconds, then fields of a letter each, whose times are milliseconds before
// it: n the serial; replicas decided, present and aimed at; changes; observed and complete from and to; wanted (l: lowest) from, to and how many;
// p, m panic until and moved; u, t a pause (1 in, 2 out, 3 both, 4 a number) with its number, and its end; f, h failing and held. Times are rounded to the later millisecond: that never ends a wait early.
func (st State) Encode() string {
	base := st.newest()
	e := encoder{base: base}
	if st.Paused.Pause == (Pause{}) {
		st.Paused.Until = time.Time{}
	}
	e.text.WriteString(stateVersion + ";" + strconv.FormatInt(base, 10))
	if st.Serial != 0 {
		fmt.Fprintf(&e.text, ";n=%d", st.Serial)
	}
	if st.Known {
		fmt.Fprintf(&e.text, ";r=%d,%d,%d", st.Decided, st.Present, st.Aim)
	}
	e.list("c", len(st.Changes), func(i int) string {
		c := st.Changes[i]
		return fmt.Sprintf("%d:%d>%d", e.ago(c.At), c.From, c.To)
	})
	for _, r := range []struct {
		name string
		run  Run
	}{{"o", st.Observed}, {"d", st.Complete}} {
		if !r.run.From.IsZero() {
			fmt.Fprintf(&e.text, ";%s=%d:%d", r.name, e.ago(r.run.From), e.ago(r.run.To))
		}
	}
	e.runs("w", st.Wanted)
	e.runs("l", st.Lowest)
	if st.Paused.Pause != (Pause{}) {
		fmt.Fprintf(&e.text, ";u=%d:%d", st.Paused.kind(), st.Paused.Replicas)
	}
	for _, t := range []struct {
		name string
		at   time.Time
	}{{"p", st.PanicUntil}, {"m", st.Moved}, {"t", st.Paused.Until}} {
		if !t.at.IsZero() {
			fmt.Fprintf(&e.text, ";%s=%d", t.name, e.ago(t.at))
		}
	}
	e.since("f", st.Failing)
	e.since("h", st.Held)
	return e.text.String()
}

type encoder struct {
	base int64
	text strings.Builder
}

// ago is how many milliseconds before the base a time lies; negative after it.
func (e *encoder) ago(t time.Time) int64 { return e.base - milliseconds(t) }

func (e *encoder) list(name string, n int, item func(int) string) {
	for i := range n {
		if i == 0 {
			e.text.WriteString(";" + name + "=")
		} else {
			e.text.WriteByte(',')
		}
		e.text.WriteString(item(i))
	}
}

func (e *encoder) runs(name string, runs []Run) {
	e.list(name, len(runs), func(i int) string {
		return fmt.Sprintf("%d:%d:%d", e.ago(runs[i].From), e.ago(runs[i].To), runs[i].Replicas)
	})
}

func (e *encoder) since(name string, list []Since) {
	e.list(name, len(list), func(i int) string {
		return fmt.Sprintf("%d:%d:%d", e.ago(list[i].At), list[i].Rule, list[i].Side)
	})
}

// milliseconds rounds up.
func milliseconds(t time.Time) int64 {
	return t.Add(time.Millisecond - time.Nanosecond).UnixMilli()
}

// newest is the latest time of the state, so that most others lie shortly before it.
func (st State) newest() int64 {
	newest := max(milliseconds(st.Observed.To), milliseconds(st.Complete.To), milliseconds(st.Moved), 0)
	if n := len(st.Changes); n > 0 {
		newest = max(newest, milliseconds(st.Changes[n-1].At))
	}
	return newest
}

// DecodeState reads what Encode wrote.
func DecodeState(text string) (State, error) {
	if len(text) > longestState {
		return State{}, fmt.Errorf("read state: it is longer than %d bytes", longestState)
	}
	fields := strings.Split(text, ";")
	if fields[0] != stateVersion || len(fields) < 2 {
		return State{}, fmt.Errorf("read state: it is not of version %s", stateVersion)
	}
	base, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil || base < 0 || base > latestTime {
		return State{}, fmt.Errorf("read state: has no time but %q", fields[1])
	}
	d := decoder{base: base}
	for _, field := range fields[2:] {
		name, value, found := strings.Cut(field, "=")
		if !found || !d.field(name, value) || d.odd {
			return State{}, fmt.Errorf("read state: cannot read %q", field)
		}
	}
	if d.st.Paused.Pause == (Pause{}) {
		d.st.Paused = Paused{}
	}
	return d.st, nil
}

type decoder struct {
	base int64
	st   State
	odd  bool // a time is none of this age
}

func (d *decoder) field(name, value string) bool {
	items := strings.Split(value, ",")
	if len(items) > mostEntries {
		return false
	}
	if name == "r" {
		n, ok := numbers(strings.Join(items, ":"), 3)
		d.st.Known, d.st.Decided, d.st.Present, d.st.Aim = true, int(n[0]), int(n[1]), int(n[2])
		return ok && replicas(n[0]) && replicas(n[1]) && replicas(n[2])
	}
	single := slices.Contains([]string{"n", "o", "d", "p", "m", "u", "t"}, name)
	if single && len(items) > 1 {
		return false
	}
	for _, item := range items {
		if !d.item(name, item) {
			return false
		}
	}
	return true
}

func (d *decoder) item(name, item string) bool {
	want := map[string]int{"c": 3, "o": 2, "d": 2, "w": 3, "l": 3, "p": 1, "m": 1, "n": 1, "u": 2, "t": 1, "f": 3, "h": 3}[name]
	n, ok := numbers(strings.Replace(item, ">", ":", 1), want)
	if !ok || want == 0 {
		return false
	}
	switch name {
	case "n":
		d.st.Serial = int(n[0])
		return n[0] >= 0
	case "u":
		d.st.Paused.Pause = pauseOf(n[0], n[1])
		return n[0] >= 0 && n[0] <= frozen && replicas(n[1])
	}
	first := d.at(n[0])
	switch name {
	case "c":
		d.st.Changes = append(d.st.Changes, Change{At: first, From: int(n[1]), To: int(n[2])})
		return replicas(n[1]) && replicas(n[2])
	case "o":
		d.st.Observed = Run{From: first, To: d.at(n[1])}
	case "d":
		d.st.Complete = Run{From: first, To: d.at(n[1])}
	case "w":
		d.st.Wanted = append(d.st.Wanted, Run{From: first, To: d.at(n[1]), Replicas: int(n[2])})
		return replicas(n[2])
	case "l":
		d.st.Lowest = append(d.st.Lowest, Run{From: first, To: d.at(n[1]), Replicas: int(n[2])})
		return replicas(n[2])
	case "p":
		d.st.PanicUntil = first
	case "m":
		d.st.Moved = first
	case "t":
		d.st.Paused.Until = first
	case "f":
		d.st.Failing = append(d.st.Failing, Since{At: first, Rule: int(n[1]), Side: int(n[2])})
	case "h":
		d.st.Held = append(d.st.Held, Since{At: first, Rule: int(n[1]), Side: int(n[2])})
	}
	return true
}

// frozen is the kind of a pause at a number; the others are sets of in (1) and out (2).
const frozen = 4

func (p Pause) kind() int {
	kind := 0
	if p.In {
		kind++
	}
	if p.Out {
		kind += 2
	}
	if p.Frozen {
		return frozen
	}
	return kind
}

func pauseOf(kind, replicas int64) Pause {
	if kind == frozen {
		return Pause{Frozen: true, Replicas: int(replicas)}
	}
	return Pause{In: kind&1 != 0, Out: kind&2 != 0}
}

func (d *decoder) at(ago int64) time.Time {
	at := d.base - ago
	d.odd = d.odd || at <= 0 || at > latestTime
	return time.UnixMilli(at).UTC()
}

// numbers reads exactly that many numbers between colons, none of them beyond what a time or a count can be.
func numbers(text string, want int) ([3]int64, bool) {
	var list [3]int64
	parts := strings.Split(text, ":")
	if len(parts) != want || want > len(list) {
		return list, false
	}
	for i, part := range parts {
		n, err := strconv.ParseInt(part, 10, 64)
		if err != nil || n > latestTime || n < -latestTime {
			return list, false
		}
		list[i] = n
	}
	return list, true
}

// replicas tells whether a number can be one of replicas: not negative, nor beyond what needs are capped at.
func replicas(n int64) bool { return n >= 0 && n <= 1<<31-1 }
