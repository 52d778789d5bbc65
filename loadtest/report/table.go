package report

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"

	"sluice/loadtest/result"
)

// writeTimeline writes a row a second: the client's side, the first observed service, all proxies together, and what happened. A field is empty where
// nothing is known.
func writeTimeline(to io.Writer, r result.Result) error {
	out := csv.NewWriter(to)
	header := []string{"second", "phase", "asked", "sent", "ok", "failed", "status_4xx", "status_5xx", "no_answer",
		"p50_ms", "p90_ms", "p99_ms", "max_ms", "p99_from_sent_ms", "held", "held_lost",
		"desired", "running", "connections", "queue", "workers", "draining", "reloads", "events", "decisions"}
	if err := out.Write(header); err != nil {
		return err
	}
	for i, s := range r.Seconds {
		row := []string{strconv.Itoa(i), phaseAt(r, float64(i))}
		for _, n := range []int{s.Asked, s.Sent, s.OK, s.Failed, s.Status4xx, s.Status5xx, s.NoAnswer} {
			row = append(row, strconv.Itoa(n))
		}
		row = append(row, number(s.P50), number(s.P90), number(s.P99), number(s.Max), number(s.Service99), whole(s.Held), lost(s),
			whole(s.Desired), whole(s.Running), number(s.Connections), number(s.Queue))
		workers, draining := workersAt(r, i)
		row = append(row, whole(workers), whole(draining), reloadsAt(r, i), eventsAt(r, i), decisionsAt(r, i))
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// writeServices writes a row for each second, service and backend; backend "" is all of a service together, and has its replicas.
func writeServices(to io.Writer, r result.Result) error {
	out := csv.NewWriter(to)
	header := []string{"second", "service", "backend", "desired", "running", "waiting", "connections", "connections_max", "queue", "rate", "errors"}
	if err := out.Write(header); err != nil {
		return err
	}
	load := func(l result.Load, i int) []string {
		var row []string
		for _, series := range [][]*float64{l.Connections, l.ConnectionsMax, l.Queue, l.Rate, l.Errors} {
			row = append(row, number(at(series, i)))
		}
		return row
	}
	for i := range r.Seconds {
		for _, s := range r.Services {
			row := []string{strconv.Itoa(i), s.Name, "", whole(at(s.Desired, i)), whole(at(s.Running, i)), whole(at(s.Waiting, i))}
			if err := out.Write(append(row, load(s.Load, i)...)); err != nil {
				return err
			}
			for _, b := range s.Backends {
				if err := out.Write(append([]string{strconv.Itoa(i), s.Name, b.Name, "", "", ""}, load(b.Load, i)...)); err != nil {
					return err
				}
			}
		}
	}
	out.Flush()
	return out.Error()
}

// at is the value of a series in a second; nil when it is not known or the series is shorter.
func at[T any](series []*T, second int) *T {
	if second >= len(series) {
		return nil
	}
	return series[second]
}

func lost(s result.Second) string {
	if s.Held == nil {
		return ""
	}
	return strconv.Itoa(s.Lost)
}

// workersAt adds up the proxies.
func workersAt(r result.Result, second int) (workers, draining *int) {
	add := func(to **int, v *int) {
		if v == nil {
			return
		}
		sum := *v
		if *to != nil {
			sum += **to
		}
		*to = &sum
	}
	for _, p := range r.Proxies {
		add(&workers, at(p.Workers, second))
		add(&draining, at(p.Draining, second))
	}
	return workers, draining
}

func reloadsAt(r result.Result, second int) string {
	var words []string
	for _, p := range r.Proxies {
		for _, reload := range p.Reloads {
			if int(reload.At) == second {
				words = append(words, reload.Reason)
			}
		}
	}
	return strings.Join(words, "; ")
}

func eventsAt(r result.Result, second int) string {
	var words []string
	for _, m := range r.Marks {
		if int(m.At) != second {
			continue
		}
		word := m.Name
		if m.Err != "" {
			word += " failed: " + m.Err
		}
		words = append(words, word)
	}
	return strings.Join(words, "; ")
}

func decisionsAt(r result.Result, second int) string {
	var words []string
	for _, d := range r.Changes {
		if int(d.At) == second {
			words = append(words, d.Reason)
		}
	}
	return strings.Join(words, "; ")
}

func phaseAt(r result.Result, second float64) string {
	for _, p := range r.Phases {
		if second >= p.From && second < p.To {
			return p.Name
		}
	}
	return "after"
}

func number(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'f', 3, 64)
}

func whole(v *int) string {
	if v == nil {
		return ""
	}
	return strconv.Itoa(*v)
}
