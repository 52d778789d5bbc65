package e2e

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"sluice/loadtest/result"
)

// attack runs a scenario of testdata and answers its result; the verdicts are the caller's to judge. Meanwhile is called
// once the load is under way, so that what it changes meets requests.
func (s *stack) attack(scenario string, meanwhile func()) (r result.Result, err error) {
	s.t.Helper()
	return s.assault(scenario, meanwhile, false)
}

// attackWhile is attack with a load that ends as soon as meanwhile does, however long that takes.
func (s *stack) attackWhile(scenario string, meanwhile func()) (r result.Result, err error) {
	s.t.Helper()
	return s.assault(scenario, meanwhile, true)
}

func (s *stack) assault(scenario string, meanwhile func(), interrupt bool) (r result.Result, err error) {
	s.t.Helper()
	dir := filepath.Join(s.t.TempDir(), "report")
	said := &speech{began: make(chan struct{})}
	load := s.command(s.loadtest, "run", "--plain", "--out", dir, filepath.Join("e2e", "testdata", scenario))
	load.Stdout, load.Stderr = said, said
	if err := load.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended := make(chan struct{})
	var failed error
	go func() { defer close(ended); failed = load.Wait() }()
	defer func() { // also when meanwhile ends the test
		_ = load.Process.Signal(os.Interrupt)
		<-ended
		s.t.Logf("%s", said)
	}()
	select {
	case <-said.began:
	case <-ended:
		return r, fmt.Errorf("the load did not begin: %w", cmp.Or(failed, errors.New("it ended at once")))
	}
	meanwhile()
	if interrupt {
		select {
		case <-ended:
			return r, fmt.Errorf("the load ended before what was done meanwhile: %w", cmp.Or(failed, errors.New("it was too short")))
		default:
		}
		_ = load.Process.Signal(os.Interrupt)
		<-ended
		failed = nil // that it was interrupted
	}
	<-ended
	content, err := os.ReadFile(filepath.Join(dir, "result.json"))
	if err != nil {
		return r, errors.Join(failed, err)
	}
	if err := json.Unmarshal(content, &r); err != nil {
		return r, err
	}
	return r, failed
}

// judge fails the test for every expectation of the scenario that did not hold.
func judge(t *testing.T, r result.Result) {
	t.Helper()
	for _, v := range r.Verdicts {
		if !v.Passed {
			t.Errorf("%s: saw %s", v.Expect, v.Saw)
		}
	}
	for _, f := range r.Failures {
		t.Logf("%+v", f)
	}
}

// speech is what a load says of itself; began is closed when it has sent for a second.
type speech struct {
	mutex sync.Mutex
	words bytes.Buffer
	began chan struct{}
	once  sync.Once
}

func (s *speech) Write(words []byte) (int, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.words.Write(words)
	if bytes.Contains(s.words.Bytes(), []byte(" asked ")) {
		s.once.Do(func() { close(s.began) })
	}
	return len(words), nil
}

func (s *speech) String() string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.words.String()
}
