package swarmtest

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"os/exec"
	"slices"
	"strconv"
	"testing"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	dockerswarm "github.com/docker/docker/api/types/swarm"

	"sluice/internal/swarm"
)

// Service describes a service to start. The zero value is one replica of Image, on no
// network, with no ports.
type Service struct {
	Name     string // "" = a unique one
	Image    string // "" = that of Image
	Args     []string
	Env      []string // TASK_SLOT is always there
	Labels   map[string]string
	Networks []string // IDs or names
	Replicas int      // 0 = 1, unless Global
	None     bool     // no replica
	Global   bool
	Ports    map[uint32]uint32              // port of the container -> port of the host, mode host; 0 = any, see HostPort
	Edit     func(*dockerswarm.ServiceSpec) // last word on the specification, nil for none
}

// Start creates a service, without VIP, and removes it at the end of the test. It does
// not wait for the tasks: see Running.
func Start(t testing.TB, s Service) swarm.Service {
	t.Helper()
	docker := Docker(t)
	ctx, cancel := limit()
	defer cancel()
	created, err := docker.ServiceCreate(ctx, spec(t, s), dockerswarm.ServiceCreateOptions{})
	if err != nil {
		t.Fatalf("create service: %v", err)
	}
	t.Cleanup(func() { Remove(t, created.ID) })
	return Inspect(t, created.ID)
}

func spec(t testing.TB, s Service) dockerswarm.ServiceSpec {
	if s.Name == "" {
		s.Name = unique("svc")
	}
	if s.Image == "" {
		s.Image = Image(t)
	}
	labels := owner()
	maps.Copy(labels, s.Labels)
	grace, delay := 5*time.Second, 100*time.Millisecond
	spec := dockerswarm.ServiceSpec{
		Annotations: dockerswarm.Annotations{Name: s.Name, Labels: labels},
		TaskTemplate: dockerswarm.TaskSpec{
			ContainerSpec: &dockerswarm.ContainerSpec{
				Image:           s.Image,
				Args:            s.Args,
				Env:             append([]string{"TASK_SLOT={{.Task.Slot}}"}, s.Env...),
				StopGracePeriod: &grace,
			},
			RestartPolicy: &dockerswarm.RestartPolicy{Delay: &delay},
		},
		EndpointSpec: &dockerswarm.EndpointSpec{Mode: dockerswarm.ResolutionModeDNSRR},
	}
	for _, network := range s.Networks {
		spec.TaskTemplate.Networks = append(spec.TaskTemplate.Networks, dockerswarm.NetworkAttachmentConfig{Target: network})
	}
	for _, inside := range slices.Sorted(maps.Keys(s.Ports)) {
		spec.EndpointSpec.Ports = append(spec.EndpointSpec.Ports, dockerswarm.PortConfig{
			TargetPort: inside, PublishedPort: s.Ports[inside], PublishMode: dockerswarm.PortConfigPublishModeHost,
		})
	}
	spec.Mode = mode(s)
	if s.Edit != nil {
		s.Edit(&spec)
	}
	return spec
}

func mode(s Service) dockerswarm.ServiceMode {
	if s.Global {
		return dockerswarm.ServiceMode{Global: &dockerswarm.GlobalService{}}
	}
	replicas := uint64(max(s.Replicas, 1))
	if s.None {
		replicas = 0
	}
	return dockerswarm.ServiceMode{Replicated: &dockerswarm.ReplicatedService{Replicas: &replicas}}
}

// Change edits the specification of a service as another program would.
func Change(t testing.TB, id string, edit func(*dockerswarm.ServiceSpec)) {
	t.Helper()
	docker := Docker(t)
	// The swarm itself writes services while it updates them: the last look may be old.
	Wait(t, "change of service "+id, func(ctx context.Context) bool {
		s, _, err := docker.ServiceInspectWithRaw(ctx, id, dockerswarm.ServiceInspectOptions{})
		if err != nil {
			t.Fatalf("inspect service: %v", err)
		}
		edit(&s.Spec)
		_, err = docker.ServiceUpdate(ctx, id, s.Version, s.Spec, dockerswarm.ServiceUpdateOptions{})
		return err == nil
	})
}

// Label sets a label of a service.
func Label(t testing.TB, id, key, value string) {
	t.Helper()
	Change(t, id, func(spec *dockerswarm.ServiceSpec) { spec.Labels[key] = value })
}

// Rollback does what `docker service rollback` does.
func Rollback(t testing.TB, id string) {
	t.Helper()
	docker := Docker(t)
	// As in Change: somebody may write between the look and the rollback.
	Wait(t, "rollback of service "+id, func(ctx context.Context) bool {
		s, _, err := docker.ServiceInspectWithRaw(ctx, id, dockerswarm.ServiceInspectOptions{})
		if err != nil {
			t.Fatalf("inspect service: %v", err)
		}
		_, err = docker.ServiceUpdate(ctx, id, s.Version, s.Spec, dockerswarm.ServiceUpdateOptions{Rollback: "previous"})
		return err == nil
	})
}

// Remove removes a service. One that is gone already is fine.
func Remove(t testing.TB, id string) {
	t.Helper()
	ctx, cancel := limit()
	defer cancel()
	if err := Docker(t).ServiceRemove(ctx, id); err != nil && !notFound(err) {
		t.Errorf("remove service: %v", err)
	}
}

// Inspect returns a service as Sluice sees it.
func Inspect(t testing.TB, id string) swarm.Service {
	t.Helper()
	ctx, cancel := limit()
	defer cancel()
	services, err := Need(t).Services(ctx, swarm.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(services, func(s swarm.Service) bool { return s.ID == id })
	if i < 0 {
		t.Fatalf("service %s is not there", id)
	}
	return services[i]
}

// RemoveJob removes a job whose task does not end by itself: the engine (20.10.24) forgets the container of such a job
// and lets it run for ever.
func RemoveJob(t testing.TB, id string) {
	t.Helper()
	docker := Docker(t)
	var containers []container.Summary
	Wait(t, "container of job "+id, func(ctx context.Context) bool {
		ours := filters.NewArgs(filters.Arg("label", "com.docker.swarm.service.id="+id))
		var err error
		containers, err = docker.ContainerList(ctx, container.ListOptions{Filters: ours})
		return err == nil && len(containers) > 0
	})
	Remove(t, id)
	ctx, cancel := limit()
	defer cancel()
	for _, c := range containers {
		if err := docker.ContainerRemove(ctx, c.ID, container.RemoveOptions{Force: true}); err != nil && !notFound(err) {
			t.Errorf("remove container of the job: %v", err)
		}
	}
}

// Log is what the tasks of a service wrote, so many lines of each at most. Engine 20.10 may hold the connection for ever when
// a task was replaced; then it is what came within 20 s.
func Log(t testing.TB, service string, lines int) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	output, err := exec.CommandContext(ctx, "docker", "service", "logs", "--raw", "--tail", strconv.Itoa(lines), service).CombinedOutput()
	if err != nil && ctx.Err() == nil {
		t.Errorf("read the log of %s: %v: %s", service, err, output)
	}
	return string(output)
}

// Running waits until exactly n tasks of the service are to run, and run. It returns them in the order of slots.
func Running(t testing.TB, id string, n int) []swarm.Task {
	t.Helper()
	c := Need(t)
	var tasks []swarm.Task
	Wait(t, "tasks of service "+id+" to run", func(ctx context.Context) bool {
		var err error
		if tasks, err = c.Tasks(ctx, []string{id}); err != nil {
			return false
		}
		running := func(task swarm.Task) bool { return task.State == "running" && task.Desired == "running" }
		return len(tasks) == n && !slices.ContainsFunc(tasks, func(task swarm.Task) bool { return !running(task) })
	})
	slices.SortFunc(tasks, func(a, b swarm.Task) int { return a.Slot - b.Slot })
	return tasks
}

// FreeAddress returns an address of loopback on which nothing listened a moment ago, for ports of stacks. It is below the ports
// that the kernel gives to clients: one of those may be taken again before the stack's task has it.
func FreeAddress(t testing.TB) string {
	t.Helper()
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000))
		if listener, err := net.Listen("tcp", address); err == nil {
			listener.Close()
			return address
		}
	}
	t.Fatal("there is no free port")
	return ""
}

// HostPort returns "127.0.0.1:port" of a running task that publishes a port of its container.
func HostPort(t testing.TB, taskID string, inside uint32) string {
	t.Helper()
	docker := Docker(t)
	ctx, cancel := limit()
	defer cancel()
	task, _, err := docker.TaskInspectWithRaw(ctx, taskID)
	if err != nil {
		t.Fatalf("inspect task: %v", err)
	}
	for _, port := range task.Status.PortStatus.Ports {
		if port.TargetPort == inside {
			return fmt.Sprintf("127.0.0.1:%d", port.PublishedPort)
		}
	}
	t.Fatalf("task %s publishes no port %d", taskID, inside)
	return ""
}

func notFound(err error) bool { return cerrdefs.IsNotFound(err) }
