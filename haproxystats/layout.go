package haproxystats

// layout is the table of columns, prepared for fast access: each number and each text has a slot, in the table's order.
type layout struct {
	column     map[string]int // index in columns
	numberSlot map[string]int
	textSlot   map[string]int
	numbers    []Column        // by slot
	texts      []Column        // by slot
	merge      [maxSlots]Merge // by number slot; unknown columns behind the table are Current
	of         []int           // by number slot: the slot of Column.Of, or -1
	counter    [maxSlots]int   // by number slot: which of the counters it is, or -1; counters are how many there are
	within     [maxSlots]int   // by number slot: how many of the counters have a lower slot
	counters   int
	stot, scur int // number slots
	firstMean  int // number slot of the first of the meanSlots means, which stand side by side
}

// countersWithin is how many counters there are in that many slots.
func (l *layout) countersWithin(slots int) int {
	if slots < len(l.within) {
		return l.within[slots]
	}
	return l.counters
}

// meanSlots is how many columns are means: qtime, ctime, rtime, ttime.
const meanSlots = 4

var schema = newLayout()

func newLayout() layout {
	l := layout{column: map[string]int{}, numberSlot: map[string]int{}, textSlot: map[string]int{}}
	for i, c := range columns {
		l.column[c.Name] = i
		switch {
		case c.Merge == AsTag || c.Merge == LeftOut:
		case c.Kind == Text:
			l.textSlot[c.Name] = len(l.texts)
			l.texts = append(l.texts, c)
		default:
			l.numberSlot[c.Name] = len(l.numbers)
			l.numbers = append(l.numbers, c)
		}
	}
	for slot := range l.counter {
		l.counter[slot] = -1
	}
	for slot := range l.within {
		l.within[slot] = l.counters
		if slot >= len(l.numbers) {
			continue
		}
		c := l.numbers[slot]
		l.merge[slot] = c.Merge
		if c.Merge == Count || c.Merge == CountOnce {
			l.counter[slot] = l.counters
			l.counters++
		}
		of := -1
		if c.Of != "" {
			of = l.numberSlot[c.Of]
		}
		l.of = append(l.of, of)
	}
	l.stot, l.scur, l.firstMean = l.numberSlot["stot"], l.numberSlot["scur"], l.numberSlot["qtime"]
	return l
}
