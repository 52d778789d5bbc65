package swarm_test

import (
	"context"
	"slices"
	"testing"
	"time"

	dockerswarm "github.com/docker/docker/api/types/swarm"

	"sluice/internal/swarm"
	"sluice/internal/swarm/swarmtest"
)

func TestServicesAreFilteredByLabelKey(t *testing.T) {
	c := swarmtest.Need(t)
	key := "com.df.swarmtest-" + t.Name()
	labelled := swarmtest.Start(t, swarmtest.Service{None: true, Labels: map[string]string{key: "any value"}})
	other := swarmtest.Start(t, swarmtest.Service{None: true})
	all, err := c.Services(t.Context(), swarm.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []swarm.Service{labelled, other} {
		if !slices.ContainsFunc(all, func(have swarm.Service) bool { return have.ID == s.ID }) {
			t.Errorf("%s is not among all services", s.Name)
		}
	}
	some, err := c.Services(t.Context(), swarm.Filter{Label: key})
	if err != nil {
		t.Fatal(err)
	}
	if len(some) != 1 || some[0].ID != labelled.ID || some[0].Labels[key] != "any value" {
		t.Errorf("filtered: %+v", some)
	}
}

func TestTasksHaveAddressesOnTheirNetworks(t *testing.T) {
	t.Parallel()
	c := swarmtest.Need(t)
	one, two := swarmtest.Network(t), swarmtest.Network(t)
	networks, err := c.Networks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(networks, one) || !slices.Contains(networks, two) {
		t.Fatalf("%v and %v are not among %v", one, two, networks)
	}
	began := time.Now()
	s := swarmtest.Start(t, swarmtest.Service{Replicas: 2, Networks: []string{two.ID, one.Name}})
	if !slices.Equal(s.Networks, []string{two.ID, one.ID}) {
		t.Errorf("networks %v, want %v", s.Networks, []string{two.ID, one.ID})
	}
	tasks := swarmtest.Running(t, s.ID, 2)
	for i, task := range tasks {
		if task.Slot != i+1 || task.ServiceID != s.ID || task.NodeID == "" || len(task.Addresses) != 2 {
			t.Errorf("%+v", task)
		}
		if task.Since.Before(began) || task.Since.After(time.Now()) {
			t.Errorf("runs since %v, the test since %v", task.Since, began)
		}
	}
	if tasks[0].Addresses[one.ID] == tasks[1].Addresses[one.ID] || !tasks[0].Addresses[one.ID].Is4() {
		t.Errorf("addresses %v and %v", tasks[0].Addresses, tasks[1].Addresses)
	}
}

func TestJobsAndGlobalServices(t *testing.T) {
	c := swarmtest.Need(t)
	job := swarmtest.Start(t, swarmtest.Service{Edit: func(spec *dockerswarm.ServiceSpec) {
		one := uint64(1)
		spec.Mode = dockerswarm.ServiceMode{ReplicatedJob: &dockerswarm.ReplicatedJob{MaxConcurrent: &one, TotalCompletions: &one}}
		spec.TaskTemplate.RestartPolicy = nil
	}})
	t.Cleanup(func() { swarmtest.RemoveJob(t, job.ID) })
	global := swarmtest.Start(t, swarmtest.Service{Global: true})
	if job.Mode != swarm.Job || global.Mode != swarm.Global {
		t.Errorf("modes %s and %s", job.Mode, global.Mode)
	}
	swarmtest.Running(t, global.ID, 1)
	tasks, err := c.Tasks(t.Context(), []string{job.ID})
	if err != nil || len(tasks) != 0 {
		t.Errorf("tasks of the job: %v, %v", tasks, err)
	}
	tasks, err = c.Tasks(t.Context(), []string{global.ID, "nosuchservice"})
	if err != nil || len(tasks) != 1 || tasks[0].Slot != 0 {
		t.Errorf("tasks of the global service and one that is not there: %v, %v", tasks, err)
	}
}

func TestWatchHintsAtWhateverChanges(t *testing.T) {
	c := swarmtest.Need(t)
	s := swarmtest.Start(t, swarmtest.Service{})
	task := swarmtest.Running(t, s.ID, 1)[0]
	hints := c.Watch(t.Context())
	for _, step := range []struct {
		name string
		do   func()
	}{
		{"begin of watching", func() {}},
		{"label", func() { swarmtest.Label(t, s.ID, "com.df.port", "80") }},
		{"replicas", func() {
			if err := c.Scale(t.Context(), s.ID, swarm.Scaling{From: 1, To: 2}); err != nil {
				t.Fatal(err)
			}
		}},
		{"network", func() { swarmtest.Network(t) }},
		{"new service", func() { swarmtest.Start(t, swarmtest.Service{None: true}) }},
		{"crash", func() { kill(t, s, task) }},
	} {
		if step.name != "begin of watching" {
			quiet(hints)
		}
		step.do()
		began := time.Now()
		select {
		case <-hints:
			t.Logf("%s: hint after %v", step.name, time.Since(began).Round(time.Millisecond))
		case <-time.After(time.Minute): // on an idle machine it comes within milliseconds, as the log tells
			t.Errorf("%s: no hint", step.name)
		}
	}
}

// quiet drains the hints until there was none for half a second, for tasks of the step
// before may still start; or for 3 s, for others may use the swarm.
func quiet(hints <-chan struct{}) {
	for deadline := time.After(3 * time.Second); ; {
		select {
		case <-hints:
		case <-time.After(500 * time.Millisecond):
			return
		case <-deadline:
			return
		}
	}
}

func kill(t *testing.T, s swarm.Service, task swarm.Task) {
	t.Helper()
	container := containerOf(t, task.ID)
	if err := swarmtest.Docker(t).ContainerKill(t.Context(), container, "KILL"); err != nil {
		t.Fatalf("kill task of %s: %v", s.Name, err)
	}
}

func containerOf(t *testing.T, taskID string) string {
	t.Helper()
	task, _, err := swarmtest.Docker(t).TaskInspectWithRaw(t.Context(), taskID)
	if err != nil {
		t.Fatal(err)
	}
	return task.Status.ContainerStatus.ContainerID
}

func TestTasksDuringARollingUpdate(t *testing.T) {
	for _, order := range []string{dockerswarm.UpdateOrderStartFirst, dockerswarm.UpdateOrderStopFirst} {
		t.Run(order, func(t *testing.T) {
			t.Parallel()
			c := swarmtest.Need(t)
			network := swarmtest.Network(t)
			s := swarmtest.Start(t, swarmtest.Service{Networks: []string{network.ID}, Edit: func(spec *dockerswarm.ServiceSpec) {
				spec.UpdateConfig = &dockerswarm.UpdateConfig{Order: order, Parallelism: 1, Monitor: time.Second}
			}})
			old := swarmtest.Running(t, s.ID, 1)[0]
			swarmtest.Change(t, s.ID, func(spec *dockerswarm.ServiceSpec) { spec.TaskTemplate.ForceUpdate++ })
			both, waited := false, false
			swarmtest.Wait(t, "the new task to run alone", func(ctx context.Context) bool {
				tasks, err := c.Tasks(ctx, []string{s.ID})
				if err != nil {
					return false
				}
				both = both || len(tasks) == 2
				waited = waited || len(tasks) == 1 && tasks[0].Desired == "ready"
				return len(tasks) == 1 && tasks[0].ID != old.ID && tasks[0].State == "running"
			})
			if first := order == dockerswarm.UpdateOrderStartFirst; both != first || waited == first {
				t.Errorf("two tasks at once: %v, new task waiting as ready: %v", both, waited)
			}
			swarmtest.Wait(t, "the update to complete", func(context.Context) bool {
				return swarmtest.Inspect(t, s.ID).Update == "completed"
			})
		})
	}
}
