package result

import (
	"fmt"
	"maps"
	"runtime"
	"time"

	"sluice/loadtest/observe"
	"sluice/loadtest/scenario"
)

// latenessLimit is the client's own lateness, in milliseconds at the 99th percentile, from which on a run is marked: more than a timer's
// and a scheduler's unpunctuality on an idle machine.
const latenessLimit = 10

// busy is the share of the machine's processors from which on the client says that it may have been the limit.
const busy = 0.85

// Run is what a run needs to be assembled, beside its recorder.
type Run struct {
	Version     string
	Scenario    *scenario.Scenario
	Schedule    scenario.Schedule
	Started     time.Time
	Load        time.Duration // until sending stopped
	Interrupted bool
	Timeline    observe.Timeline
	Answers     []Answer
	CPU         float64 // cores that the client used
}

// Assemble makes the result of a run, judged.
func (r *Recorder) Assemble(run Run) Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := run.Scenario
	out := Result{
		Format: Format, Machine: ThisMachine(), Version: run.Version, Scenario: s.Name, About: s.About, File: s.File, Source: s.Source, Service: s.Observe.Service, Started: run.Started.UTC(),
		Client:      Client{s.KeepAlive, ms(s.Timeout), s.Connections},
		LoadSeconds: run.Load.Seconds(), Interrupted: run.Interrupted,
		Failures: append([]Failure{}, r.failures...), Gaps: append([]observe.Gap{}, run.Timeline.Gaps...),
		Changes: []Decision{}, Marks: append([]Mark{}, r.marks...), Holders: r.holding.read(), Notes: []string{}, Verdicts: []Verdict{},
	}
	for i, t := range s.Targets {
		sum := r.byTarget[i].read()
		out.Targets = append(out.Targets, Target{t.Name, t.Method, t.URL, t.Weight, sum.Sent, sum.OK, sum.Failed, sum.Latency, sum.Service})
	}
	out.Answers, out.Reloads = run.Answers, reloads(run.Timeline)
	out.Total, out.Curve = r.total.read(), curve(r.total.latency)
	out.Total.Asked = run.Schedule.Before(run.Load) + r.unscheduled
	r.addPhases(&out, run)
	out.Services, out.Proxies = watched(s.Observe.Services(), run.Timeline, run.Started)
	r.addSeconds(&out, run)
	for _, d := range run.Timeline.Decisions {
		out.Changes = append(out.Changes, Decision{d.At.Sub(run.Started).Seconds(), d.Service, d.From, d.To, d.Verdict, d.Reason})
	}
	out.Pace = r.pace
	out.Pace.LatenessP99Ms = float64(r.lateness.ValueAtQuantile(99)) / 1000
	out.Pace.LatenessMaxMs = float64(r.lateness.Max()) / 1000
	out.Pace.ClientLimited = out.Pace.LatenessP99Ms > latenessLimit
	out.Pace.ConnectionLimited = out.Pace.Waited > 0
	out.Pace.CPU, out.Pace.Cores = run.CPU, runtime.GOMAXPROCS(0)
	out.Notes = append(append(out.Notes, notes(out)...), unseen(s.Observe.Services(), out.Services)...)
	out.Verdicts = append(append(out.Verdicts, Judge(s.Expect, out)...), failedMarks(out.Marks)...)
	out.Passed = !out.Interrupted
	for _, v := range out.Verdicts {
		out.Passed = out.Passed && v.Passed
	}
	return out
}

func (m *meter) read() Tally {
	t := m.tally
	t.Status = maps.Clone(t.Status)
	t.Latency, t.Service = distribution(m.latency), distribution(m.service)
	return t
}

func (r *Recorder) addPhases(out *Result, run Run) {
	var from time.Duration
	for i, p := range run.Scenario.Phases {
		to := from + p.Duration
		phase := Phase{
			Name: p.Name, Kind: string(p.Kind), Rates: p.Rates, From: from.Seconds(), To: to.Seconds(), Tally: r.phases[i].read(),
			Curve: curve(r.phases[i].latency),
		}
		if len(run.Scenario.Targets) > 1 {
			for target, m := range r.phases[i].byTarget {
				t := m.read()
				phase.Targets = append(phase.Targets, TargetTally{target, t.Sent, t.OK, t.Failed, t.Latency})
			}
		}
		phase.Asked = run.Schedule.Requests(i)
		if p.Kind == scenario.Closed {
			phase.Users, phase.Asked = p.Users, phase.Sent+phase.Unsent
		} else if run.Load < to {
			phase.Asked = max(0, run.Schedule.Before(run.Load)-run.Schedule.Before(from))
		}
		out.Phases = append(out.Phases, phase)
		from = to
	}
}

func (r *Recorder) addSeconds(out *Result, run Run) {
	held := 0
	for i := range max(len(r.seconds), run.Timeline.Seconds) {
		var second Second
		at := time.Duration(i) * time.Second
		second.Asked = run.Schedule.Before(min(at+time.Second, run.Load)) - run.Schedule.Before(min(at, run.Load))
		if i < len(r.seconds) {
			s := r.seconds[i]
			second.Asked += s.unscheduled
			second.Sent, second.OK, second.Failed = s.tally.Sent, s.done, s.failed
			second.Status4xx, second.Status5xx, second.NoAnswer = s.status4xx, s.status5xx, s.failed-s.status4xx-s.status5xx
			held, second.Lost = held+s.held, s.lost
			if s.latency.TotalCount() > 0 {
				latency, service := distribution(s.latency), distribution(s.service)
				second.P50, second.P90, second.P99, second.Max = &latency.P50, &latency.P90, &latency.P99, &latency.Max
				if s.service.TotalCount() > 0 {
					second.Service99 = &service.P99
				}
			}
		}
		if len(r.holding.targets) > 0 {
			second.Held = new(held)
		}
		second.observed(out.Services, i)
		out.Seconds = append(out.Seconds, second)
	}
}

// notes says in sentences what makes the numbers less than they seem.
func notes(r Result) []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if r.Interrupted {
		say("The run was interrupted in second %d: only what was until then is here.", len(r.Seconds)-1)
	}
	if r.Pace.ClientLimited {
		say("The client was the limit: 1 %% of the requests left more than %s late by its own doing (at most %s), and that is part of their latency.",
			Milliseconds(r.Pace.LatenessP99Ms), Milliseconds(r.Pace.LatenessMaxMs))
	}
	if share := r.Pace.CPU / float64(max(r.Pace.Cores, 1)); share > busy {
		say("The client used %.1f of the %d processors of its machine: what it measured at the highest rates may be its own slowness. Run it on a machine of its own, or ask for less.",
			r.Pace.CPU, r.Pace.Cores)
	}
	for _, p := range r.Phases {
		if p.Users > 0 {
			say("Phase %s was a closed loop of %d users: each waited for its answer before it asked again, so a slow service was asked less, and latency counts from sending.", p.Name, p.Users)
		}
	}
	if r.Pace.ConnectionLimited {
		say("All %d connections were busy at times: %d requests waited for one, up to %s. Their latency counts from when they were due.",
			r.Client.Connections, r.Pace.Waited, Milliseconds(r.Pace.LongestWaitMs))
	}
	if r.Total.Retries > 0 {
		say("The client sent %d requests again on another connection, as HTTP allows for requests without a body: a browser would have done so too.", r.Total.Retries)
	}
	for _, g := range r.Gaps {
		when := fmt.Sprintf("in second %d", g.From)
		if g.To > g.From {
			when = fmt.Sprintf("from second %d to %d", g.From, g.To)
		}
		say("The %s could not be read %s: %s.", g.Source, when, g.Reason)
	}
	return out
}
