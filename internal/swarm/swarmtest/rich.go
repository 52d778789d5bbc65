package swarmtest

import (
	"maps"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	dockerswarm "github.com/docker/docker/api/types/swarm"

	"sluice/internal/swarm"
)

// Rich starts a service that has every field set that the engine lets a service
// have without hardware or credentials. Labels are added to its own.
func Rich(t testing.TB, s Service) swarm.Service {
	t.Helper()
	network, config, secret := Network(t), Config(t, "config"), Secret(t, "secret")
	labels := map[string]string{"com.df.notify": "true", "com.df.reqPathSearchReplace": `^/a/(.*)"<&>,/\1`}
	maps.Copy(labels, s.Labels)
	return Start(t, Service{
		Networks: []string{network.ID}, Args: []string{"serve"},
		Env:    []string{"A=<&> 'quoted'"},
		Labels: labels,
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
	c.Healthcheck = &container.HealthConfig{Test: []string{"CMD", "/app", "check"}, Interval: time.Second, Timeout: time.Minute, Retries: 5, StartPeriod: time.Second} // slow probes end no task
	c.Hosts = []string{"10.9.8.7 example.test"}
	c.DNSConfig = &dockerswarm.DNSConfig{Nameservers: []string{"127.0.0.11"}, Search: []string{"example.test"}, Options: []string{"ndots:2"}}
	c.Sysctls = map[string]string{"net.ipv4.tcp_keepalive_time": "600"}
	c.CapabilityAdd, c.CapabilityDrop = []string{"CAP_NET_ADMIN"}, []string{"CAP_MKNOD"}
	c.Ulimits = []*container.Ulimit{{Name: "nofile", Soft: 1000, Hard: 2000}}
}
