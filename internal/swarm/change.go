package swarm

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Change is an update of a service. The zero value changes nothing.
type Change struct {
	Replicas *int              // nil stays
	Image    string            // "" stays; it is taken as it is, no registry is asked for its digest
	Env      map[string]string // variables to set
	Labels   map[string]string // of the service, to set; they restart no task
	Force    bool              // replace all tasks though nothing of theirs has changed
}

// Change updates the service of the given name or ID, as `docker service update` and
// `docker service scale` do: whatever it was meanwhile. Like Scale it keeps every field
// that it does not set, and registry credentials. It does not wait for the tasks.
func (c *Client) Change(ctx context.Context, service string, change Change) error {
	err := c.write(ctx, service, func(have Service, spec json.RawMessage) (json.RawMessage, error) {
		if change.Replicas != nil && have.Mode != Replicated {
			return nil, ErrNotReplicated
		}
		return change.apply(spec)
	})
	if err != nil {
		return fmt.Errorf("update service %s: %w", service, err)
	}
	return nil
}

func (c Change) apply(spec json.RawMessage) (json.RawMessage, error) {
	var err error
	to := func(value func(json.RawMessage) (any, error), path ...string) {
		if err == nil {
			spec, err = set(spec, path, value)
		}
	}
	if c.Replicas != nil {
		to(func(json.RawMessage) (any, error) { return *c.Replicas, nil }, "Mode", "Replicated", "Replicas")
	}
	if c.Image != "" {
		to(func(json.RawMessage) (any, error) { return c.Image, nil }, "TaskTemplate", "ContainerSpec", "Image")
	}
	if len(c.Env) > 0 {
		to(c.env, "TaskTemplate", "ContainerSpec", "Env")
	}
	if len(c.Labels) > 0 {
		to(c.labels, "Labels")
	}
	if c.Force {
		to(raised, "TaskTemplate", "ForceUpdate")
	}
	return spec, err
}

// env replaces the variables that are there and adds the others, in the order of their names.
func (c Change) env(have json.RawMessage) (any, error) {
	var env []string
	if err := decode(have, &env); err != nil {
		return nil, err
	}
	env = slices.DeleteFunc(env, func(line string) bool {
		name, _, _ := strings.Cut(line, "=")
		_, replaced := c.Env[name]
		return replaced
	})
	for _, name := range slices.Sorted(maps.Keys(c.Env)) {
		env = append(env, name+"="+c.Env[name])
	}
	return env, nil
}

func (c Change) labels(have json.RawMessage) (any, error) {
	labels := map[string]string{}
	if err := decode(have, &labels); err != nil {
		return nil, err
	}
	if labels == nil { // null
		labels = map[string]string{}
	}
	maps.Copy(labels, c.Labels)
	return labels, nil
}

func raised(have json.RawMessage) (any, error) {
	var n uint64
	err := decode(have, &n)
	return n + 1, err
}

// decode leaves the value as it is when nothing stands there.
func decode(have json.RawMessage, to any) error {
	if have == nil {
		return nil
	}
	if err := json.Unmarshal(have, to); err != nil {
		return fmt.Errorf("decode spec: %w", err)
	}
	return nil
}
