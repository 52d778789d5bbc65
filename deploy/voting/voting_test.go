// Package voting deploys the voting application as a user would, and votes.
package voting

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/internal/swarm/swarmtest"
	"sluice/loadtest/result"
)

const (
	sluiceStack = "sluice-voting"
	stackName   = "sluice-voting-app"
	secret      = "sluice-voting-db-password"
)

// site is Sluice and the voting application under names and ports of their own.
type site struct {
	t    *testing.T
	root string
	env  []string
	http string // HOST:PORT of the proxy
}

func TestVoting(t *testing.T) {
	s := deploy(t)
	t.Run("a browser votes and sees the result change", func(t *testing.T) { s.in(t).votesInABrowser() })
	t.Run("ten thousand votes are in PostgreSQL, each once", func(t *testing.T) { s.in(t).countsEachVoteOnce() })
	s.paint()
}

func deploy(t *testing.T) *site {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	swarmtest.Need(t)
	s := &site{t: t, root: root, http: swarmtest.FreeAddress(t)}
	// A folder that stays: what a run that was interrupted left is removed by the next one.
	s.env = append(os.Environ(), "SLUICE_STATE="+filepath.Join(root, ".sluice", "voting"), "SLUICE_NETWORK="+sluiceStack, "VOTING_STACK="+stackName, "VOTING_SECRET="+secret,
		// Other tests have services of their own to scale on this swarm.
		"SLUICE_SCALER_FILTER=com.docker.stack.namespace="+stackName,
		// A busy engine may take long to start Redis again.
		"VOTING_PATIENCE=4m", "VOTING_TIMEOUT=300",
		"SLUICE_HTTP_PORT="+port(s.http), "SLUICE_HTTPS_PORT="+port(swarmtest.FreeAddress(t)), "SLUICE_API_PORT="+port(swarmtest.FreeAddress(t)), "SLUICE_SCALER_PORT="+port(swarmtest.FreeAddress(t)), "SLUICE_INFLUX_PORT="+port(swarmtest.FreeAddress(t)))
	if os.Getenv("CI") == "" {
		if _, err := s.try("docker", "image", "inspect", "sluice/proxy", "sluice/scaler", "sluice/voting"); err != nil {
			t.Skip("the images are not built: run `make ready` first")
		}
	}
	browser(t) // skip before anything is deployed
	s.clear()
	t.Cleanup(func() {
		if t.Failed() {
			s.tell()
		}
		s.clear()
	})
	password := s.command("docker", "secret", "create", secret, "-")
	password.Stdin = strings.NewReader("p@ss/word: of a test?")
	if output, err := password.CombinedOutput(); err != nil {
		t.Fatalf("create secret: %v\n%s", err, output)
	}
	s.run("scripts/deploy", sluiceStack, "deploy/tick/stack.yml", "deploy/demo/observe.yml", "deploy/demo/patient.yml")
	s.run("scripts/deploy", stackName, "deploy/voting/stack.yml")
	for _, path := range []string{"/vote/", "/result/", "/result/tally"} {
		s.await(5*time.Minute, path+" answers through the proxy", func() bool { return s.status(path) == http.StatusOK })
	}
	return s
}

// clear removes the stacks, and the secret, which belongs to no stack.
func (s *site) clear() {
	s.run("scripts/down")
	_, _ = s.try("docker", "secret", "rm", secret) // there may be none
}

// in is the same site for a subtest, which then is the one to fail.
func (s *site) in(t *testing.T) *site {
	inner := *s
	inner.t = t
	return &inner
}

// run runs a program in the root of the project and gives what it wrote; the test fails when the program does.
func (s *site) run(name string, args ...string) string {
	s.t.Helper()
	output, err := s.try(name, args...)
	if err != nil {
		s.t.Fatal(err)
	}
	return output
}

func (s *site) try(name string, args ...string) (string, error) {
	output, err := s.command(name, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, output)
	}
	return strings.TrimSpace(string(output)), nil
}

func (s *site) command(name string, args ...string) *exec.Cmd {
	if strings.HasPrefix(name, "scripts/") {
		name = filepath.Join(s.root, name)
	}
	c := exec.Command(name, args...)
	c.Dir, c.Env = s.root, s.env
	return c
}

func (s *site) await(limit time.Duration, what string, holds func() bool) {
	s.t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(limit); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			s.t.Fatalf("not within %s: %s", limit, what)
		}
	}
}

// status is the answer's code of one request on a connection of its own; 0 when there is none.
func (s *site) status(path string) int {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + s.http + path)
	if err != nil {
		return 0
	}
	response.Body.Close()
	return response.StatusCode
}

// tell writes what the parts have to say, for the reader of a failure.
func (s *site) tell() {
	for _, stack := range []string{sluiceStack, stackName} {
		output, _ := s.command("docker", "stack", "ps", "--no-trunc", stack).CombinedOutput()
		s.t.Logf("docker stack ps %s\n%s", stack, output)
	}
	for _, service := range []string{stackName + "_vote", stackName + "_worker", stackName + "_result", stackName + "_db", stackName + "_redis", sluiceStack + "_scaler"} {
		s.t.Logf("%s says\n%s", service, swarmtest.Log(s.t, service, 40))
	}
}

// countsEachVoteOnce runs the load of load.yml and then asks PostgreSQL and Redis themselves.
func (s *site) countsEachVoteOnce() {
	before := s.sql("SELECT count(*) FROM votes")
	binary, report := filepath.Join(s.t.TempDir(), "loadtest"), filepath.Join(s.t.TempDir(), "report")
	s.run("go", "build", "-buildvcs=false", "-o", binary, "./loadtest")
	output, failed := s.command(binary, "run", "--plain", "--out", report, "deploy/voting/load.yml").CombinedOutput()
	s.t.Logf("%s", output)
	var r result.Result
	content, err := os.ReadFile(filepath.Join(report, "result.json"))
	if err == nil {
		err = json.Unmarshal(content, &r)
	}
	if err := errors.Join(failed, err); err != nil {
		s.t.Errorf("run the load: %v", err)
	}
	for _, v := range r.Verdicts {
		if !v.Passed {
			s.t.Errorf("%s: saw %s", v.Expect, v.Saw)
		}
	}
	if got := s.sql(fmt.Sprintf("SELECT count(*) - %s || ' votes, ' || count(DISTINCT id) - %s || ' ids' FROM votes", before, before)); got != "10000 votes, 10000 ids" {
		s.t.Errorf("PostgreSQL has %s, want 10000 votes of as many ids", got)
	}
	for _, list := range []string{"votes", "votes:taken", "votes:unreadable"} {
		// A worker takes its mark away after the votes are stored.
		s.await(time.Minute, "no vote is left in the list "+list, func() bool { return s.inside("redis", "redis-cli", "--raw", "LLEN", list) == "0" })
	}
}

// sql asks PostgreSQL in its container.
func (s *site) sql(query string) string {
	s.t.Helper()
	return s.inside("db", "psql", "--username", "postgres", "--dbname", "votes", "--tuples-only", "--no-align", "--command", query)
}

// inside runs a program in the container of a service until it succeeds, for the service may be starting.
func (s *site) inside(service string, command ...string) (output string) {
	s.t.Helper()
	s.await(2*time.Minute, command[0]+" in "+service, func() bool {
		id := s.run("docker", "ps", "--quiet", "--filter", "label=com.docker.swarm.service.name="+stackName+"_"+service)
		if len(strings.Fields(id)) != 1 {
			return false
		}
		var err error
		output, err = s.try("docker", append([]string{"exec", id}, command...)...)
		return err == nil
	})
	return output
}

func port(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}
