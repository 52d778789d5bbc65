package result

// Upgrade makes a result of an earlier format one of this: format 1 had one service, within the seconds. Lists are never nil after it.
func Upgrade(r Result) Result {
	r.Phases, r.Failures, r.Seconds, r.Changes = full(r.Phases), full(r.Failures), full(r.Seconds), full(r.Changes)
	r.Services, r.Proxies, r.Marks, r.Curve = full(r.Services), full(r.Proxies), full(r.Marks), full(r.Curve)
	r.Gaps, r.Notes, r.Verdicts = full(r.Gaps), full(r.Notes), full(r.Verdicts)
	if r.Format >= Format {
		return r
	}
	r.Format = Format
	s, seen := Service{Name: r.Service, Backends: []Backend{}}, false
	for _, second := range r.Seconds {
		seen = seen || second.Running != nil || second.Connections != nil
		s.Desired, s.Running, s.Waiting = append(s.Desired, second.Desired), append(s.Running, second.Running), append(s.Waiting, nil)
		s.Connections, s.Queue = append(s.Connections, second.Connections), append(s.Queue, second.Queue)
		s.ConnectionsMax, s.Rate, s.Errors = append(s.ConnectionsMax, nil), append(s.Rate, nil), append(s.Errors, nil)
	}
	if seen {
		r.Services = append(r.Services, s)
		for i := range r.Changes {
			r.Changes[i].Service = r.Service
		}
	}
	return r
}

func full[T any](list []T) []T { return append([]T{}, list...) }
