package swarm

import (
	"context"
	"errors"
	"fmt"
)

// Config reads the content of a Docker config by its name. The engine takes the beginning of an ID for a name too, so
// another name in the answer is ErrNoConfig. The content of a config never changes, but a config can be removed and
// another one be made under its name.
func (c *Client) Config(ctx context.Context, name string) (string, error) {
	config, _, err := c.docker.ConfigInspectWithRaw(ctx, name)
	if err == nil && config.Spec.Name != name || errors.Is(notFound(err), ErrNotFound) {
		return "", ErrNoConfig
	}
	if err != nil {
		return "", fmt.Errorf("read config %s: %w", name, err)
	}
	return string(config.Spec.Data), nil
}

// ErrNoConfig says that there is no Docker config of that name.
var ErrNoConfig = errors.New("there is no config of this name")
