package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/internal/swarm/swarmtest"
)

// backends counts the routed services whose name holds the word.
func (s *site) backends(word string) int {
	s.t.Helper()
	response, err := http.Get("http://" + s.api + "/v1/docker-flow-proxy/config?type=text")
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.Count(string(text), "\nbackend s_"+word) + strings.Count(string(text), "\nbackend "+word)
}

// outages takes from a proxy what it consists of, and what it stands on. HAProxy goes on without its controller and
// without Docker; with a worker go the requests that it had, and with the container those that come until the swarm has
// started another one.
func outages(t *testing.T) {
	docker := serveDocker(t)
	s := openSite(t, proxySpec{fixed: true, socket: docker.path, patient: true})
	id := s.open(app{path: "outage", replicas: 3})
	master := func() int { return child(s.pid, "haproxy -W") }
	t.Run("Docker is away", func(t *testing.T) { s.in(t).dockerAway(docker, id) })
	t.Run("the controller", func(t *testing.T) {
		s := s.in(t)
		before, worker := master(), child(master(), "haproxy")
		s.lossless("hitless.yml", s.target("outage"), func() {
			for range 3 {
				s.killed("the controller", func() int { return child(s.pid, " control") })
				s.await(patience, "it is ready again", func() bool { return status("http://"+s.api+"/readyz") == http.StatusOK })
			}
		})
		if master() != before || child(master(), "haproxy") != worker || worker == 0 {
			t.Errorf("HAProxy was reloaded or restarted: master %d, now %d; worker %d, now %d", before, master(), worker, child(master(), "haproxy"))
		}
	})
	t.Run("HAProxy's worker", func(t *testing.T) {
		s := s.in(t)
		s.loses(func() { s.killed("HAProxy's worker", func() int { return child(master(), "haproxy") }) })
	})
	t.Run("the container", func(t *testing.T) {
		s := s.in(t)
		s.loses(func() {
			s.killed("the container", func() int {
				tasks, err := s.swarm.Tasks(t.Context(), []string{s.proxy})
				if err == nil && len(tasks) == 1 && tasks[0].State == "running" && tasks[0].Desired == "running" {
					s.at(tasks[0])
					return s.pid
				}
				return 0
			})
		})
	})
}

// killed ends a process and waits until another one is there.
func (s *site) killed(name string, find func() int) {
	s.t.Helper()
	var pid int
	s.await(patience, name+" runs", func() bool { pid = find(); return pid != 0 })
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		s.t.Fatalf("kill %s: %v", name, err)
	}
	s.await(patience, name+" has ended", func() bool { _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); return err != nil })
	s.await(patience, name+" is back", func() bool { now := find(); return now != 0 && now != pid })
}

func status(url string) int {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(url)
	if err != nil {
		return 0
	}
	response.Body.Close()
	return response.StatusCode
}

// loses ends something that requests need, and counts them: those in flight, and those that nobody took until a request
// was answered again.
func (s *site) loses(end func()) {
	s.t.Helper()
	l := s.begin("hitless.yml", s.target("outage")...)
	at := time.Now()
	end()
	s.await(patience, "requests are answered again", func() bool { return s.ask("outage").code == http.StatusOK })
	back := time.Now()
	s.await(patience, "the load goes on for seconds", func() bool { return time.Since(back) > 3*time.Second })
	r := l.end()
	s.t.Logf("%s; answered again after %s", summary(r), back.Sub(at).Round(time.Millisecond))
	for i, second := range r.Seconds {
		from := r.Started.Add(time.Duration(i) * time.Second)
		if second.Failed > 0 && (from.Add(time.Second).Before(at) || from.After(back.Add(time.Second))) {
			s.t.Errorf("second %d: %d requests failed while everything ran", i, second.Failed)
		}
	}
	if r.Total.Retries > 0 {
		s.t.Errorf("the client sent %d requests again", r.Total.Retries)
	}
}

// dockerAway takes Docker's API from the proxy for a minute: 35 s in which it hangs, so that every listing, and a whole
// step, runs into its limit, and 25 s in which it refuses. Meanwhile tasks come, tasks leave and the controller is killed.
//
// The proxy knows nothing of the task that leaves: it gets connections until it closes its port, and with that the engine's
// kernel resets those that it had not taken yet. A POST that went along is lost; nothing else may be.
func (s *site) dockerAway(docker *dockerSocket, id string) {
	const rate, replicas, reset = 60, 3, 3
	s.settled(id, replicas, s.asker("outage")) // HAProxy knows all of them
	l := s.begin("hitless.yml", s.target("outage")...)
	began := time.Now()
	docker.hang()
	s.await(patience, "the proxy notices", func() bool { return s.health() == "degraded" })
	s.scale(id, 2)
	s.running(id, 2)
	s.await(patience, "it has hung for long", func() bool { return time.Since(began) > 35*time.Second })
	docker.refuse()
	docker.frozen.Unlock()
	s.killed("the controller", func() int { return child(s.pid, " control") })
	s.scale(id, 4)
	s.await(patience, "it has refused for long", func() bool { return time.Since(began) > time.Minute })
	docker.listen(s.t)
	back := time.Now()
	s.settled(id, 4, s.asker("outage"))
	s.t.Logf("the tasks of the meantime served %s after Docker was back", time.Since(back).Round(time.Millisecond))
	r := l.end()
	bounded(s.t, r, reset+int(rate/replicas*r.Total.Latency.P99/1000))
}

// health is what the proxy says of itself.
func (s *site) health() string {
	response, err := http.Get("http://" + s.api + "/healthz")
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	for _, word := range []string{"ok", "degraded", "down"} {
		if strings.Contains(string(text), `"`+word+`"`) {
			return word
		}
	}
	return string(text)
}

// proxyLeaves stops one of two proxies while both get connections from who stands before them: it takes no more, finishes
// what it has, and ends.
func (s *site) proxyLeaves() {
	t := s.t
	tasks, pid := swarmtest.Running(t, s.proxy, 2), s.pid
	second := s.in(t)
	second.at(tasks[1])
	s.await(patience, "the second proxy routes too", func() bool {
		return second.ask("quick").code == http.StatusOK && second.ask("slow").code == http.StatusOK
	})
	front := balance(t, s.http, second.http)
	loads := []*load{s.begin("hitless.yml", "SLUICE_TARGET=http://"+front.address()+"/quick"), s.begin("hitless-slow.yml", "SLUICE_TARGET=http://"+front.address()+"/slow")}
	first := front.taken[0].Load()
	if first == 0 || front.taken[1].Load() > 0 {
		t.Fatalf("the first proxy got %d connections and the second %d", first, front.taken[1].Load())
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	s.await(patience, "the proxy has ended", func() bool { _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); return err != nil })
	t.Logf("the proxy ended %s after SIGTERM", time.Since(began).Round(time.Millisecond))
	for _, l := range loads {
		r := l.end()
		t.Log(summary(r))
		judge(t, r)
	}
	ended, _, err := swarmtest.Docker(t).TaskInspectWithRaw(t.Context(), tasks[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	if code := ended.Status.ContainerStatus.ExitCode; code != 0 {
		t.Errorf("it ended with code %d", code)
	}
}
