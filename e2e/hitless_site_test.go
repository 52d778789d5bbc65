package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/mount"
	dockerswarm "github.com/docker/docker/api/types/swarm"

	"sluice/internal/swarm"
	"sluice/internal/swarm/swarmtest"
)

// proxySpec says how a site's proxy differs from the usual one.
type proxySpec struct {
	env      []string
	ports    []uint32 // published beside 80 and 8080
	fixed    bool     // the entry keeps its port when the task is replaced
	replicas int      // 0 is 1; the site's addresses are those of the first
	patient  bool     // it waits longer for clients and tasks: a machine that is busy elsewhere shall lose no request by that
	socket   string   // of Docker's API, in a folder of its own; "" is the engine's
}

// openSite starts a proxy on a network of its own and answers when it runs.
func openSite(t *testing.T, p proxySpec) *site {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	s := &site{stack: &stack{t: t, root: root, swarm: swarmtest.Need(t)}}
	if os.Getenv("CI") == "" && s.try("docker", "image", "inspect", "sluice/proxy", "sluice/demo-app") != nil {
		t.Skip("the images are not built: run `make ready` first")
	}
	s.loadtest = s.build()
	s.network = swarmtest.Network(t).Name
	ports := map[uint32]uint32{80: 0, 8080: 0}
	for _, port := range p.ports {
		ports[port] = 0
	}
	if p.fixed {
		n, _ := strconv.Atoi(port(swarmtest.FreeAddress(t)))
		ports[80] = uint32(n)
	}
	if p.patient {
		// A connection that a client uses again in the moment in which HAProxy closes it as idle loses its request, and on a
		// machine without time to spare that moment is long.
		p.env = append(p.env, "TIMEOUT_HTTP_REQUEST=60", "TIMEOUT_CLIENT=60", "TIMEOUT_SERVER=60", "TIMEOUT_HTTP_KEEP_ALIVE=60")
	}
	service := swarmtest.Start(t, swarmtest.Service{Image: "sluice/proxy", Networks: []string{s.network}, Ports: ports, Replicas: p.replicas,
		Env: append([]string{"NETWORK=" + s.network, "DEBUG=true", "DEBUG_ERRORS_ONLY=true"}, p.env...), Edit: func(spec *dockerswarm.ServiceSpec) { unprobed(spec); p.mount(spec.TaskTemplate.ContainerSpec) }})
	s.proxy = service.ID
	s.at(swarmtest.Running(t, service.ID, max(1, p.replicas))[0])
	t.Cleanup(func() {
		if t.Failed() {
			s.quote(service.Name)
		}
	})
	return s
}

// unprobed takes the health check from a service: on a busy machine probes are slow, and a task that is replaced for that has
// other ports and breaks connections.
func unprobed(spec *dockerswarm.ServiceSpec) {
	spec.TaskTemplate.ContainerSpec.Healthcheck = &container.HealthConfig{Test: []string{"NONE"}}
}

// mount gives the container the socket of Docker's API. A folder is mounted for a socket that is made anew.
func (p proxySpec) mount(spec *dockerswarm.ContainerSpec) {
	m := mount.Mount{Type: mount.TypeBind, Source: "/var/run/docker.sock", Target: "/var/run/docker.sock", ReadOnly: true}
	if p.socket != "" {
		m.Source, m.Target = filepath.Dir(p.socket), "/docker"
		spec.Env = append(spec.Env, "DOCKER_HOST=unix:///docker/"+filepath.Base(p.socket))
	}
	spec.Mounts = []mount.Mount{m}
}

// at takes the addresses of a task of the proxy.
func (s *site) at(task swarm.Task) {
	s.t.Helper()
	s.ports = map[uint32]string{}
	inspected, _, err := swarmtest.Docker(s.t).TaskInspectWithRaw(s.t.Context(), task.ID)
	if err != nil {
		s.t.Fatal(err)
	}
	c, err := swarmtest.Docker(s.t).ContainerInspect(s.t.Context(), inspected.Status.ContainerStatus.ContainerID)
	if err != nil {
		s.t.Fatal(err)
	}
	host := outside(s.t)
	for inside, bindings := range c.NetworkSettings.Ports {
		for _, b := range bindings {
			if ip := net.ParseIP(b.HostIP); ip.To4() != nil { // that of IPv6 may be another one
				s.ports[uint32(inside.Int())] = net.JoinHostPort(host, b.HostPort)
			}
		}
	}
	s.http, s.api = s.ports[80], s.ports[8080]
	s.pid = c.State.Pid
}

// app is a service of the sample application; the zero value of all but path will do.
type app struct {
	path     string // it answers at /<path>
	replicas int
	labels   []string // key=value, after the prefix
	env      []string
	order    string // of updates: "" is stop-first
}

// environment is a sample application's that refuses nobody, and whose proxy has time to see it leave however busy the machine is.
func (a app) environment() []string {
	env := slices.Clone(a.env)
	for _, usual := range []string{"CAPACITY=50", "WORK=10ms", "QUEUE=5000", "DRAIN=15s"} {
		name, _, _ := strings.Cut(usual, "=")
		if !slices.ContainsFunc(a.env, func(own string) bool { return strings.HasPrefix(own, name+"=") }) {
			env = append(env, usual)
		}
	}
	return env
}

// open starts the application and waits until it answers, but for one of another mode than http.
func (s *site) open(a app) (id string) {
	s.t.Helper()
	all := labels(a.path, a.labels...)
	all["com.docker.stack.namespace"] = "s"
	id = swarmtest.Start(s.t, swarmtest.Service{Name: "s_" + a.path + "-" + port(s.http), Image: "sluice/demo-app", Labels: all, Networks: []string{s.network}, Replicas: a.replicas,
		Env: a.environment(),
		Edit: func(spec *dockerswarm.ServiceSpec) {
			grace := time.Minute
			spec.TaskTemplate.ContainerSpec.StopGracePeriod = &grace
			spec.TaskTemplate.ContainerSpec.Hostname = "{{.Task.ID}}"
			spec.UpdateConfig = &dockerswarm.UpdateConfig{Order: a.order, Parallelism: 1, Monitor: 500 * time.Millisecond}
		}}).ID
	if all["com.df.reqMode"] == "" {
		s.await(patience, "/"+a.path+" is answered", func() bool { return s.ask(a.path).code == http.StatusOK })
	}
	s.running(id, max(1, a.replicas))
	return id
}

// patience is for what takes a second or two, on a machine that has much else to do.
const patience = 4 * time.Minute

// running waits until exactly so many tasks are to run, and run.
func (s *site) running(id string, replicas int) (ids []string) {
	s.t.Helper()
	s.await(patience, fmt.Sprintf("%d tasks run", replicas), func() bool {
		tasks, err := s.swarm.Tasks(s.t.Context(), []string{id})
		ids = taskIDs(tasks)
		return err == nil && len(tasks) == replicas && !slices.ContainsFunc(tasks, func(task swarm.Task) bool {
			return task.State != "running" || task.Desired != "running"
		})
	})
	return ids
}

// scaledTo changes the replicas and waits until all of them have answered and those that left have ended.
func (s *site) scaledTo(id string, replicas int, ask func() string) {
	s.t.Helper()
	s.scale(id, uint64(replicas))
	s.settled(id, replicas, ask)
}

// settled waits until the service has so many tasks, all of which have answered, and no container of another one is left.
func (s *site) settled(id string, replicas int, ask func() string) {
	s.t.Helper()
	silent := s.running(id, replicas)
	s.await(patience, fmt.Sprintf("all of %d tasks answer", replicas), func() bool {
		one := ask()
		silent = slices.DeleteFunc(silent, func(task string) bool { return task == one })
		return len(silent) == 0
	})
	s.await(patience, "the tasks that leave have ended", func() bool { return len(s.containers(id)) == replicas })
}

// updated replaces all tasks and waits until only new ones are left, which have all answered.
func (s *site) updated(id string, replicas int, ask func() string) {
	s.t.Helper()
	before := s.running(id, replicas)
	swarmtest.Change(s.t, id, func(spec *dockerswarm.ServiceSpec) { spec.TaskTemplate.ForceUpdate++ })
	s.await(patience, "no task is an old one", func() bool {
		now, err := s.swarm.Tasks(s.t.Context(), []string{id})
		return err == nil && len(now) == replicas && !slices.ContainsFunc(now, func(task swarm.Task) bool {
			return slices.Contains(before, task.ID) || task.State != "running"
		})
	})
	s.settled(id, replicas, ask)
}

func taskIDs(tasks []swarm.Task) (ids []string) {
	for _, task := range tasks {
		ids = append(ids, task.ID)
	}
	return ids
}

// containers are those of the service that run on this machine.
func (s *site) containers(id string) []container.Summary {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	list, err := swarmtest.Docker(s.t).ContainerList(ctx, container.ListOptions{Filters: filters.NewArgs(filters.Arg("label", "com.docker.swarm.service.id="+id))})
	if err != nil {
		s.t.Fatal(err)
	}
	return list
}

// asker answers which task takes a request to the path, "" when none does.
func (s *site) asker(path string) func() string {
	return func() string { return s.ask(path).header.Get("X-Task") }
}

// post asks the API of the proxy for something, as the operator.
func (s *site) post(action string) {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, "http://"+s.api+"/v1/docker-flow-proxy/"+action, strings.NewReader(""))
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	client := http.Client{Timeout: patience}
	response, err := client.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		s.t.Fatalf("%s is answered %d", action, response.StatusCode)
	}
}

// token is the API_TOKEN of proxies that are asked for reloads.
const token = "secret"
