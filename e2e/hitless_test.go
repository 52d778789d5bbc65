package e2e

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/internal/swarm/swarmtest"
)

// TestHitless changes everything that can change while a steady load of POSTs, half of them on connections of their own,
// goes through the proxy's port. What fails is counted at the client: statuses, resets, timeouts. None may, but for what
// was in flight on a process that was killed.
//
// The cases share three sites, so that little has to be started: on one only tasks change, on one the configuration does, and
// neither may lose anything; on the third processes are killed.
func TestHitless(t *testing.T) {
	sideBySide(t, subtest{"tasks come and go", changes}, subtest{"reloads", reloads}, subtest{"outages", outages})
}

type subtest struct {
	name string
	run  func(*testing.T)
}

// sideBySide runs subtests at one time, also where there are fewer processors: they wait for the swarm most of the time.
func sideBySide(t *testing.T, all ...subtest) {
	var ended sync.WaitGroup
	for _, one := range all {
		ended.Go(func() { t.Run(one.name, one.run) })
	}
	ended.Wait()
}

const tcpPort, sniPort = 6000, 6443

// hitlessCase is a service under load, and what is done to it. Cases of one wave go on side by side: all at once would ask
// more of a small machine than it has, and then what is lost says nothing of the proxy.
type hitlessCase struct {
	wave   int
	name   string
	app    app
	change func(s *site, id string)
}

var hitlessCases = []hitlessCase{
	{1, "scaled from 1 to 10 to 1", app{path: "scale"}, (*site).scaledUpAndDown},
	{2, "updated, the new task first", app{path: "startfirst", replicas: 2, order: "start-first"}, func(s *site, id string) { s.rolledUnderLoad(id, "startfirst") }},
	{1, "updated, the old task first", app{path: "stopfirst", replicas: 2}, func(s *site, id string) { s.rolledUnderLoad(id, "stopfirst") }},
	{2, "a task is killed", app{path: "killed", replicas: 3, env: []string{"WORK=100ms"}}, (*site).taskKilled},
	{2, "sticky clients", app{path: "sticky", replicas: 2, order: "start-first", labels: []string{"sessionType=sticky-server"}}, (*site).stickyClients},
	{2, "tcp", app{path: "tcp", order: "start-first", labels: []string{"reqMode=tcp", fmt.Sprint("srcPort=", tcpPort)}}, (*site).overTCP},
	{1, "sni", app{path: "sni", order: "start-first", env: []string{"TLS_NAME=sni.test"}, labels: []string{"reqMode=sni", "serviceDomain=sni.test", fmt.Sprint("srcPort=", sniPort)}}, (*site).overSNI},
}

// changes are those of tasks.
func changes(t *testing.T) {
	s := openSite(t, proxySpec{ports: []uint32{tcpPort, sniPort}, env: []string{"DRAIN_TIMEOUT=1s"}, patient: true})
	ids := make([]string, len(hitlessCases))
	var opened sync.WaitGroup
	for i, c := range hitlessCases {
		opened.Go(func() { ids[i] = s.open(c.app) })
	}
	opened.Wait()
	s.await(patience, "tcp is answered", func() bool { return s.askTCP() != "" })
	s.await(patience, "sni is answered", func() bool { return s.askSNI() != "" })
	if t.Failed() {
		return
	}
	s.tasksComeAndGo(ids)
}

// reloads are those of a site with two proxies, of which the first gets the load; at last it leaves.
func reloads(t *testing.T) {
	s := openSite(t, proxySpec{replicas: 2, env: []string{"API_TOKEN=" + token, "DRAIN_TIMEOUT=2m"}, patient: true})
	s.open(app{path: "quick", replicas: 2})
	s.open(app{path: "slow", replicas: 2, env: []string{"WORK=3s"}})
	t.Run("while services come and go", func(t *testing.T) { s.in(t).reloadsUnderLoad() })
	t.Run("a proxy leaves", func(t *testing.T) { s.in(t).proxyLeaves() })
}

// tasksComeAndGo changes tasks alone: HAProxy is never reloaded.
func (s *site) tasksComeAndGo(ids []string) {
	t := s.t
	before := len(s.reasons())
	for wave := 1; wave <= 2; wave++ {
		var all []subtest
		for i, c := range hitlessCases {
			if c.wave == wave {
				all = append(all, subtest{c.name, func(t *testing.T) { c.change(s.in(t), ids[i]) }})
			}
		}
		sideBySide(t, all...)
	}
	if reasons := s.reasons(); len(reasons) > before {
		t.Errorf("HAProxy was reloaded %d times though only tasks changed: %q", len(reasons)-before, reasons[before:])
	}
}

// reasons are those of all reloads so far, of all proxies of the site.
func (s *site) reasons() (all []string) {
	for line := range strings.Lines(swarmtest.Log(s.t, s.proxy, 100000)) {
		var said struct{ Message, Reason string }
		if json.Unmarshal([]byte(line), &said) == nil && said.Message == "reloaded" { // HAProxy's own lines are no JSON
			all = append(all, said.Reason)
		}
	}
	return all
}

func (s *site) scaledUpAndDown(id string) {
	s.lossless("hitless.yml", s.target("scale"), func() {
		s.scaledTo(id, 10, s.asker("scale"))
		s.scaledTo(id, 1, s.asker("scale"))
	})
}

func (s *site) rolledUnderLoad(id, path string) {
	s.lossless("hitless.yml", s.target(path), func() { s.updated(id, 2, s.asker(path)) })
}

// taskKilled ends tasks without a word. What they were working on is lost, and nothing else.
func (s *site) taskKilled(id string) {
	const rate, replicas, kills = 60, 3, 2
	l := s.begin("hitless.yml", s.target("killed")...)
	for range kills {
		victim := s.containers(id)[0]
		if err := swarmtest.Docker(s.t).ContainerKill(s.t.Context(), victim.ID, "KILL"); err != nil {
			s.t.Fatal(err)
		}
		s.await(patience, "the killed task is replaced", func() bool {
			now := s.containers(id)
			for _, c := range now {
				if c.ID == victim.ID {
					return false
				}
			}
			return len(now) == replicas
		})
		s.settled(id, replicas, s.asker("killed"))
	}
	r := l.end()
	// The usual number is rate × time; they come at random.
	inFlight := rate / replicas * r.Total.Latency.P90 / 1000
	bounded(s.t, r, kills*int(3*inFlight+5))
}

// askWith answers which task takes a request to an address, "" when none does.
func askWith(url, host string) string {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{ServerName: host, InsecureSkipVerify: true}}}
	response, err := client.Get(url)
	if err != nil {
		return ""
	}
	response.Body.Close()
	return response.Header.Get("X-Task")
}

func (s *site) askTCP() string { return askWith("http://"+s.ports[tcpPort]+"/", "") }
func (s *site) askSNI() string { return askWith("https://"+s.ports[sniPort]+"/", "sni.test") }

// overTCP scales and updates a service whose connections the proxy does not look into. A connection stays with its task
// until one of its ends closes it; the sample application asks for that when it leaves.
func (s *site) overTCP(id string) {
	s.lossless("hitless.yml", []string{"SLUICE_TARGET=http://" + s.ports[tcpPort]}, func() {
		s.scaledTo(id, 3, s.askTCP)
		s.scaledTo(id, 2, s.askTCP)
		s.updated(id, 2, s.askTCP)
	})
}

func (s *site) overSNI(id string) {
	s.lossless("hitless-tls.yml", []string{"SLUICE_TARGET=https://" + s.ports[sniPort]}, func() {
		s.scaledTo(id, 2, s.askSNI)
		s.scaledTo(id, 1, s.askSNI)
		s.updated(id, 1, s.askSNI)
	})
}

// reloadsUnderLoad changes what only a reload brings into force.
func (s *site) reloadsUnderLoad() {
	t := s.t
	loads := []*load{s.begin("hitless.yml", s.target("quick")...),
		s.begin("hitless-long.yml", "SLUICE_SLOW=http://"+s.http+"/slow", "SLUICE_CHAT=quick")}
	s.comeAndGo(50)
	s.reloadOften(20)
	for _, l := range loads {
		r := l.end()
		t.Log(summary(r))
		judge(t, r)
	}
}

// comeAndGo adds services and removes them, as a stack that is deployed does. None has a task: what a reload is for is
// the backend.
func (s *site) comeAndGo(services int) {
	s.t.Helper()
	before, began := s.reloads(), time.Now()
	ids := make([]string, services)
	var done sync.WaitGroup
	for i := range services {
		done.Go(func() {
			ids[i] = swarmtest.Start(s.t, swarmtest.Service{Name: fmt.Sprintf("burst%d-%s", i, port(s.http)), Image: "sluice/demo-app", None: true,
				Labels: labels(fmt.Sprint("burst", i)), Networks: []string{s.network}}).ID
		})
	}
	done.Wait()
	s.await(patience, "all are routed", func() bool { return s.backends("burst") == services })
	came := time.Now()
	for _, id := range ids {
		done.Go(func() { swarmtest.Remove(s.t, id) })
	}
	done.Wait()
	s.await(patience, "none is routed", func() bool { return s.backends("burst") == 0 })
	n, took := s.reloads()-before, time.Since(began)
	s.t.Logf("%d services came in %s and went in %s: %d reloads", services, came.Sub(began).Round(time.Millisecond), time.Since(came).Round(time.Millisecond), n)
	if most := 2*2 + int(took/time.Second); n > most || n < 2 {
		s.t.Errorf("%d services that came and went within %s took %d reloads, not 2 to %d", services, took, n, most)
	}
}

// reloadOften asks for reloads one after the other.
func (s *site) reloadOften(times int) {
	s.t.Helper()
	before := s.reloads()
	for range times {
		s.post("reload")
	}
	if n := s.reloads() - before; n != times {
		s.t.Errorf("%d reloads were asked for and %d made", times, n)
	}
}
