package scenario

import (
	"fmt"
	"strings"
)

// Reference is the documentation of scenario files, in Markdown. It is made of the tables by which Parse reads them.
func Reference() string {
	var out strings.Builder
	d := &decoder{}
	section := func(title, text string, fields []field) {
		if title != "" {
			fmt.Fprintf(&out, "\n## %s\n", title)
		}
		if text != "" {
			fmt.Fprintf(&out, "\n%s\n", text)
		}
		out.WriteString("\n| key | value | meaning |\n|---|---|---|\n")
		for _, f := range fields {
			fmt.Fprintf(&out, "| `%s` | `%s` | %s |\n", f.key, cell(f.value), cell(f.about))
		}
	}
	section("The file", "Values may come from the environment: `${NAME}` must be set, `${NAME:-default}` need not be. Files are named relative to the scenario's folder. Where a value stands below that can be given as it is, it is the default.",
		d.fields(&Scenario{}, &places{}))
	section("Targets", "Request number n goes to the target whose turn it is: weights are kept as evenly as possible.", d.targetFields(&Target{}))
	section("", "`tls`:", d.tlsFields(&TLS{}))
	section("Phases", "Phases follow each other. The due time of every request follows from them alone: request n is due when the area under the rate reaches n + ½, "+
		"and is sent then, however slow the service is (an open loop); its latency counts from when it was due.", d.phaseFields(&Phase{}, &phaseKeys{}))
	out.WriteString("\n| kind | takes | meaning |\n|---|---|---|\n")
	for _, s := range shapes() {
		var keys []string
		for _, key := range s.needs {
			keys = append(keys, "`"+key+"`")
		}
		for _, key := range s.may {
			keys = append(keys, "`"+key+"`?")
		}
		fmt.Fprintf(&out, "| `%s` | %s | %s |\n", s.kind, strings.Join(keys, ", "), cell(s.about))
	}
	section("Held connections", "Long connections that are opened beside the requests and kept until the load ends: WebSockets, and answers that go on as a stream. A connection is lost when anyone but this client ends it, when a sign of life gets no echo in time, or when a stream brings nothing for too long.", d.holdFields(&Hold{}))
	section("Events", "Each event has a time and does one thing. Events are drawn into the report. One that fails fails the run unless it is `optional`.", d.eventFields(&Event{}, &again{}))
	for _, kind := range []string{"scale", "update"} {
		section("", "`"+kind+"`:", d.changeFields(&Change{}, kind))
	}
	section("", "`kill`, `stop`, `start`, `pause` and `resume` take either a service or a container (`signal` is of `kill`):", d.containerFields(&Container{}, "kill"))
	section("", "`request`:", d.callFields(&Call{}))
	section("What is observed", "", d.observeFields(&Observe{}))
	section("", "`influx`:", d.influxFields(&Influx{}))
	out.WriteString("\n## Expectations\n\nA sentence each, with one of `=`, `<`, `<=`, `>`, `>=`. What was not observed does not hold. ` in PHASE` at the end means only that phase.\n\n| for example | meaning |\n|---|---|\n")
	for _, f := range forms() {
		fmt.Fprintf(&out, "| `%s` | %s |\n", cell(f.example), cell(f.about))
	}
	section("Limits", "A run is bounded, so that a slip in a file stays a slip. Load, events and questions go only to this machine and to hosts under `allow`.", d.limitFields(&Limit{}))
	return out.String()
}

// cell keeps a text from ending its cell.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
