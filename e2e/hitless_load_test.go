package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/loadtest/result"
)

// load is a scenario of testdata that runs until the test ends it, however long what the test does meanwhile takes.
type load struct {
	s       *site
	dir     string
	said    *speech
	process *os.Process
	ended   chan struct{}
	failed  error
}

// begin starts a scenario and answers when it is under way. Variables are NAME=value.
func (s *site) begin(scenario string, variables ...string) *load {
	s.t.Helper()
	l := &load{s: s, dir: filepath.Join(s.t.TempDir(), "report"), said: &speech{began: make(chan struct{})}, ended: make(chan struct{})}
	c := s.command(s.loadtest, "run", "--plain", "--out", l.dir, filepath.Join("e2e", "testdata", scenario))
	c.Env = append(append(os.Environ(), "SLUICE_HOST="+outside(s.t), "SLUICE_HTTP_PORT="+port(s.http)), variables...)
	c.Stdout, c.Stderr = l.said, l.said
	if err := c.Start(); err != nil {
		s.t.Fatal(err)
	}
	l.process = c.Process
	go func() { defer close(l.ended); l.failed = c.Wait() }()
	s.t.Cleanup(func() { _ = l.process.Signal(os.Interrupt); <-l.ended }) // also when the test fails before the end
	select {
	case <-l.said.began:
	case <-l.ended:
		s.t.Fatalf("the load did not begin: %v\n%s", l.failed, l.said)
	}
	return l
}

// end stops the load and answers what became of its requests. One that ended by itself was too short: then what the test
// did last met no request.
func (l *load) end() result.Result {
	t := l.s.t
	t.Helper()
	select {
	case <-l.ended:
		t.Fatalf("the load ended before the test did: %v\n%s", l.failed, l.said)
	default:
	}
	_ = l.process.Signal(os.Interrupt)
	<-l.ended
	var r result.Result
	content, err := os.ReadFile(filepath.Join(l.dir, "result.json"))
	if err == nil {
		err = json.Unmarshal(content, &r)
	}
	if err != nil {
		t.Fatalf("read the load's result: %v\n%s", err, l.said)
	}
	return r
}

// lossless runs a scenario while change is made, of which no request and no held connection may be lost.
func (s *site) lossless(scenario string, variables []string, change func()) {
	s.t.Helper()
	l := s.begin(scenario, variables...)
	change()
	r := l.end()
	s.t.Log(summary(r))
	judge(s.t, r)
}

// summary is a run in a line or two.
func summary(r result.Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d requests in %.0f s on %d connections, %d failed, p99 %.0f ms, longest %.0f ms", r.Total.Sent, r.LoadSeconds, r.Total.Dialed, r.Total.Failed, r.Total.Latency.P99, r.Total.Latency.Max)
	for _, h := range r.Holders {
		fmt.Fprintf(&b, "; %d WebSockets held, %d lost or refused, slowest echo %.0f ms", h.Most, h.Lost+h.Refused, h.Echo.Max)
	}
	for _, f := range r.Failures {
		fmt.Fprintf(&b, "\n%d × %s, such as %+v", f.Count, f.Kind, f.Samples[0])
	}
	return b.String()
}

// target is the variables of a load on a path of the site.
func (s *site) target(path string) []string {
	return []string{"SLUICE_TARGET=http://" + s.http + "/" + path}
}

// bounded fails the test when more requests were lost than were in flight on what was killed.
func bounded(t *testing.T, r result.Result, most int) {
	t.Helper()
	t.Logf("%s (at most %d were in flight)", summary(r), most)
	if r.Total.Failed > most {
		t.Errorf("%d requests failed, more than the %d that were in flight", r.Total.Failed, most)
	}
	if r.Total.Retries > 0 {
		t.Errorf("the client sent %d requests again", r.Total.Retries)
	}
}
