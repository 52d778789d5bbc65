package influx

// batch is the oldest stretch of the spool that is not acknowledged.
type batch struct {
	lines   string // what the client takes
	points  int64
	segment uint64
	to      int // records of the segment before this one are in the batch or were acknowledged
}

// batch reads up to about max bytes from the oldest segment, at least one record; ok is false when nothing waits. It
// stays the same until it is acknowledged, unless the spool has to drop it meanwhile.
func (s *Spool) batch(max int64) (b batch, ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, seg := range s.segments {
		if seg.sent == len(seg.records) {
			continue
		}
		to := seg.sent + 1
		for to < len(seg.records) && seg.records[to].end-seg.start(seg.sent) <= max {
			to++
		}
		b = batch{segment: seg.number, to: to}
		for _, r := range seg.records[seg.sent:to] {
			b.points += r.points
		}
		b.lines, s.room, err = seg.read(seg.sent, to, s.room)
		return b, true, err
	}
	return batch{}, false, nil
}

// acknowledge forgets a batch. The segment goes when all of it is acknowledged; the one that is being written to is
// emptied instead. A batch whose segment was dropped meanwhile is none of the spool's business any more.
func (s *Spool) acknowledge(b batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, seg := range s.segments {
		if seg.number != b.segment {
			continue
		}
		seg.sent = max(seg.sent, b.to)
		if seg.sent < len(seg.records) {
			return nil
		}
		if i < len(s.segments)-1 || s.file == nil {
			s.remove(i)
			return nil
		}
		seg.records, seg.sent, seg.size = nil, 0, 0
		return s.file.Truncate(0)
	}
	return nil
}

// discard gives up a batch that cannot be read back, and counts it as dropped.
func (s *Spool) discard(b batch) error {
	s.mu.Lock()
	s.dropped += b.points
	s.mu.Unlock()
	return s.acknowledge(b)
}
