// Package result gathers what a run did into one value, and judges it by the scenario's expectations.
//
//	Outcome ─Recorder─┐
//	                  ├─Assemble─> Result ─Judge─> Verdicts ─> result.json, the report, the exit code
//	Timeline ─────────┘
//
// Result is the whole truth about a run: every report is made from it alone.
package result

import (
	"time"

	"sluice/loadtest/observe"
)

// Format is the version of a result's JSON. It rises when a field changes its meaning or goes; new fields do not raise it.
const Format = 2

// Result is one run. Seconds and milliseconds are numbers; seconds count from the start of the load.
type Result struct {
	Format      int       `json:"format"`
	Version     string    `json:"version"` // of the tool
	Scenario    string    `json:"scenario"`
	About       string    `json:"about,omitempty"`
	File        string    `json:"file"`
	Source      string    `json:"source,omitempty"` // the file's text
	Machine     Machine   `json:"machine"`
	Targets     []Target  `json:"targets"`
	Client      Client    `json:"client"`
	Service     string    `json:"service,omitempty"` // the first of the observed ones
	Started     time.Time `json:"started"`
	LoadSeconds float64   `json:"loadSeconds"` // until sending stopped
	Interrupted bool      `json:"interrupted,omitempty"`

	Total    Tally         `json:"total"`
	Curve    []Quantile    `json:"curve"`
	Phases   []Phase       `json:"phases"`
	Failures []Failure     `json:"failures"`
	Pace     Pace          `json:"pace"`
	Seconds  []Second      `json:"seconds"`
	Services []Service     `json:"services"`
	Proxies  []Proxy       `json:"proxies"`
	Changes  []Decision    `json:"decisions"`
	Marks    []Mark        `json:"marks"`
	Holders  []Holders     `json:"holders,omitempty"`
	Gaps     []observe.Gap `json:"gaps"`
	Notes    []string      `json:"notes"`             // what a reader must know before believing the numbers
	Answers  []Answer      `json:"answers,omitempty"` // what the service itself counted
	Reloads  *int          `json:"reloads,omitempty"` // of the proxy during the run; nil when it was not asked
	Verdicts []Verdict     `json:"verdicts"`
	Passed   bool          `json:"passed"`
}

// Target is what was asked for, and its share.
type Target struct {
	Name   string `json:"name,omitempty"`
	Method string `json:"method"`
	URL    string `json:"url"`
	Weight int    `json:"weight"`
	Sent   int    `json:"sent"`
	OK     int    `json:"ok"`
	Failed int    `json:"failed"`

	Latency Latency `json:"latency"`     // from when a request was due
	Service Latency `json:"serviceTime"` // from when it was sent
}

// Client is how requests were sent.
type Client struct {
	KeepAlive   bool    `json:"keepAlive"`
	TimeoutMs   float64 `json:"timeoutMs"`
	Connections int     `json:"connections"`
}

// Tally counts requests. Asked = Sent + Unsent, but for a run that was interrupted; Sent = OK + Failed + Cut.
type Tally struct {
	Asked   int         `json:"asked"`
	Sent    int         `json:"sent"`
	OK      int         `json:"ok"`
	Failed  int         `json:"failed"` // unsent ones too
	Unsent  int         `json:"unsent"`
	Late    int         `json:"late"`             // of Sent: more than a second after they were due
	Cut     int         `json:"cut"`              // in flight when the run was interrupted
	Retries int         `json:"retries"`          // by the transport
	Dialed  int         `json:"dialed"`           // connections opened
	Latency Latency     `json:"latency"`          // from when a request was due
	Service Latency     `json:"service"`          // from when it was sent
	Status  map[int]int `json:"status,omitempty"` // answers by status code
}

// Latency is a distribution in milliseconds. All are zero when nothing was measured.
type Latency struct {
	Mean float64 `json:"mean"`
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P95  float64 `json:"p95"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
	Max  float64 `json:"max"`
}

// Phase is one phase of the load.
type Phase struct {
	Name  string    `json:"name"`
	Kind  string    `json:"kind"`
	Rates []float64 `json:"rates"`
	From  float64   `json:"from"` // seconds
	To    float64   `json:"to"`
	Users int       `json:"users,omitempty"` // of a closed loop: nothing is due in it, and latency counts from sending
	Tally
	Curve   []Quantile    `json:"curve"`
	Targets []TargetTally `json:"targets,omitempty"` // when there are several
}

// Quantile is one point of a distribution: the share of requests in percent, and the latency in milliseconds that they did not exceed.
type Quantile [2]float64

// TargetTally is what became of the requests to one target in one phase.
type TargetTally struct {
	Target  int     `json:"target"` // index
	Sent    int     `json:"sent"`
	OK      int     `json:"ok"`
	Failed  int     `json:"failed"`
	Latency Latency `json:"latency"`
}

// Failure is one kind of failure with the first few that happened.
type Failure struct {
	Kind    string   `json:"kind"`
	Count   int      `json:"count"`
	Samples []Sample `json:"samples"`
}

// Sample is one failed request.
type Sample struct {
	At    float64 `json:"at"` // second in which it ended
	Phase string  `json:"phase"`
	Text  string  `json:"text"`
}

// Pace tells how well the client kept the schedule, in milliseconds.
type Pace struct {
	ClientLimited     bool    `json:"clientLimited"`     // the client itself was too slow
	ConnectionLimited bool    `json:"connectionLimited"` // requests waited for one of the allowed connections
	Waited            int     `json:"waited"`            // requests that did
	LongestWaitMs     float64 `json:"longestWaitMs"`
	LatenessP99Ms     float64 `json:"latenessP99Ms"` // by the client's own doing
	LatenessMaxMs     float64 `json:"latenessMaxMs"`
	CPU               float64 `json:"cpu"`   // cores that the client used, mean over the load
	Cores             int     `json:"cores"` // that it could have used
}

// Second is one second of the run. Asked, Sent and the latencies belong to the requests due in it; OK, Failed and what Failed is made of to those that
// ended in it. Connections, Queue, Desired and Running are those of the first observed service, which stand in Services too. Nil is not known.
type Second struct {
	Asked       int      `json:"asked"`
	Sent        int      `json:"sent"`
	OK          int      `json:"ok"`
	Failed      int      `json:"failed"`
	Status4xx   int      `json:"status4xx,omitempty"` // of Failed
	Status5xx   int      `json:"status5xx,omitempty"` // of Failed
	NoAnswer    int      `json:"noAnswer,omitempty"`  // of Failed: none, or not a whole one
	Held        *int     `json:"held,omitempty"`      // connections held open at its end; nil when the scenario holds none
	Lost        int      `json:"lost,omitempty"`      // of these, lost or refused in it
	P50         *float64 `json:"p50"`
	P90         *float64 `json:"p90"`
	P99         *float64 `json:"p99"`
	Max         *float64 `json:"max"`
	Service99   *float64 `json:"service99"`
	Connections *float64 `json:"connections"`
	Queue       *float64 `json:"queue"`
	Desired     *int     `json:"desired"`
	Running     *int     `json:"running"`
}

// Decision is one of the scaler's, at its second.
type Decision struct {
	At      float64 `json:"at"`
	Service string  `json:"service,omitempty"`
	From    int     `json:"from"`
	To      int     `json:"to"`
	Verdict string  `json:"verdict"`
	Reason  string  `json:"reason"`
}

// Verdict is one expectation and what was seen.
type Verdict struct {
	Expect string `json:"expect"`
	Line   int    `json:"line"`
	Passed bool   `json:"passed"`
	Saw    string `json:"saw"`
}
