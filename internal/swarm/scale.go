package swarm

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/versions"
	"github.com/docker/docker/client"
)

const (
	// scaleAttempts bounds the retries when other writers come first.
	scaleAttempts = 3
	// oldestAPI is that of Docker Engine 20.10. A lower one was not agreed on but assumed,
	// for want of an answer, and writing with it wipes fields.
	oldestAPI = "1.41"
)

// Scaling is a change of the replicas of a service, and of one label together with them.
type Scaling struct {
	From, To int    // replicas; the same number when only the label changes
	Label    string // key of the label; "" for none
	Was, Now string // its value before, and after; "" is no such label
	Update   string // Service.Update that the decision rests on
}

// Scale sets the replicas of a service and one label in the same write and changes nothing else: no task restarts. It
// fails with ErrNotFound, ErrNotReplicated, or ErrChanged if the service has not s.From replicas, s.Was as its label and
// s.Update as the state of its update (any more); after an ErrChanged look what it has, for the answer to an update that succeeded may have been lost on the
// way. Registry credentials are kept and no registry is asked.
//
// The engine accepts an update only of the version that was inspected. Scale inspects
// again when another change came between, and goes on while replicas, label and
// the state of the update are the same.
//
// It refuses a service whose spec has a field that is newer than this program, and names
// the field: the engine could lose it. Before a spec is sent it is compared with the one
// that was read.
func (c *Client) Scale(ctx context.Context, id string, s Scaling) error {
	if s.To < 0 {
		return fmt.Errorf("scale service %s: %d replicas", id, s.To)
	}
	err := c.write(ctx, id, func(service Service, spec json.RawMessage) (json.RawMessage, error) {
		switch {
		case service.Mode != Replicated:
			return nil, ErrNotReplicated
		case service.Replicas != s.From:
			return nil, fmt.Errorf("%w: %d, not %d", ErrChanged, service.Replicas, s.From)
		case s.Label != "" && service.Labels[s.Label] != s.Was:
			return nil, fmt.Errorf("%w: somebody has written %s", ErrChanged, s.Label)
		case service.Update != s.Update:
			return nil, fmt.Errorf("%w: its update is %q, not %q", ErrChanged, service.Update, s.Update)
		}
		return s.apply(spec)
	})
	if err != nil {
		return fmt.Errorf("scale service %s: %w", id, err)
	}
	return nil
}

// apply answers the spec that is to be, nil when that is the same.
func (s Scaling) apply(spec json.RawMessage) (json.RawMessage, error) {
	if s.From == s.To && s.Was == s.Now {
		return nil, nil
	}
	scaled, err := withReplicas(spec, s.To)
	if err == nil && s.Label != "" && s.Was != s.Now {
		scaled, err = withLabel(scaled, s.Label, s.Now)
	}
	if err != nil {
		return nil, err
	}
	return scaled, onlyScaled(spec, scaled, s)
}

// edit gives the spec that a service is to have instead of the one that it has, or nil when that is the same.
type edit func(service Service, spec json.RawMessage) (json.RawMessage, error)

// write replaces the spec of a service, and edits it anew when somebody else came first.
func (c *Client) write(ctx context.Context, id string, change edit) error {
	// A client of its own: it agrees on the API version with the engine as it is now.
	// One that was opened before the engine's upgrade would write with the old version,
	// and the engine drops the fields that are newer.
	docker, err := connect(c.host)
	if err != nil {
		return err
	}
	defer docker.Close()
	var lost error // the update that came too late
	var sent uint64
	for range scaleAttempts {
		version, body, err := inspect(ctx, docker, id, change)
		if err != nil {
			return err
		}
		// The engine reports a lost race as 500 "update out of sequence", like any failure
		// of its own. The version tells them apart without reading the text: it has moved.
		if lost != nil && version == sent {
			return lost
		}
		if body == nil {
			return nil
		}
		warnings, status, err := update(ctx, docker, id, version, body)
		switch {
		case err == nil:
			c.warn(id, warnings)
			return nil
		case status == http.StatusNotFound:
			return ErrNotFound
		case status < http.StatusInternalServerError: // 0: no answer
			return err
		}
		lost, sent = err, version
	}
	return lost
}

// inspect returns the version of a service, and its spec, as the engine wrote it, after the change.
func inspect(ctx context.Context, docker *client.Client, id string, change edit) (uint64, json.RawMessage, error) {
	service, raw, err := docker.ServiceInspectWithRaw(ctx, id, swarm.ServiceInspectOptions{InsertDefaults: false})
	if err != nil {
		return 0, nil, notFound(err)
	}
	var parts struct{ Spec json.RawMessage }
	if err := json.Unmarshal(raw, &parts); err != nil {
		return 0, nil, fmt.Errorf("decode service: %w", err)
	}
	changed, err := change(serviceOf(service), parts.Spec)
	if err != nil {
		return 0, nil, err
	}
	if err := checkKnown(parts.Spec); err != nil {
		return 0, nil, err
	}
	if v := docker.ClientVersion(); versions.LessThan(v, oldestAPI) {
		return 0, nil, fmt.Errorf("API version %s is too old to write with, %s is needed", v, oldestAPI)
	}
	return service.Version.Index, changed, nil
}

// update sends the spec as it stands. The client's own ServiceUpdate would send its
// types instead, and adds ":latest" to an image without a tag, which restarts every task.
// It returns the engine's warnings, and its HTTP status or 0 without an answer.
func update(ctx context.Context, docker *client.Client, id string, version uint64, spec []byte) ([]string, int, error) {
	response, err := send(ctx, docker, http.MethodPost, "services/"+id+"/update", url.Values{
		"version":          {fmt.Sprint(version)},
		"registryAuthFrom": {swarm.RegistryAuthFromSpec},
	}, bytes.NewReader(spec))
	if err != nil {
		return nil, 0, fmt.Errorf("update: %w", err)
	}
	defer response.Body.Close()
	said, err := readAnswer(response)
	if err != nil {
		return nil, response.StatusCode, fmt.Errorf("update: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, response.StatusCode, fmt.Errorf("update: HTTP status %d: %s", response.StatusCode, said.Message)
	}
	return said.Warnings, response.StatusCode, nil
}

func (c *Client) warn(id string, warnings []string) {
	if c.Warned == nil {
		return
	}
	for _, w := range warnings {
		c.Warned(id, w)
	}
}
