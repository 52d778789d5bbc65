package main

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"strings"
	"time"

	"sluice/internal/influx"
	"sluice/internal/swarm"
	"sluice/policy"
)

// fakeSwarm has one service for each entry; tasks run at once and have done so for an hour.
type fakeSwarm struct {
	services []swarm.Service
	failure  error  // of everything
	refuse   error  // of Scale
	rival    func() // comes before the next Scale
	lose     bool   // the answer to the next Scale, which is carried out all the same
	scaled   []string
	changes  []policy.Change
}

func (f *fakeSwarm) Services(context.Context, swarm.Filter) ([]swarm.Service, error) {
	return append([]swarm.Service{}, f.services...), f.failure
}

func (f *fakeSwarm) Tasks(context.Context, []string) ([]swarm.Task, error) {
	var tasks []swarm.Task
	for _, s := range f.services {
		for range s.Replicas {
			tasks = append(tasks, swarm.Task{ServiceID: s.ID, State: "running", Since: time.Now().Add(-time.Hour)})
		}
	}
	return tasks, f.failure
}

func (f *fakeSwarm) Scale(_ context.Context, id string, w swarm.Scaling) error {
	if f.refuse != nil {
		return f.refuse
	}
	if rival := f.rival; rival != nil {
		f.rival = nil
		rival()
	}
	for i := range f.services {
		if s := &f.services[i]; s.ID == id {
			if s.Replicas != w.From || s.Labels[w.Label] != w.Was || s.Update != w.Update {
				return swarm.ErrChanged
			}
			s.Former = s.Labels
			s.Labels = maps.Clone(s.Labels)
			s.Labels[w.Label] = w.Now
			s.Replicas = w.To
			s.Version++
			if w.From != w.To {
				f.changes = append(f.changes, policy.Change{At: time.Now(), From: w.From, To: w.To})
				f.scaled = append(f.scaled, fmt.Sprintf("%s %d->%d", s.Name, w.From, w.To))
			}
			if f.lose {
				f.lose = false
				return context.DeadlineExceeded
			}
			return nil
		}
	}
	return swarm.ErrNotFound
}

// fakeInflux answers the points of the asked range.
type fakeInflux struct {
	rows    []influx.Record
	failure error
	hang    bool
	reaches []time.Duration // how far back each query went
}

var rangeOf = regexp.MustCompile(`range\(start: (\S+), stop: (\S+)\)`)

func (f *fakeInflux) Query(ctx context.Context, flux string) ([]influx.Record, error) {
	bounds := rangeOf.FindStringSubmatch(flux)
	start, _ := time.Parse(time.RFC3339Nano, bounds[1])
	stop, _ := time.Parse(time.RFC3339Nano, bounds[2])
	f.reaches = append(f.reaches, time.Since(start))
	if f.hang {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	var rows []influx.Record
	for _, r := range f.rows {
		if !r.Time.Before(start) && r.Time.Before(stop) {
			rows = append(rows, r)
		}
	}
	return rows, f.failure
}

// write adds a point of the service's sessions that is 300 ms old by a clock that is right.
func (f *fakeInflux) write(service, proxy string, at time.Time, sessions float64) {
	f.rows = append(f.rows, influx.Record{
		Time: at.Add(-300 * time.Millisecond), Value: sessions, Field: "scur_mean",
		Tags: map[string]string{"service": service, "server": proxy, "proxy": service + "-be8080_1"},
	})
}

// wishes are rules of every metric for every service.
func wishes(metrics string, services ...string) (list []wish) {
	for _, service := range services {
		w := wish{service: service, every: time.Second}
		for _, metric := range strings.Fields(metrics) {
			w.rules = append(w.rules, policy.Rule{Metric: metric, Window: 15 * time.Second, PerReplica: true})
		}
		list = append(list, w)
	}
	return list
}

type fakeSpool struct{ lines []string }

func (f *fakeSpool) Put(lines []byte) {
	f.lines = append(f.lines, strings.Split(strings.TrimSpace(string(lines)), "\n")...)
}
