package result

import (
	"slices"
	"time"

	"sluice/loadtest/observe"
)

// Service is what was seen of one service. Series hold one entry for each second of the run; null is not known.
type Service struct {
	Name     string          `json:"name"`
	Policy   *observe.Policy `json:"policy,omitempty"` // nil when no scaler told of one
	Desired  []*int          `json:"desired"`
	Running  []*int          `json:"running"`
	Waiting  []*int          `json:"waiting"` // tasks that are to run and do not yet
	Load                     // of all its backends together
	Backends []Backend       `json:"backends"`
}

// Backend is what was seen of one of the proxy's backends.
type Backend struct {
	Name string `json:"name"`
	Load
}

// Load is series of what the proxy counted.
type Load struct {
	Connections    []*float64 `json:"connections"`    // concurrent, mean of the second
	ConnectionsMax []*float64 `json:"connectionsMax"` // the highest reading
	Queue          []*float64 `json:"queue"`          // requests that waited in the proxy
	Rate           []*float64 `json:"rate"`           // requests per second that arrived
	Errors         []*float64 `json:"errors"`         // requests per second that the proxy or a server failed
}

// Proxy is what was seen of one proxy's HAProxy.
type Proxy struct {
	Instance string   `json:"instance"`
	Workers  []*int   `json:"workers"`  // draining ones included
	Draining []*int   `json:"draining"` // workers that finish old connections after a reload
	Reloads  []Reload `json:"reloads"`  // during the run
}

// Reload is one reload, at its second.
type Reload struct {
	At     float64 `json:"at"`
	Reason string  `json:"reason"`
}

// watched turns a timeline into series. The observed services come in the scenario's order.
func watched(names []string, t observe.Timeline, started time.Time) (services []Service, proxies []Proxy) {
	services, proxies = []Service{}, []Proxy{}
	for _, name := range names {
		seen, ok := t.Services[name]
		if !ok {
			continue
		}
		s := Service{Name: name, Policy: seen.Policy, Load: loadOf(seen.Total()), Backends: []Backend{}}
		for _, r := range seen.Replicas {
			if r == nil {
				s.Desired, s.Running, s.Waiting = append(s.Desired, nil), append(s.Running, nil), append(s.Waiting, nil)
				continue
			}
			s.Desired, s.Running, s.Waiting = append(s.Desired, &r.Desired), append(s.Running, &r.Running), append(s.Waiting, r.Waiting)
		}
		for _, b := range seen.Backends {
			if b.Name != "" {
				s.Backends = append(s.Backends, Backend{b.Name, loadOf(b.Loads)})
			}
		}
		services = append(services, s)
	}
	for _, seen := range t.Proxies {
		p := Proxy{Instance: seen.Instance, Reloads: []Reload{}}
		for _, w := range seen.Workers {
			if w == nil {
				p.Workers, p.Draining = append(p.Workers, nil), append(p.Draining, nil)
				continue
			}
			p.Workers, p.Draining = append(p.Workers, &w.All), append(p.Draining, &w.Draining)
		}
		for _, r := range t.Reloads {
			if r.Instance == seen.Instance {
				p.Reloads = append(p.Reloads, Reload{r.At.Sub(started).Seconds(), r.Reason})
			}
		}
		proxies = append(proxies, p)
	}
	return services, proxies
}

// unseen says which of several services no source told anything of. Of a single one the gaps say why.
func unseen(names []string, services []Service) []string {
	var out []string
	for _, name := range names {
		if len(names) > 1 && !slices.ContainsFunc(services, func(s Service) bool { return s.Name == name }) {
			out = append(out, "Nothing was seen of the service "+name+".")
		}
	}
	return out
}

func loadOf(loads []*observe.Load) Load {
	var out Load
	for _, l := range loads {
		if l == nil {
			l = &observe.Load{}
		}
		out.Connections, out.ConnectionsMax = append(out.Connections, l.Connections), append(out.ConnectionsMax, l.Peak)
		out.Queue, out.Rate, out.Errors = append(out.Queue, l.Queue), append(out.Rate, l.Rate), append(out.Errors, l.Errors)
	}
	return out
}

// at is the value of a series in a second; nil when it is not known or the series is shorter.
func at[T any](series []*T, second int) *T {
	if second >= len(series) {
		return nil
	}
	return series[second]
}

// observed is what was seen of the first service in a second.
func (s *Second) observed(services []Service, second int) {
	if len(services) == 0 {
		return
	}
	first := services[0]
	s.Connections, s.Queue = at(first.Connections, second), at(first.Queue, second)
	s.Desired, s.Running = at(first.Desired, second), at(first.Running, second)
}

// ServiceNames lists the services that were to be observed and that were seen, the first one first.
func (r Result) ServiceNames() []string {
	var names []string
	if r.Service != "" {
		names = append(names, r.Service)
	}
	for _, s := range r.Services {
		if !slices.Contains(names, s.Name) {
			names = append(names, s.Name)
		}
	}
	return names
}
