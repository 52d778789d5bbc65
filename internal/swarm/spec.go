package swarm

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/docker/docker/api/types/swarm"
)

// checkKnown fails with the path of the first field of a service spec that this version
// of the Docker API's types does not carry, or carries differently.
//
// An engine that is newer than these types drops what the agreed API version does not
// know when a spec is written back. Reading the spec into the types and writing it again
// shows whether there is such a field.
func checkKnown(raw json.RawMessage) error {
	var typed swarm.ServiceSpec
	if err := json.Unmarshal(raw, &typed); err != nil {
		return fmt.Errorf("decode spec: %w", err)
	}
	again, err := json.Marshal(typed)
	if err != nil {
		return fmt.Errorf("encode spec: %w", err)
	}
	have, err := decodeTree(raw)
	if err != nil {
		return err
	}
	known, err := decodeTree(again)
	if err != nil {
		return err
	}
	if path := firstLoss("Spec", have, known); path != "" {
		return fmt.Errorf("field %s is not known to this program: writing the spec back could lose it", path)
	}
	return nil
}

func decodeTree(data []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber() // a float64 would round large integers, and so hide a change
	var tree any
	if err := decoder.Decode(&tree); err != nil {
		return nil, fmt.Errorf("decode spec: %w", err)
	}
	return tree, nil
}

// firstLoss returns the path of the first part of have, in the order of keys, that known
// lacks or states differently; "" if there is none. null and absent are the same. What
// known has in addition does not matter: those are zero values that its types spell out.
func firstLoss(path string, have, known any) string {
	switch have := have.(type) {
	case map[string]any:
		known, ok := known.(map[string]any)
		if !ok {
			return path
		}
		for _, key := range slices.Sorted(maps.Keys(have)) {
			if loss := firstLoss(path+"."+key, have[key], known[key]); loss != "" {
				return loss
			}
		}
	case []any:
		known, ok := known.([]any)
		if !ok || len(known) != len(have) {
			return path
		}
		for i := range have {
			if loss := firstLoss(fmt.Sprintf("%s[%d]", path, i), have[i], known[i]); loss != "" {
				return loss
			}
		}
	default:
		if have != nil && have != known {
			return path
		}
	}
	return ""
}

// withReplicas returns the spec with Mode.Replicated.Replicas set, and every other byte
// that matters as it was.
func withReplicas(raw json.RawMessage, replicas int) (json.RawMessage, error) {
	return set(raw, []string{"Mode", "Replicated", "Replicas"}, func(json.RawMessage) (any, error) { return replicas, nil })
}

// withLabel returns the spec with one label set, or without it for "".
func withLabel(raw json.RawMessage, key, value string) (json.RawMessage, error) {
	return set(raw, []string{"Labels"}, func(have json.RawMessage) (any, error) {
		labels := map[string]string{}
		if err := decode(have, &labels); err != nil {
			return nil, err
		}
		if value == "" {
			delete(labels, key)
			return labels, nil
		}
		if labels == nil { // null
			labels = map[string]string{}
		}
		labels[key] = value
		return labels, nil
	})
}

// onlyScaled fails when the specs differ by more than the replicas and the label of a scaling: a last look before
// somebody's service is written.
func onlyScaled(before, after json.RawMessage, s Scaling) error {
	var rest [2]any
	for i, raw := range []json.RawMessage{before, after} {
		tree, err := decodeTree(raw)
		if err != nil {
			return err
		}
		spec, _ := tree.(map[string]any)
		mode, _ := spec["Mode"].(map[string]any)
		replicated, _ := mode["Replicated"].(map[string]any)
		delete(replicated, "Replicas")
		if labels, _ := spec["Labels"].(map[string]any); s.Label != "" {
			if delete(labels, s.Label); len(labels) == 0 {
				delete(spec, "Labels") // no labels are written in several ways
			}
		}
		rest[i] = tree
	}
	if path := cmp.Or(firstLoss("Spec", rest[0], rest[1]), firstLoss("Spec", rest[1], rest[0])); path != "" {
		return fmt.Errorf("field %s would have changed", path)
	}
	return nil
}

// set replaces what stands at a path of objects by what value makes of it; value is given nil where nothing stands yet.
func set(raw json.RawMessage, path []string, value func(json.RawMessage) (any, error)) (json.RawMessage, error) {
	if len(path) == 0 {
		v, err := value(raw)
		if err != nil {
			return nil, err
		}
		return json.Marshal(v)
	}
	object := map[string]json.RawMessage{}
	if raw != nil {
		if err := json.Unmarshal(raw, &object); err != nil {
			return nil, fmt.Errorf("decode spec at %s: %w", path[0], err)
		}
	}
	inner, ok := object[path[0]]
	if !ok && len(path) > 1 || object == nil {
		return nil, fmt.Errorf("edit spec: no field %s", path[0])
	}
	edited, err := set(inner, path[1:], value)
	if err != nil {
		return nil, err
	}
	object[path[0]] = edited
	return json.Marshal(object)
}
