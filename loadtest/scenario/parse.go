package scenario

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Parse reads a scenario. The file's name is for messages only; lookup is the environment, and open reads a file that the
// scenario names, by a name relative to the scenario's folder. The error is Problems: all that is wrong, each with its line.
func Parse(file string, data []byte, lookup func(string) (string, bool), open func(string) ([]byte, error)) (*Scenario, error) {
	d := &decoder{file: file, lookup: lookup, open: open}
	reader := yaml.NewDecoder(bytes.NewReader(data))
	var document, second yaml.Node
	if err := reader.Decode(&document); errors.Is(err, io.EOF) {
		return nil, Problems{{file, 0, "the file is empty"}}
	} else if err != nil {
		return nil, Problems{syntax(file, err)}
	}
	if err := reader.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, Problems{{file, second.Line, "a file holds one scenario: remove what follows ---"}}
	}
	s := &Scenario{
		File: file, KeepAlive: true, Timeout: DefaultTimeout, Connections: DefaultConnections,
		Limit: Limit{DefaultRequests, DefaultDuration, DefaultRate},
	}
	root := resolve(&document)
	if len(document.Content) > 0 {
		root = document.Content[0]
	}
	var at places
	at.top = d.object(root, "a scenario", d.fields(s, &at))
	d.check(s, at)
	if len(d.problems) > 0 {
		slices.SortStableFunc(d.problems, func(a, b Problem) int { return a.Line - b.Line })
		return nil, d.problems
	}
	return s, nil
}

// syntax takes the line out of the parser's message, the only place where it stands.
func syntax(file string, err error) Problem {
	reason := strings.TrimPrefix(err.Error(), "yaml: ")
	if rest, ok := strings.CutPrefix(reason, "line "); ok {
		number, rest, _ := strings.Cut(rest, ": ")
		if line, err := strconv.Atoi(number); err == nil {
			return Problem{file, line, rest}
		}
	}
	return Problem{file, 0, reason}
}

// places remembers the lines that checks across the whole file point to; 0 is a key that is not there.
type places struct {
	top                 map[string]int
	target, phase, hold []int
}

func (d *decoder) fields(s *Scenario, at *places) []field {
	return []field{
		{"name", "text", "what the report is headed with; needed", d.textTo(&s.Name, "name")},
		{"about", "text", "what the test is about, for readers of the report", d.textTo(&s.About, "about")},
		{"targets", "list", "what is sent, see Targets; needed", func(n *yaml.Node) {
			d.list(n, "targets", func(n *yaml.Node) {
				at.target = append(at.target, n.Line)
				s.Targets = append(s.Targets, d.target(n))
			})
		}},
		{"phases", "list", "how much is sent and when, see Phases; needed", func(n *yaml.Node) {
			d.list(n, "phases", func(n *yaml.Node) {
				at.phase = append(at.phase, n.Line)
				s.Phases = append(s.Phases, d.phase(n, s.Phases))
			})
		}},
		{"hold", "list", "connections that are opened and kept, see Held connections", func(n *yaml.Node) {
			d.list(n, "hold", func(n *yaml.Node) {
				at.hold = append(at.hold, n.Line)
				s.Hold = append(s.Hold, d.hold(n))
			})
		}},
		{"events", "list", "what is done to the service meanwhile, see Events", func(n *yaml.Node) {
			d.list(n, "events", func(n *yaml.Node) { s.Events = append(s.Events, d.event(n)...) })
		}},
		{"observe", "object", "what is looked at once a second, see What is observed", func(n *yaml.Node) {
			d.object(n, "observe", d.observeFields(&s.Observe))
		}},
		{"expect", "list", "what must be true of the run, see Expectations", func(n *yaml.Node) {
			d.list(n, "expect", func(n *yaml.Node) { d.expectation(n, s) })
		}},
		{"allow", "list of hosts", "hosts beside this machine that may be loaded, as HOST or HOST:PORT", d.texts(&s.Allow, "allow")},
		{"keepAlive", "true", "false opens a connection for each request; a kept one is used again within 10 s, for servers close idle ones too", d.boolTo(&s.KeepAlive, "keepAlive")},
		{"timeout", "10s", "the longest that a request may take, from when it was due", d.durationTo(&s.Timeout, "timeout")},
		{"connections", "500", "most requests on their way at one time; those that are due meanwhile wait, and their latency counts the wait", d.wholeTo(&s.Connections, "connections", 50_000)},
		{"engine", "address", "the Docker Engine on which events act, such as unix:///var/run/docker.sock; unless given, that of observe.swarm, or this machine's", d.textTo(&s.Engine, "engine")},
		{"limit", "object", "what the file may ask for at most, see Limits", func(n *yaml.Node) { d.object(n, "limit", d.limitFields(&s.Limit)) }},
	}
}

func (d *decoder) observeFields(o *Observe) []field {
	return []field{
		{"service", "name", "the swarm service that expectations about replicas mean; needed when anything is observed", d.textTo(&o.Service, "service")},
		{"others", "list of names", "further services, for the report", d.texts(&o.Others, "others")},
		{"scaler", "http://HOST:PORT", "the scaler's API: replicas and decisions", d.webTo(&o.Scaler, "scaler")},
		{"proxy", "http://HOST:PORT, or a list of them", "the API of every proxy: connections, queue, reloads, added up over all of them; a name with several addresses, such as tasks.sluice_proxy, is all of them", d.websTo(&o.Proxies, "proxy")},
		{"swarm", "address", "a manager's Docker Engine, such as unix:///var/run/docker.sock: replicas as the swarm sees them", d.textTo(&o.Swarm, "swarm")},
		{"influx", "{url, token, org, bucket}", "the InfluxDB that proxies and scaler write to, where their APIs cannot be reached", func(n *yaml.Node) {
			d.object(n, "influx", d.influxFields(&o.Influx))
		}},
	}
}

func (d *decoder) influxFields(i *Influx) []field {
	i.Bucket = DefaultBucket
	return []field{
		{"url", "http://HOST:8086", "its address; needed", d.webTo(&i.URL, "url")},
		{"token", "text", "for 1.8 user:password; better from the environment than in the file", d.textTo(&i.Token, "token")},
		{"org", "text", "empty for 1.8", d.textTo(&i.Org, "org")},
		{"bucket", DefaultBucket, "for 1.8 database/retention policy", d.textTo(&i.Bucket, "bucket")},
	}
}

func (d *decoder) limitFields(l *Limit) []field {
	return []field{
		{"requests", "1000000", "requests of the whole run", d.wholeTo(&l.Requests, "limit.requests", 1_000_000_000)},
		{"duration", "15m", "load and watching together", d.durationTo(&l.Duration, "limit.duration")},
		{"rate", "10000", "requests per second at any time; a closed loop is slowed down to it", func(n *yaml.Node) { l.Rate = d.rate(n, "limit.rate") }},
	}
}

func (d *decoder) expectation(n *yaml.Node, s *Scenario) {
	text, ok := d.text(n, "an expectation")
	if !ok {
		return
	}
	e, err := ParseExpectation(text)
	if err != nil {
		d.problem(n.Line, "%v", err)
		return
	}
	e.Line = n.Line
	s.Expect = append(s.Expect, e)
}
