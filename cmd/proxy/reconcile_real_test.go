package main

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"sluice/internal/swarm"
)

func TestANewServiceIsReloadedInAndItsTasksComeAndGoAtRuntime(t *testing.T) {
	r := newRig(t)
	r.swarm.services = []swarm.Service{r.service("web", 1, "servicePath=/web")}
	r.swarm.tasks = []swarm.Task{r.task("web", 1, "first", "127.0.0.11")}
	r.settle()
	if got := r.get("/web/x"); got != "first /web/x" {
		t.Fatalf("got %q", got)
	}
	reloads := r.reloads()

	r.swarm.change(func() {
		r.swarm.services[0].Replicas = 2
		r.swarm.tasks = append(r.swarm.tasks, r.task("web", 2, "second", "127.0.0.12"))
	})
	r.settle()
	if a, b := r.get("/web"), r.get("/web"); a == b {
		t.Errorf("two requests went to the same of two tasks: %q", a)
	}
	r.swarm.change(func() {
		r.swarm.services[0].Replicas = 1
		r.swarm.tasks = r.swarm.tasks[1:]
	})
	r.settle()
	for range 4 {
		if got := r.get("/web"); got != "second /web" {
			t.Errorf("after the first task left: got %q", got)
		}
	}
	if now := r.reloads(); now != reloads {
		t.Errorf("%d reloads for tasks that came and went, want none", now-reloads)
	}
}

func TestAReplacedTaskOfASlotTakesItsServerOver(t *testing.T) {
	r := newRig(t)
	r.swarm.services = []swarm.Service{r.service("web", 1, "servicePath=/")}
	r.swarm.tasks = []swarm.Task{r.task("web", 1, "old", "127.0.0.11")}
	r.settle()
	reloads := r.reloads()
	// While an update starts the new task first, the slot has two tasks that run and are meant to.
	replacement := r.task("web", 1, "new", "127.0.0.12")
	replacement.Since = time.Now().Add(time.Second)
	r.swarm.change(func() { r.swarm.tasks = append(r.swarm.tasks, replacement) })
	r.loop.lister.forget()
	await(t, "the new task has taken a connection", func() bool {
		if _, err := r.loop.step(t.Context()); err != nil {
			t.Fatal(err)
		}
		return len(r.loop.view.Load().Waiting) == 0
	})
	if got := r.get("/"); got != "new /" {
		t.Errorf("got %q", got)
	}
	if r.reloads() != reloads {
		t.Error("a replaced task needed a reload")
	}
}

func TestATaskGetsNoRequestBeforeItListens(t *testing.T) {
	r := newRig(t)
	r.swarm.services = []swarm.Service{r.service("web", 2, "servicePath=/")}
	r.swarm.tasks = []swarm.Task{r.task("web", 1, "first", "127.0.0.11"), runningTask("web", 2, "127.0.0.12")}
	for range 5 {
		if _, err := r.loop.step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for range 4 {
		if got := r.get("/"); got != "first /" {
			t.Errorf("got %q", got)
		}
	}
	if waiting := r.loop.view.Load().Waiting; len(waiting) != 1 {
		t.Errorf("the API shows %v as waiting, want one task", waiting)
	}
	r.task("web", 2, "second", "127.0.0.12")
	r.settle()
	if a, b := r.get("/"), r.get("/"); a == b {
		t.Errorf("the task that listens now gets nothing: %q twice", a)
	}
}

func TestABackendThatHAProxyRefusesLeavesTheOthersRouted(t *testing.T) {
	r := newRig(t)
	r.swarm.services = []swarm.Service{
		r.service("bad", 1, "servicePath=/bad", "reqPathSearchReplace=(unclosed,/x"),
		r.service("good", 1, "servicePath=/good"),
	}
	r.swarm.tasks = []swarm.Task{r.task("good", 1, "good", "127.0.0.11"), r.task("bad", 1, "bad", "127.0.0.12")}
	if _, err := r.loop.step(t.Context()); err == nil || !strings.Contains(err.Error(), "service bad") {
		t.Fatalf("the step that met the refusal says %v, want it to name the service", err)
	}
	r.settle()
	if got := r.get("/good"); got != "good /good" {
		t.Errorf("good service: got %q", got)
	}
	if got := r.get("/bad"); got != "503" {
		t.Errorf("bad service: got %q", got)
	}
	problems := r.loop.view.Load().Problems
	if len(problems) != 1 || problems[0].Service != "bad" || !strings.Contains(problems[0].Reason, "HAProxy refuses") {
		t.Errorf("problems: %v", problems)
	}
	r.swarm.change(func() {
		r.swarm.services[0] = r.service("bad", 1, "servicePath=/bad", "reqPathSearchReplace=^/bad,/mended")
	})
	r.settle()
	if got := r.get("/bad/x"); got != "bad /mended/x" {
		t.Errorf("mended service: got %q", got)
	}
}

func TestAControllerThatComesBackChangesNothing(t *testing.T) {
	r := newRig(t)
	r.swarm.services = []swarm.Service{r.service("web", 1, "servicePath=/")}
	r.swarm.tasks = []swarm.Task{r.task("web", 1, "first", "127.0.0.11")}
	r.settle()
	before, err := r.master.Processes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	successor := &reconciler{lister: lister{swarm: r.swarm}, files: newTLSFiles(r.config.routeSettings, r.config.place), declared: &declarations{}, resolver: newResolver(), engine: engine{master: r.master, store: r.loop.engine.store}, gate: newGate(), options: r.loop.options,
		settings: r.loop.settings, log: zerolog.Nop(), metrics: newMetrics(prometheus.NewRegistry()), refused: map[string]quarantined{}}
	successor.view.Store(&view{})
	r.loop = successor
	r.settle()
	after, err := r.master.Processes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if before.Reloads != after.Reloads {
		t.Errorf("the new controller reloaded %d times", after.Reloads-before.Reloads)
	}
	if got := r.get("/"); got != "first /" {
		t.Errorf("got %q", got)
	}
}

func TestAnEngineThatCannotBeListedChangesNothing(t *testing.T) {
	r := newRig(t)
	r.swarm.services = []swarm.Service{r.service("web", 1, "servicePath=/")}
	r.swarm.tasks = []swarm.Task{r.task("web", 1, "first", "127.0.0.11")}
	r.settle()
	r.swarm.change(func() { r.swarm.err = errors.New("the engine is away") })
	r.loop.once(t.Context())
	if got := r.get("/"); got != "first /" {
		t.Errorf("got %q", got)
	}
	v := r.loop.view.Load()
	if !strings.Contains(v.Failure, "the engine is away") || v.FailedAt.IsZero() || !v.HAProxyOK || !v.Applied {
		t.Errorf("the view does not tell what is wrong: %+v", v)
	}
	r.swarm.change(func() { r.swarm.err = nil })
	r.loop.once(t.Context())
	if v := r.loop.view.Load(); v.Failure != "" {
		t.Errorf("still says %q", v.Failure)
	}
}

func TestManyNewServicesAreOneReload(t *testing.T) {
	r := newRig(t)
	r.swarm.services = []swarm.Service{r.service("web", 1, "servicePath=/web")}
	r.swarm.tasks = []swarm.Task{r.task("web", 1, "web", "127.0.0.11")}
	r.settle()
	before, began := r.reloads(), time.Now()
	for i := range 20 {
		r.swarm.change(func() {
			r.swarm.services = append(r.swarm.services, r.service(fmt.Sprintf("s%d", i), 0, fmt.Sprintf("servicePath=/s%d", i)))
		})
		r.loop.lister.forget()
		if _, err := r.loop.step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	r.settle()
	if n, most := r.reloads()-before, 2+int(time.Since(began)/settleMax); n > most {
		t.Errorf("%d reloads for 20 services, want at most %d", n, most)
	}
	if got := len(r.loop.view.Load().Table.Backends); got != 21 {
		t.Errorf("%d backends are routed, want 21", got)
	}
}

func TestAPendingReloadDoesNotHoldUpALeavingTask(t *testing.T) {
	r := newRig(t)
	r.swarm.services = []swarm.Service{r.service("web", 2, "servicePath=/web")}
	r.swarm.tasks = []swarm.Task{r.task("web", 1, "stays", "127.0.0.11"), r.task("web", 2, "leaves", "127.0.0.12")}
	r.settle()
	r.loop.lastReload = time.Now().Add(time.Hour) // no reload may happen now
	r.swarm.change(func() {
		r.swarm.services = append(r.swarm.services, r.service("new", 0, "servicePath=/new"))
		r.swarm.tasks = r.swarm.tasks[:1]
	})
	r.loop.lister.forget()
	if _, err := r.loop.step(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		if got := r.get("/web"); got != "stays /web" {
			t.Errorf("got %q", got)
		}
	}
}

func TestADrainingWorkerSendsNothingToATaskThatLeft(t *testing.T) {
	r := newRig(t)
	r.swarm.services = []swarm.Service{r.service("web", 2, "servicePath=/web")}
	r.swarm.tasks = []swarm.Task{r.task("web", 1, "stays", "127.0.0.11"), r.task("web", 2, "leaves", "127.0.0.12")}
	r.settle()
	// Idle connections make the old worker wait: it answers one more request on each.
	clients := make([]*http.Client, 6)
	for i := range clients {
		clients[i] = &http.Client{Transport: &http.Transport{}}
		r.getWith(clients[i], "/web")
	}
	r.swarm.change(func() { r.swarm.services = append(r.swarm.services, r.service("new", 0, "servicePath=/new")) })
	r.settle()
	workers, err := r.master.Workers(t.Context())
	if err != nil || len(workers) != 2 {
		t.Fatalf("workers %v, error %v: want a draining one beside the current one", workers, err)
	}
	r.swarm.change(func() {
		r.swarm.services[0].Replicas = 1
		r.swarm.tasks = r.swarm.tasks[:1]
	})
	r.settle()
	for _, client := range clients {
		if got := r.getWith(client, "/web"); got != "stays /web" {
			t.Errorf("got %q", got)
		}
	}
}

func TestAConnectionThatWasIdleAtTheReloadReachesANewService(t *testing.T) {
	r := newRig(t)
	r.settle()
	client := &http.Client{Transport: &http.Transport{}}
	if got := r.getWith(client, "/new"); got != "503" {
		t.Fatalf("got %q", got)
	}
	r.swarm.services = []swarm.Service{r.service("new", 1, "servicePath=/new")}
	r.swarm.tasks = []swarm.Task{r.task("new", 1, "new", "127.0.0.11")}
	r.settle()
	response, err := client.Get(r.url + "/new")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if from := response.Header.Get("Client"); response.StatusCode != http.StatusOK || from != "127.0.0.1" {
		t.Errorf("status %d, X-Forwarded-For %q: want 200 and the client's address once", response.StatusCode, from)
	}
}
