package swarm_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	dockerswarm "github.com/docker/docker/api/types/swarm"
	"github.com/google/go-cmp/cmp"

	"sluice/internal/swarm"
	"sluice/internal/swarm/swarmtest"
)

func TestScaleKeepsEveryFieldAndRestartsNoTask(t *testing.T) {
	t.Parallel()
	c := swarmtest.Need(t)
	s := startRich(t)
	first := swarmtest.Running(t, s.ID, 1)[0]
	before, inFirst := rawSpec(t, s.ID), containerOf(t, first.ID)
	for _, field := range []string{"Sysctls", "Ulimits", "CapabilityAdd", "Configs", "Secrets", "Healthcheck", "Init"} {
		if before["TaskTemplate"].(map[string]any)["ContainerSpec"].(map[string]any)[field] == nil {
			t.Fatalf("the engine took no %s: nothing is shown", field)
		}
	}

	scale(t, c, s.ID, 1, 3)
	if diff := cmp.Diff(withReplicas(before, 3), rawSpec(t, s.ID)); diff != "" {
		t.Errorf("spec after 1 -> 3 (-want +got):\n%s", diff)
	}
	three := swarmtest.Running(t, s.ID, 3)
	if three[0].ID != first.ID || containerOf(t, first.ID) != inFirst {
		t.Errorf("task %s was replaced by %s", first.ID, three[0].ID)
	}

	scale(t, c, s.ID, 3, 1)
	if diff := cmp.Diff(before, rawSpec(t, s.ID)); diff != "" {
		t.Errorf("spec after 3 -> 1 (-want +got):\n%s", diff)
	}
	// The swarm chooses which task stays.
	last := swarmtest.Running(t, s.ID, 1)[0]
	survives := false
	for _, task := range three {
		survives = survives || task.ID == last.ID
	}
	if !survives {
		t.Errorf("the task that is left, %s, is a new one", last.ID)
	}
}

// startRich starts a service that has every field set that the engine lets a service
// have without hardware or credentials.
func startRich(t *testing.T) swarm.Service {
	t.Helper()
	network, config, secret := swarmtest.Network(t), swarmtest.Config(t, "config"), swarmtest.Secret(t, "secret")
	return swarmtest.Start(t, swarmtest.Service{
		Networks: []string{network.ID}, Args: []string{"serve"},
		Env:    []string{"A=<&> 'quoted'"},
		Labels: map[string]string{"com.df.notify": "true", "com.df.reqPathSearchReplace": `^/a/(.*)"<&>,/\1`},
		Edit: func(spec *dockerswarm.ServiceSpec) {
			template := &spec.TaskTemplate
			template.Networks[0].Aliases = []string{"alias"}
			enrich(template.ContainerSpec)
			template.ContainerSpec.Configs = []*dockerswarm.ConfigReference{config}
			template.ContainerSpec.Secrets = []*dockerswarm.SecretReference{secret}
			attempts, delay, window := uint64(3), time.Second, time.Minute
			template.RestartPolicy = &dockerswarm.RestartPolicy{Condition: "on-failure", Delay: &delay, MaxAttempts: &attempts, Window: &window}
			template.Resources = &dockerswarm.ResourceRequirements{
				Limits:       &dockerswarm.Limit{NanoCPUs: 500_000_000, MemoryBytes: 64 << 20, Pids: 50},
				Reservations: &dockerswarm.Resources{NanoCPUs: 1_000_000, MemoryBytes: 4 << 20},
			}
			template.Placement = &dockerswarm.Placement{
				Constraints: []string{"node.role==manager"}, MaxReplicas: 5,
				Preferences: []dockerswarm.PlacementPreference{{Spread: &dockerswarm.SpreadOver{SpreadDescriptor: "node.labels.zone"}}},
			}
			template.LogDriver = &dockerswarm.Driver{Name: "json-file", Options: map[string]string{"max-size": "1m"}}
			template.ForceUpdate = 3
			update := dockerswarm.UpdateConfig{Parallelism: 2, Delay: time.Second, FailureAction: "pause", Monitor: 3 * time.Second, MaxFailureRatio: 0.3, Order: "start-first"}
			rollback := update
			rollback.FailureAction = "continue"
			spec.UpdateConfig, spec.RollbackConfig = &update, &rollback
			spec.EndpointSpec.Ports = []dockerswarm.PortConfig{{Name: "http", Protocol: "tcp", TargetPort: 8080, PublishMode: "host"}}
		},
	})
}

func enrich(c *dockerswarm.ContainerSpec) {
	init, grace := true, 3*time.Second
	c.Labels = map[string]string{"on.the": "container"}
	c.Hostname, c.Dir, c.User, c.Groups = "h-{{.Task.Slot}}", "/", "65534:65534", []string{"1234"}
	c.StopSignal, c.StopGracePeriod, c.Init = "SIGINT", &grace, &init
	c.TTY, c.OpenStdin, c.ReadOnly = true, true, true
	c.Privileges = &dockerswarm.Privileges{SELinuxContext: &dockerswarm.SELinuxContext{Disable: true}}
	c.Mounts = []mount.Mount{
		{Type: mount.TypeTmpfs, Target: "/tmp", TmpfsOptions: &mount.TmpfsOptions{SizeBytes: 1 << 20, Mode: 0o1777}},
		{Type: mount.TypeBind, Source: "/etc", Target: "/host-etc", ReadOnly: true, BindOptions: &mount.BindOptions{Propagation: mount.PropagationRPrivate}},
	}
	c.Healthcheck = &container.HealthConfig{Test: []string{"CMD", "/app", "check"}, Interval: time.Second, Timeout: time.Second, Retries: 5, StartPeriod: time.Second}
	c.Hosts = []string{"10.9.8.7 example.test"}
	c.DNSConfig = &dockerswarm.DNSConfig{Nameservers: []string{"127.0.0.11"}, Search: []string{"example.test"}, Options: []string{"ndots:2"}}
	c.Sysctls = map[string]string{"net.ipv4.tcp_keepalive_time": "600"}
	c.CapabilityAdd, c.CapabilityDrop = []string{"CAP_NET_ADMIN"}, []string{"CAP_MKNOD"}
	c.Ulimits = []*container.Ulimit{{Name: "nofile", Soft: 1000, Hard: 2000}}
}

func TestScaleInARaceIsDoneOnce(t *testing.T) {
	c := swarmtest.Need(t)
	s := swarmtest.Start(t, swarmtest.Service{})
	swarmtest.Running(t, s.ID, 1)
	const rivals = 4
	errs := make([]error, rivals)
	var group sync.WaitGroup
	for i := range rivals {
		group.Go(func() { errs[i] = c.Scale(t.Context(), s.ID, swarm.Scaling{From: 1, To: 2 + i%2}) })
	}
	group.Wait()
	won := 0
	for i, err := range errs {
		switch {
		case err == nil:
			won++
			if got := swarmtest.Inspect(t, s.ID).Replicas; got != 2+i%2 {
				t.Errorf("the winner wanted %d replicas, there are %d", 2+i%2, got)
			}
		case !errors.Is(err, swarm.ErrChanged):
			t.Errorf("a loser got %v", err)
		}
	}
	if won != 1 {
		t.Errorf("%d of %d won: %v", won, rivals, errs)
	}
}

func TestScaleComesThroughWhileOthersSetLabels(t *testing.T) {
	c := swarmtest.Need(t)
	s := swarmtest.Start(t, swarmtest.Service{None: true})
	const rounds = 5
	var group sync.WaitGroup
	group.Go(func() {
		for i := range rounds {
			swarmtest.Label(t, s.ID, "round", strconv.Itoa(i))
		}
	})
	group.Go(func() {
		for i := range rounds {
			// Three attempts are not always enough against somebody who never rests.
			swarmtest.Wait(t, "scaling", func(ctx context.Context) bool {
				return c.Scale(ctx, s.ID, swarm.Scaling{From: i % 2, To: (i + 1) % 2}) == nil
			})
		}
	})
	group.Wait()
	if got := swarmtest.Inspect(t, s.ID); got.Replicas != rounds%2 || got.Labels["round"] != strconv.Itoa(rounds-1) {
		t.Errorf("%d replicas, label %q", got.Replicas, got.Labels["round"])
	}
}

func TestScaleAndRollback(t *testing.T) {
	t.Parallel()
	c := swarmtest.Need(t)
	s := swarmtest.Start(t, swarmtest.Service{Env: []string{"RELEASE=1"}})
	first := swarmtest.Running(t, s.ID, 1)[0]
	swarmtest.Change(t, s.ID, func(spec *dockerswarm.ServiceSpec) {
		spec.TaskTemplate.ContainerSpec.Env = append(spec.TaskTemplate.ContainerSpec.Env, "RELEASE=2")
	})
	swarmtest.Wait(t, "the release to run", func(context.Context) bool {
		return swarmtest.Running(t, s.ID, 1)[0].ID != first.ID
	})
	swarmtest.Wait(t, "the update to complete", func(context.Context) bool { return swarmtest.Inspect(t, s.ID).Update == "completed" })
	scale(t, c, s.ID, 1, 2)
	released := rawSpec(t, s.ID)
	swarmtest.Rollback(t, s.ID)
	// What a rollback takes back is the last update, and that was the scaling: the release stays.
	if diff := cmp.Diff(withReplicas(released, 1), rawSpec(t, s.ID)); diff != "" {
		t.Errorf("spec after rollback (-want +got):\n%s", diff)
	}
	// And scaling goes on from there.
	scale(t, c, s.ID, 1, 3)
	swarmtest.Running(t, s.ID, 3)
}

func TestLabelsRestartNoTask(t *testing.T) {
	t.Parallel()
	s := swarmtest.Start(t, swarmtest.Service{})
	before := swarmtest.Running(t, s.ID, 1)[0]
	in := containerOf(t, before.ID)
	swarmtest.Label(t, s.ID, "com.df.servicePath", "/new")
	after := swarmtest.Running(t, s.ID, 1)[0]
	if diff := cmp.Diff(before.ID+in, after.ID+containerOf(t, after.ID)); diff != "" {
		t.Errorf("another task or container (-before +after):\n%s", diff)
	}
	if got := swarmtest.Inspect(t, s.ID); got.Version <= s.Version || got.Labels["com.df.servicePath"] != "/new" {
		t.Errorf("%+v", got)
	}
}

func TestScaleOfWhatCannotBeScaled(t *testing.T) {
	c := swarmtest.Need(t)
	global := swarmtest.Start(t, swarmtest.Service{Global: true})
	if err := c.Scale(t.Context(), global.ID, swarm.Scaling{From: 1, To: 2}); !errors.Is(err, swarm.ErrNotReplicated) {
		t.Errorf("global: %v", err)
	}
	s := swarmtest.Start(t, swarmtest.Service{Replicas: 1})
	if err := c.Scale(t.Context(), s.ID, swarm.Scaling{From: 2, To: 3}); !errors.Is(err, swarm.ErrChanged) {
		t.Errorf("replicas that never were: %v", err)
	}
	swarmtest.Remove(t, s.ID)
	if err := c.Scale(t.Context(), s.ID, swarm.Scaling{From: 1, To: 2}); !errors.Is(err, swarm.ErrNotFound) {
		t.Errorf("removed: %v", err)
	}
}

func scale(t *testing.T, c *swarm.Client, id string, from, to int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := c.Scale(ctx, id, swarm.Scaling{From: from, To: to}); err != nil {
		t.Fatal(err)
	}
}

// rawSpec is the spec of a service as the engine tells it, not as the types have it.
func rawSpec(t *testing.T, id string) map[string]any {
	t.Helper()
	_, raw, err := swarmtest.Docker(t).ServiceInspectWithRaw(t.Context(), id, dockerswarm.ServiceInspectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var service struct{ Spec map[string]any }
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if err := decoder.Decode(&service); err != nil {
		t.Fatal(err)
	}
	return service.Spec
}

func withReplicas(spec map[string]any, n int) map[string]any {
	changed := make(map[string]any, len(spec))
	for key, value := range spec {
		changed[key] = value
	}
	changed["Mode"] = map[string]any{"Replicated": map[string]any{"Replicas": json.Number(strconv.Itoa(n))}}
	return changed
}
