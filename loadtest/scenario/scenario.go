// Package scenario turns a load-test file into values: what is asked for, when, and what must then be true.
//
//	file.yml ─Parse─> Scenario{Targets, Phases, Hold, Events, Observe, Expect} ─NewSchedule─> the due time of every request
//
// It is pure: the file's bytes, the environment and a reader of the files beside it come in as arguments, nothing is sent or
// measured here. What a file may hold is one table of fields, from which docs/loadtest.md is made too.
package scenario

import "time"

// Scenario is one load test. Parse gives only complete ones, with every default filled in.
type Scenario struct {
	File        string
	Source      string // the file's text, variables not filled in; set by who reads the file, for reports
	Name        string
	About       string
	Targets     []Target
	Allow       []string      // hosts beside this machine that may be loaded
	KeepAlive   bool          // false: a connection per request
	Timeout     time.Duration // of one request, counted from when it was due
	Connections int           // most connections, and requests in flight, at one time
	Phases      []Phase
	Hold        []Hold
	Events      []Event
	Engine      string // address of the Docker Engine on which events act; "" is this machine's socket
	Observe     Observe
	Expect      []Expectation
	Limit       Limit
}

// Target is one kind of request. Weight is its share among the targets of the scenario.
type Target struct {
	Name      string // "" unless given; expectations may speak of it
	URL       string
	Method    string
	Headers   []Header
	Body      string
	Weight    int
	KeepAlive *bool // nil is the scenario's
	HTTP2     bool  // over TLS, or with prior knowledge over plain connections
	TLS       TLS
}

// Header is one request header; the name Host sets the request's host.
type Header struct{ Name, Value string }

// TLS says how the certificate of an https target is checked. The zero value asks the machine's own authorities for the URL's host.
type TLS struct {
	CA         []byte // PEM of the authorities to trust instead of the machine's; nil is the machine's
	ServerName string // asked for (SNI) and checked, instead of the URL's host
	Insecure   bool   // nothing is checked
}

// Kind is the shape of a phase.
type Kind string

const (
	Constant Kind = "constant" // Rates[0] all along
	Ramp     Kind = "ramp"     // from Rates[0] to Rates[1] in a straight line
	Step     Kind = "step"     // each of Rates for an equal share of the duration
	Sine     Kind = "sine"     // a wave that starts at Rates[0] and is at Rates[1] half a Period later
	Spike    Kind = "spike"    // Rates[0], but Rates[1] from At on for Width
	Sawtooth Kind = "sawtooth" // rises from Rates[0] to Rates[1] in each Period and falls at once
	Replay   Kind = "replay"   // in straight lines from one of Points to the next; Rates are the lowest and the highest
	Closed   Kind = "closed"   // no rate: Users that each send, wait for the answer, and think
)

// Phase is a stretch of the load. Rates are in requests per second.
type Phase struct {
	Name     string
	Kind     Kind
	Rates    []float64
	Duration time.Duration
	Period   time.Duration // of Sine and Sawtooth
	At       time.Duration // of Spike, from the start of the phase
	Width    time.Duration // of Spike
	Points   []Point       // of Replay
	Users    int           // of Closed
	Think    time.Duration // of Closed: from an answer to the next request of the same user
}

// Hold is a group of connections that are opened and kept until the load ends: WebSockets, or answers that go on as a stream.
type Hold struct {
	URL         string // ws:// or wss://; http:// or https:// is a stream
	Headers     []Header
	TLS         TLS
	Connections int
	Rate        float64       // connections opened per second
	At          time.Duration // from the start of the load
	Every       time.Duration // from one sign of life to the next; of a stream the longest that it may bring nothing, 0 is for ever
	Message     string        // sent as a sign of life and awaited back; "" is a ping of the protocol
	Reopen      bool          // open again, after a second, what was lost or refused
}

// Observe names what is looked at once a second beside the load. Each part is optional: an empty string is not observed.
type Observe struct {
	Service string   // name of the swarm service; the first of Services
	Others  []string // further services
	Influx  Influx   // where the proxies and the scaler write, for where their APIs cannot be reached
	Scaler  string   // URL of the scaler's API: replicas and decisions
	Proxies []string // URLs of the APIs of proxies: connections and queue, added up; a name may stand for several
	Swarm   string   // address of a Docker Engine that is a manager: replicas as the swarm sees them
}

// Services are all that are looked at, the main one first; nil when none is.
func (o Observe) Services() []string {
	if o.Service == "" {
		return nil
	}
	return append([]string{o.Service}, o.Others...)
}

// Influx says which InfluxDB is read; none when URL is empty.
type Influx struct {
	URL    string
	Token  string // of 1.8: "user:password", or "" without authentication
	Org    string // of 1.8: ""
	Bucket string // of 1.8: "database/retention policy"
}

// Limit bounds a run, so that a slip in a file stays a slip.
type Limit struct {
	Requests int           // of the whole run
	Duration time.Duration // of load and watching together
	Rate     float64       // requests per second at any time
}

// Bounds of a run and settings of the client where the file says nothing.
const (
	DefaultTimeout     = 10 * time.Second
	DefaultConnections = 500
	DefaultRequests    = 1_000_000
	DefaultDuration    = 15 * time.Minute
	DefaultRate        = 10_000
	DefaultHoldRate    = 100
	DefaultHoldEvery   = time.Second
	DefaultBucket      = "telegraf/autogen"
)

// Duration is the length of the load, without watching what follows it.
func (s *Scenario) Duration() time.Duration {
	var total time.Duration
	for _, p := range s.Phases {
		total += p.Duration
	}
	return total
}

// Watch is the longest time that expectations ask to look on after the load has ended; zero when none does.
func (s *Scenario) Watch() time.Duration {
	var longest time.Duration
	for _, e := range s.Expect {
		longest = max(longest, e.Within)
	}
	return longest
}

// Window gives the times between which the named phase runs, counted from the start of the load.
func (s *Scenario) Window(phase string) (from, to time.Duration, ok bool) {
	for _, p := range s.Phases {
		if p.Name == phase {
			return from, from + p.Duration, true
		}
		from += p.Duration
	}
	return 0, 0, false
}

// Mix is the order in which targets take turns: a cycle in which target i stands Weight times, spread as evenly as
// possible (the smooth weighted round robin of nginx). Request number n goes to target Mix[n mod len(Mix)].
func Mix(targets []Target) []int {
	total := 0
	for _, t := range targets {
		total += t.Weight
	}
	credit, mix := make([]int, len(targets)), make([]int, 0, total)
	for range total {
		best := 0
		for i, t := range targets {
			credit[i] += t.Weight
			if credit[i] > credit[best] {
				best = i
			}
		}
		credit[best] -= total
		mix = append(mix, best)
	}
	return mix
}
