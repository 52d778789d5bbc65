package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	dockerswarm "github.com/docker/docker/api/types/swarm"

	"sluice/internal/label"
	"sluice/internal/swarm/swarmtest"
	"sluice/routing"
)

// site is a proxy of its own on the swarm, with a network of its own.
type site struct {
	*stack
	network string
	proxy   string            // ID of its service
	pid     int               // of the proxy's container
	ports   map[uint32]string // of the container -> address on this machine
}

// TestRoutingCases are the cases that need a real swarm, by their numbers.
func TestRoutingCases(t *testing.T) {
	t.Parallel() // after TestHitless, which wants the machine for itself
	inTurn(t)
	s := newSite(t)
	services := map[string]string{} // by name, all started side by side
	for _, name := range []string{"c106", "c107", "c108", "c117", "c118", "c119"} {
		services[name] = s.start(name, name == "c119")
	}
	if _, known := routing.Labels.Lookup("shortName"); known {
		services["c116"] = s.start("c116", false, "shortName=true")
	}
	s.startTaskless("pending", "notasks")
	s.startTaskless("elsewhere", "nonetwork")
	for name := range services {
		s.await(patience, name+" answers", func() bool { return s.ask(name).code == http.StatusOK })
	}
	t.Run("106", func(t *testing.T) { s.in(t).withoutReplicas(services["c106"]) })
	t.Run("107", func(t *testing.T) { s.in(t).withOtherLabels(services["c107"]) })
	t.Run("108", func(t *testing.T) { s.in(t).withoutNotify(services["c108"]) })
	t.Run("116", func(t *testing.T) { s.in(t).byShortName() })
	t.Run("without tasks or network", func(t *testing.T) { s.in(t).unreachable() })
	t.Run("118", func(t *testing.T) { s.in(t).manyEvents(services["c118"]) })
	t.Run("under load", func(t *testing.T) {
		t.Run("117", func(t *testing.T) { t.Parallel(); s.in(t).scaled(services["c117"]) })
		t.Run("119", func(t *testing.T) { t.Parallel(); s.in(t).rolled(services["c119"]) })
	})
	s.await(patience, "at most one old worker is left", func() bool { return s.workers() <= 2 })
}

func newSite(t *testing.T) *site {
	return openSite(t, proxySpec{env: []string{"DRAIN_TIMEOUT=1s"}, patient: true})
}

func (s *site) in(t *testing.T) *site {
	inner := *s
	inner.stack = s.stack.in(t)
	return &inner
}

func labels(path string, more ...string) map[string]string {
	all := map[string]string{"com.df.notify": "true", "com.df.port": "8080", "com.df.servicePath": "/" + path}
	for _, l := range more {
		key, value, _ := strings.Cut(l, "=")
		all[label.Prefix+key] = value
	}
	return all
}

// start runs the sample application at /<path>.
func (s *site) start(path string, startFirst bool, more ...string) string {
	s.t.Helper()
	replicas := 1
	if startFirst {
		replicas = 2
	}
	all := labels(path, more...)
	all["com.docker.stack.namespace"] = "s"
	return swarmtest.Start(s.t, swarmtest.Service{Name: "s_" + path + "-" + port(s.http), Image: "sluice/demo-app", Labels: all, Networks: []string{s.network}, Replicas: replicas,
		Env: app{}.environment(),
		Edit: func(spec *dockerswarm.ServiceSpec) {
			grace := time.Minute
			spec.TaskTemplate.ContainerSpec.StopGracePeriod = &grace
			spec.TaskTemplate.ContainerSpec.Hostname = "{{.Task.ID}}"
			if startFirst {
				spec.UpdateConfig = &dockerswarm.UpdateConfig{Order: dockerswarm.UpdateOrderStartFirst, Parallelism: 1, Monitor: 500 * time.Millisecond}
			}
		}}).ID
}

// startTaskless makes a service that no request can reach. One that needs no network would be routed by all proxies of the
// swarm, those of other tests too: it is a case of conformance.
func (s *site) startTaskless(kind, path string) {
	service := swarmtest.Service{Name: path + "-" + port(s.http), Image: "sluice/demo-app", Labels: labels(path), Networks: []string{s.network}}
	switch kind {
	case "pending":
		service.Edit = func(spec *dockerswarm.ServiceSpec) {
			spec.TaskTemplate.Placement = &dockerswarm.Placement{Constraints: []string{"node.labels.nowhere == true"}}
		}
	case "elsewhere":
		service.Networks = nil
	}
	swarmtest.Start(s.t, service)
}

// reply is an answer; code is 0 where there was none.
type reply struct {
	code   int
	header http.Header
}

// ask sends a request on a connection of its own.
func (s *site) ask(path string) reply {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + s.http + "/" + path)
	if err != nil {
		return reply{}
	}
	response.Body.Close()
	return reply{response.StatusCode, response.Header}
}

// becomes waits until the path is answered with a code.
func (s *site) becomes(path string, code int) {
	s.t.Helper()
	s.await(patience, fmt.Sprintf("/%s is answered %d", path, code), func() bool { return s.ask(path).code == code })
}

// routed is what /v1/routes tells of the routes at a path and of a service's problems.
func (s *site) routed(path string) (found bool, note, problems string) {
	s.t.Helper()
	response, err := http.Get("http://" + s.api + "/v1/routes")
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	var body struct {
		Routes []struct {
			Service, Note string
			Routes        []map[string]any
		}
		Problems []struct{ Service, Label, Reason string }
	}
	if err := json.NewDecoder(response.Body).Decode(&body); err != nil {
		s.t.Fatal(err)
	}
	for _, r := range body.Routes {
		if strings.Contains(r.Service, path) {
			found, note = true, r.Note
		}
	}
	for _, p := range body.Problems {
		if strings.Contains(p.Service, path) {
			problems += p.Label + ": " + p.Reason + "\n"
		}
	}
	return found, note, problems
}

func (s *site) scale(id string, replicas uint64) {
	swarmtest.Change(s.t, id, func(spec *dockerswarm.ServiceSpec) { spec.Mode.Replicated.Replicas = &replicas })
}

func (s *site) withoutReplicas(id string) {
	s.scale(id, 0)
	s.becomes("c106", http.StatusServiceUnavailable)
	s.await(patience, "it is listed as one without replicas", func() bool {
		found, note, _ := s.routed("c106")
		return found && strings.Contains(note, "no replicas")
	})
	s.scale(id, 1)
	s.becomes("c106", http.StatusOK)
}

func (s *site) withOtherLabels(id string) {
	swarmtest.Label(s.t, id, "com.df.servicePath", "/new107")
	s.becomes("new107", http.StatusOK)
	s.becomes("c107", http.StatusServiceUnavailable)
}

func (s *site) withoutNotify(id string) {
	swarmtest.Change(s.t, id, func(spec *dockerswarm.ServiceSpec) { delete(spec.Labels, "com.df.notify") })
	s.becomes("c108", http.StatusServiceUnavailable)
	// Clients see the new worker before the controller has heard of it.
	s.await(patience, "it is listed no more", func() bool { found, _, _ := s.routed("c108"); return !found })
}

// byShortName wants the short name where Docker Flow Proxy shows names; statistics and problems keep the swarm's.
func (s *site) byShortName() {
	s.becomes("c116", http.StatusOK)
	response, err := http.Get("http://" + s.api + "/v1/docker-flow-proxy/config?type=json")
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	var services map[string]any
	if err := json.NewDecoder(response.Body).Decode(&services); err != nil {
		s.t.Fatal(err)
	}
	for name := range services {
		if strings.HasPrefix(name, "c116") {
			return
		}
	}
	s.t.Errorf("no service is called c116 without its stack's name: %v", slices.Sorted(maps.Keys(services)))
}

func (s *site) unreachable() {
	for path, want := range map[string]string{"notasks": "", "nonetwork": "network"} {
		s.becomes(path, http.StatusServiceUnavailable)
		s.await(patience, path+" is listed with what is wrong", func() bool {
			found, note, problems := s.routed(path)
			return want == "" && found && note != "" || want != "" && strings.Contains(problems+note, want)
		})
	}
	if code := s.ask("c106").code; code != http.StatusOK {
		s.t.Errorf("another service is answered %d", code)
	}
}

// reloads is the proxy's own count.
func (s *site) reloads() int {
	s.t.Helper()
	response, err := http.Get("http://" + s.api + "/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		if text, ours := strings.CutPrefix(lines.Text(), "sluice_proxy_reloads_total "); ours {
			n, _ := strconv.Atoi(text)
			return n
		}
	}
	s.t.Fatal("the proxy does not count its reloads")
	return 0
}

// manyEvents changes a label that only a reload brings into force, 50 times in about a second.
func (s *site) manyEvents(id string) {
	before, began := s.reloads(), time.Now()
	for i := range 50 {
		swarmtest.Label(s.t, id, "com.df.setResHeader", fmt.Sprint("X-Event ", i))
	}
	s.await(patience, "the last of the changes is in force", func() bool { return s.ask("c118").header.Get("X-Event") == "49" && s.reloads() > before })
	n, took := s.reloads()-before, time.Since(began)
	s.t.Logf("%d reloads for 50 events in %s", n, took.Round(time.Millisecond))
	if n > 2+int(took/time.Second) {
		s.t.Errorf("%d reloads for 50 events in %s", n, took)
	}
}

// workers counts the processes of HAProxy below its master.
func (s *site) workers() int {
	master := child(s.pid, "haproxy -W")
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", master))
	n := 0
	for _, file := range files {
		list, _ := os.ReadFile(file)
		n += len(strings.Fields(string(list)))
	}
	return n
}

// during changes something while a load runs, of which no request may fail.
func (s *site) during(path string, change func()) {
	s.lossless("steady.yml", []string{"SLUICE_CASE=" + path}, change)
}

// hit waits until requests are answered by exactly so many tasks, and answers which.
func (s *site) hit(path string, n int) (tasks []string) {
	s.t.Helper()
	s.await(patience, fmt.Sprintf("%d tasks answer /%s", n, path), func() bool {
		tasks = nil
		for range 12 {
			if task := s.ask(path).header.Get("X-Task"); !slices.Contains(tasks, task) {
				tasks = append(tasks, task)
			}
		}
		return len(tasks) == n
	})
	return tasks
}

func (s *site) scaled(id string) {
	s.during("c117", func() {
		s.hit("c117", 1)
		s.scale(id, 3)
		s.hit("c117", 3)
		s.scale(id, 1)
		s.hit("c117", 1)
	})
}

func (s *site) rolled(id string) {
	s.during("c119", func() {
		before := s.hit("c119", 2)
		swarmtest.Change(s.t, id, func(spec *dockerswarm.ServiceSpec) { spec.TaskTemplate.ForceUpdate++ })
		s.await(patience, "only new tasks answer", func() bool {
			after := s.hit("c119", 2)
			return !slices.Contains(after, before[0]) && !slices.Contains(after, before[1])
		})
	})
}
