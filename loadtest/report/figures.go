package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sluice/loadtest/result"
)

// tile is one of the figures under the headline.
type tile struct{ Label, Value, Note, Tone string }

func tiles(r result.Result) []tile {
	t := r.Total
	out := []tile{
		{"Requests", thousands(t.Sent), fmt.Sprintf("of %s asked", thousands(t.Asked)), ""},
		{"Failed", thousands(t.Failed), "none", "good"},
		{"Latency p99", milliseconds(t.Latency.P99), "p50 " + milliseconds(t.Latency.P50), ""},
	}
	if t.Failed > 0 {
		out[1].Tone, out[1].Note = "bad", fmt.Sprintf("%.3g %%", 100*float64(t.Failed)/float64(max(t.Asked, 1)))
	}
	peak := 0
	for _, s := range r.Seconds {
		peak = max(peak, s.OK)
	}
	out = append(out, tile{"Highest rate", fmt.Sprintf("%s/s", thousands(peak)), "answered without error", ""})
	for _, h := range r.Holders {
		lost := tile{"Held connections", thousands(h.Most), "none lost", ""}
		if n := h.Lost + h.Refused; n > 0 {
			lost.Note, lost.Tone = fmt.Sprintf("%s lost or refused", thousands(n)), "noted"
		}
		out = append(out, lost)
	}
	if path := replicaPath(r); path != "" {
		changes := 0
		for _, d := range r.Changes {
			if d.From != d.To {
				changes++
			}
		}
		out = append(out, tile{"Replicas", path, count(changes, "decision"), ""})
	}
	return out
}

// happening is an event of the scenario or a reload of a proxy, with the badge that marks it in the charts.
type happening struct {
	At      float64
	Kind    string
	Badge   string
	What    string
	Outcome string
	Failed  bool
}

func happenings(r result.Result) []happening {
	var out []happening
	for i, badge := range letters(len(r.Marks)) {
		m := r.Marks[i]
		h := happening{At: m.At, Kind: "event", Badge: badge, What: m.Name, Outcome: m.Outcome, Failed: m.Err != ""}
		if h.Failed {
			h.Outcome = "failed: " + m.Err
		}
		if m.Took >= 0.1 {
			h.Outcome = strings.TrimPrefix(h.Outcome+fmt.Sprintf(", took %.1f s", m.Took), ", ")
		}
		out = append(out, h)
	}
	for _, p := range r.Proxies {
		for _, reload := range p.Reloads {
			out = append(out, happening{At: reload.At, Kind: "reload", Badge: "R", What: "reload of HAProxy at " + p.Instance, Outcome: reload.Reason})
		}
	}
	slices.SortStableFunc(out, func(a, b happening) int { return cmp.Compare(a.At, b.At) })
	return out
}

// letters are n badges: A to Z, then A1 to Z1 and so on.
func letters(n int) []string {
	out := make([]string, 0, n)
	for i := range n {
		letter := string(rune('A' + i%26))
		if i >= 26 {
			letter += fmt.Sprint(i / 26)
		}
		out = append(out, letter)
	}
	return out
}

// fact is a row of how a run was measured.
type fact struct{ Label, Value string }

func facts(r result.Result) []fact {
	loop := "Open loop: every request has a due time that no server can move, and its latency counts from then; “from sent” is what a client that waits for its server would report."
	for _, p := range r.Phases {
		if p.Users > 0 {
			loop = fmt.Sprintf("Phase %s is a closed loop: its %d users wait for their answers, and latency counts from sending. In the others every request has a due time, and counts from then.", p.Name, p.Users)
		}
	}
	connections := "Kept connections"
	if !r.Client.KeepAlive {
		connections = "A connection per request"
	}
	out := []fact{
		{"Load", loop},
		{"Client", fmt.Sprintf("%s, at most %s at a time, %s opened. Timeout %s from the due time. Redirects are not followed.",
			connections, thousands(r.Client.Connections), thousands(r.Total.Dialed), milliseconds(r.Client.TimeoutMs))},
		{"Repeats", fmt.Sprintf("Requests with a body are never sent twice; %d without one were, by the transport.", r.Total.Retries)},
		{"Punctuality", fmt.Sprintf("The client was late by %s at the 99th percentile, by %s at most.",
			milliseconds(r.Pace.LatenessP99Ms), milliseconds(r.Pace.LatenessMaxMs))},
	}
	if m := r.Machine; m.Cores > 0 {
		text := fmt.Sprintf("%s, %s on %s", m.Host, m.OS, m.Arch)
		if m.Processor != "" {
			text += ", " + m.Processor
		}
		text += ", " + count(m.Cores, "processor")
		if m.MemoryMB > 0 {
			text += fmt.Sprintf(", %.1f GB", float64(m.MemoryMB)/1024)
		}
		if r.Pace.CPU > 0 {
			text += fmt.Sprintf("; the client used %.2f of them", r.Pace.CPU)
		}
		out = append(out, fact{"Machine", text})
	}
	for _, s := range r.Services {
		if s.Policy != nil {
			out = append(out, fact{"Policy of " + s.Name, policyText(s)})
		}
	}
	version := "loadtest " + r.Version
	if r.Machine.Go != "" {
		version += ", built with " + r.Machine.Go
	}
	return append(out, fact{"Versions", fmt.Sprintf("%s, result format %d", version, r.Format)})
}

func policyText(s result.Service) string {
	text := fmt.Sprintf("%d to %d replicas", s.Policy.Min, s.Policy.Max)
	for _, t := range s.Policy.Targets {
		text += fmt.Sprintf(", %s %g per replica", t.Metric, t.Value)
	}
	return text
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// clock writes seconds as minutes and seconds: 1:05.
func clock(seconds float64) string {
	return fmt.Sprintf("%d:%02d", int(seconds)/60, int(seconds)%60)
}

// milliseconds writes a latency; one that was not measured is a dash.
func milliseconds(v float64) string {
	if v == 0 {
		return "–"
	}
	return result.Milliseconds(v)
}

func shape(p result.Phase) string {
	if p.Users > 0 {
		return count(p.Users, "user")
	}
	words := make([]string, len(p.Rates))
	for i, rate := range p.Rates {
		words[i] = fmt.Sprintf("%g", rate)
	}
	between := map[string]string{"sine": " to ", "spike": ", ", "sawtooth": " to ", "replay": " to "}[p.Kind]
	return strings.Join(words, cmp.Or(between, " → ")) + "/s"
}

func targetName(t result.Target) string {
	if t.Name != "" {
		return t.Name
	}
	return t.Method + " " + t.URL
}
