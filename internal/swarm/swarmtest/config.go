package swarmtest

import (
	"testing"

	dockerswarm "github.com/docker/docker/api/types/swarm"
)

// Config creates a config and returns a reference that puts it at /name.
func Config(t testing.TB, name string) *dockerswarm.ConfigReference {
	t.Helper()
	docker := Docker(t)
	ctx, cancel := limit()
	defer cancel()
	annotations := dockerswarm.Annotations{Name: unique(name), Labels: owner()}
	created, err := docker.ConfigCreate(ctx, dockerswarm.ConfigSpec{Annotations: annotations, Data: []byte(name)})
	if err != nil {
		t.Fatalf("create config: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := limit()
		defer cancel()
		if err := docker.ConfigRemove(ctx, created.ID); err != nil {
			t.Errorf("remove config: %v", err)
		}
	})
	file := dockerswarm.ConfigReferenceFileTarget{Name: "/" + name, UID: "0", GID: "0", Mode: 0o444}
	return &dockerswarm.ConfigReference{ConfigID: created.ID, ConfigName: annotations.Name, File: &file}
}

// Secret creates a secret and returns a reference that puts it at /run/secrets/name.
func Secret(t testing.TB, name string) *dockerswarm.SecretReference {
	t.Helper()
	docker := Docker(t)
	ctx, cancel := limit()
	defer cancel()
	annotations := dockerswarm.Annotations{Name: unique(name), Labels: owner()}
	created, err := docker.SecretCreate(ctx, dockerswarm.SecretSpec{Annotations: annotations, Data: []byte(name)})
	if err != nil {
		t.Fatalf("create secret: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := limit()
		defer cancel()
		if err := docker.SecretRemove(ctx, created.ID); err != nil {
			t.Errorf("remove secret: %v", err)
		}
	})
	file := dockerswarm.SecretReferenceFileTarget{Name: name, UID: "0", GID: "0", Mode: 0o444}
	return &dockerswarm.SecretReference{SecretID: created.ID, SecretName: annotations.Name, File: &file}
}
