package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sluice/internal/stackfile"
	"sluice/policy"
)

// labelsOf reads the labels of one service: of a stack file by its ending, else of lines of key=value, where # begins a
// comment.
func labelsOf(file string, content []byte, service string) (name string, labels map[string]string, err error) {
	switch filepath.Ext(file) {
	case ".yml", ".yaml":
		return labelsOfStack(content, service)
	}
	labels = map[string]string{}
	n := 0
	for line := range strings.Lines(string(content)) {
		n++
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, value, found := strings.Cut(strings.TrimPrefix(line, "- "), "=")
		if key = strings.TrimSpace(key); !found || !policy.Owns(key) {
			return "", nil, fmt.Errorf("line %d: is no label such as %smax=10, got %q", n, policy.Prefix, line)
		}
		if _, twice := labels[key]; twice {
			return "", nil, fmt.Errorf("line %d: %s stands there twice", n, key)
		}
		labels[key] = strings.TrimSpace(value)
	}
	if service == "" {
		service = strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	}
	return service, labels, nil
}

func labelsOfStack(content []byte, service string) (string, map[string]string, error) {
	list, err := stackfile.Parse(content, os.LookupEnv)
	if err != nil {
		return "", nil, err
	}
	var scaled []stackfile.Service
	for _, s := range list {
		for key := range s.Labels {
			if policy.Owns(key) && (service == "" || s.Name == service) {
				scaled = append(scaled, s)
				break
			}
		}
	}
	switch {
	case len(scaled) == 0 && service != "":
		return "", nil, fmt.Errorf("service %s is not there, or has no scaling labels", service)
	case len(scaled) == 0:
		return "", nil, fmt.Errorf("no service has scaling labels")
	case len(scaled) > 1:
		var names []string
		for _, s := range scaled {
			names = append(names, s.Name)
		}
		return "", nil, fmt.Errorf("several services have scaling labels (say --service): %s", strings.Join(names, ", "))
	}
	return scaled[0].Name, scaled[0].Labels, nil
}
