package result

// Upgrade makes a result of an earlier format one of this: format 1 had one service, within the seconds.
func Upgrade(r Result) Result {
	if r.Format >= Format {
		return r
	}
	r.Format = Format
	r.Services, r.Proxies = []Service{}, []Proxy{}
	if r.Marks == nil {
		r.Marks = []Mark{}
	}
	if r.Curve == nil {
		r.Curve = []Quantile{}
	}
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
