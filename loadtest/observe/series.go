package observe

// carry is for how many seconds a missing observation takes the value before it: two looks a second apart may fall into
// the seconds 1 and 3.
const carry = 2

// series is what was seen by the second of the run. One before the start is kept, and never shown.
type series[T any] map[int]seen[T]

// seen remembers which source said it: the lowest rank is believed.
type seen[T any] struct {
	value T
	rank  int
}

func (s series[T]) put(second, rank int, value T) {
	if before, ok := s[second]; !ok || rank <= before.rank {
		s[second] = seen[T]{value, rank}
	}
}

// fill gives one value for each of so many seconds; nil is not known. Where no look of its source failed, a value holds for up to carry
// seconds.
func (s series[T]) fill(seconds int, failed func(rank, second int) bool) []*T {
	out := make([]*T, seconds)
	for i, v := range s.told(seconds, failed) {
		if v != nil {
			out[i] = &v.value
		}
	}
	return out
}

// told is fill with who said it.
func (s series[T]) told(seconds int, failed func(rank, second int) bool) []*seen[T] {
	out := make([]*seen[T], seconds)
	last, age := seen[T]{}, carry+1
	for i := range out {
		age++
		if now, ok := s[i]; ok {
			last, age = now, 0
		}
		if age == 0 || age <= carry && !failed(last.rank, i) {
			out[i] = new(last)
		} else {
			age = carry + 1 // a gap is not jumped over
		}
	}
	return out
}
