// Package stackfile reads the services and labels of a stack file, the input of `docker stack deploy`.
//
// It reads what Sluice needs (deploy.labels, deploy.replicas, deploy.mode, networks) and passes over the rest, and it
// remembers the line of every label, so that a report can point at it. It is pure: bytes in, values out.
package stackfile

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Service is one service of a stack file.
type Service struct {
	Name     string // without the stack's name
	Line     int
	Labels   map[string]string
	Lines    map[string]int // label -> line
	Replicas int            // 1 when the file does not say
	Global   bool
	Job      bool     // replicated-job or global-job
	Networks []string // as the file calls them; nil when it names none
}

// Parse reads a stack file, with the variables that lookup knows. Errors name the line.
func Parse(content []byte, lookup func(name string) (string, bool)) ([]Service, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(content, &document); err != nil {
		return nil, fmt.Errorf("read YAML: %w", err)
	}
	if len(document.Content) == 0 {
		return nil, fmt.Errorf("line 1: the file is empty")
	}
	var whole any // finds what a tree of nodes may hide: keys that stand twice, anchors that contain themselves
	if err := document.Decode(&whole); err != nil {
		return nil, fmt.Errorf("read YAML: %w", err)
	}
	if err := substitute(&document, lookup); err != nil {
		return nil, err
	}
	names := networkNames(child(document.Content[0], "networks"))
	list := child(document.Content[0], "services")
	if list == nil || list.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("line %d: there is no mapping `services`", document.Content[0].Line)
	}
	var services []Service
	for i := 0; i+1 < len(list.Content); i += 2 {
		s, err := parseService(list.Content[i], list.Content[i+1], names)
		if err != nil {
			return nil, err
		}
		services = append(services, s)
	}
	return services, nil
}

func parseService(name, body *yaml.Node, networks map[string]string) (Service, error) {
	s := Service{Name: name.Value, Line: name.Line, Labels: map[string]string{}, Lines: map[string]int{}, Replicas: 1}
	for _, n := range items(child(body, "networks")) {
		if known, ok := networks[n.key]; ok {
			n.key = known
		}
		s.Networks = append(s.Networks, n.key)
	}
	deploy := child(body, "deploy")
	for _, l := range items(child(deploy, "labels")) {
		s.Labels[l.key], s.Lines[l.key] = l.value, l.line
	}
	if mode := child(deploy, "mode"); mode != nil {
		s.Global = mode.Value == "global"
		s.Job = strings.HasSuffix(mode.Value, "-job")
	}
	if replicas := child(deploy, "replicas"); replicas != nil {
		n, err := strconv.Atoi(replicas.Value)
		if err != nil || n < 0 {
			return s, fmt.Errorf("line %d: services.%s.deploy.replicas: is not a number of replicas, got %q", replicas.Line, s.Name, replicas.Value)
		}
		s.Replicas = n
	}
	return s, nil
}

// networkNames maps the names that the file uses to the names of the networks: an external network, or one with a
// name of its own, is called by that.
func networkNames(node *yaml.Node) map[string]string {
	names := map[string]string{}
	if node == nil || node.Kind != yaml.MappingNode {
		return names
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if name := child(node.Content[i+1], "name"); name != nil {
			names[node.Content[i].Value] = name.Value
		}
	}
	return names
}

type item struct {
	key, value string
	line       int
}

// items reads what a stack file may write as a mapping (`key: value`) or as a list (`- key=value`). What a mapping
// merges comes first, so that its own keys win.
func items(node *yaml.Node) (list []item) {
	node = resolve(node)
	switch {
	case node == nil:
	case node.Kind == yaml.MappingNode:
		for _, m := range merged(node) {
			list = append(list, items(m)...)
		}
		for i := 0; i+1 < len(node.Content); i += 2 {
			if key := node.Content[i]; !isMerge(key) {
				list = append(list, item{resolve(key).Value, scalar(node.Content[i+1]), key.Line})
			}
		}
	case node.Kind == yaml.SequenceNode:
		for _, n := range node.Content {
			key, value, _ := strings.Cut(scalar(n), "=")
			list = append(list, item{key, value, n.Line})
		}
	}
	return list
}

func scalar(node *yaml.Node) string { return resolve(node).Value }

// child finds a key of a mapping, looking through aliases and merges; nil when it is not there.
func child(node *yaml.Node, key string) *yaml.Node {
	node = resolve(node)
	if node == nil || node.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == key {
			return resolve(node.Content[i+1])
		}
	}
	for _, m := range slices.Backward(merged(node)) {
		if found := child(m, key); found != nil {
			return found
		}
	}
	return nil
}

// merged lists the mappings that a mapping takes keys from (`<<: *a`, `<<: [*a, *b]`), the one that wins last.
func merged(node *yaml.Node) (mappings []*yaml.Node) {
	for i := 0; i+1 < len(node.Content); i += 2 {
		if !isMerge(node.Content[i]) {
			continue
		}
		if from := resolve(node.Content[i+1]); from.Kind == yaml.SequenceNode {
			for _, m := range slices.Backward(from.Content) {
				mappings = append(mappings, resolve(m))
			}
		} else {
			mappings = append(mappings, from)
		}
	}
	return mappings
}

func isMerge(key *yaml.Node) bool { return key.Tag == "!!merge" }

// resolve looks through aliases. Those that lead to themselves were refused before.
func resolve(node *yaml.Node) *yaml.Node {
	for node != nil && node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	return node
}
