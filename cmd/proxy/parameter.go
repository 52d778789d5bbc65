package main

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"sluice/internal/label"
	"sluice/routing"
)

// A service outside the swarm is written in the words of the labels: as parameters of a request (servicePath.1=/a) or
// as variables of the environment (DFP_SERVICE_2_SERVICE_PATH_1=/a).

// notLabels are parameters that say nothing about the route.
var notLabels = []string{"serviceName", "distribute", "replicas", "notify"}

// canonical writes a parameter as the table of labels does. Case does not matter, as in Docker Flow Proxy; a name that
// is none stays as it is, and routing reports it.
func canonical(parameter string) string {
	name, index := parameter, ""
	if dot := strings.LastIndexByte(parameter, '.'); dot > 0 && isNumber(parameter[dot+1:]) {
		name, index = parameter[:dot], parameter[dot:]
	}
	for _, known := range notLabels {
		if strings.EqualFold(known, parameter) {
			return known
		}
	}
	for _, spec := range routing.Labels.Specs {
		if strings.EqualFold(spec.Name, name) {
			return spec.Name + index
		}
	}
	return parameter
}

// labelsOf are the labels that parameters stand for.
func labelsOf(parameters map[string]string) labels {
	result := labels{}
	for name, value := range parameters {
		if !slices.Contains(notLabels, name) {
			result[label.Prefix+name] = value
		}
	}
	return result
}

// checkParameters refuses what Docker Flow Proxy refuses, with its codes. Everything else is routing's business.
func checkParameters(parameters map[string]string) error {
	given := func(name string) bool {
		for parameter, value := range parameters {
			if base, _, _ := strings.Cut(parameter, "."); base == name && strings.TrimSpace(value) != "" {
				return true
			}
		}
		return false
	}
	ported := false // some destination has a port of its own and needs neither path nor domain
	for name, value := range parameters {
		if base, _, _ := strings.Cut(name, "."); base == "reqMode" {
			ported = ported || !strings.EqualFold(value, "http")
		}
	}
	switch {
	case !given("serviceName"):
		return refusal{http.StatusBadRequest, "serviceName is missing"}
	case !given("port"):
		return refusal{http.StatusBadRequest, "port is missing"}
	case ported:
		return nil
	case !given("servicePath") && !given("serviceDomain"):
		return refusal{http.StatusConflict, "servicePath and serviceDomain are missing: nothing leads to the service"}
	}
	return nil
}

// maxBody bounds the body of a request in bytes.
const maxBody = 1 << 20

// readParameters reads query and body.
func readParameters(w http.ResponseWriter, r *http.Request) (map[string]string, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := r.ParseForm(); err != nil {
		return nil, refusal{http.StatusBadRequest, fmt.Sprintf("read parameters: %v", err)}
	}
	parameters := map[string]string{}
	for key, values := range r.Form {
		name := canonical(key)
		if _, twice := parameters[name]; twice || len(values) > 1 {
			return nil, refusal{http.StatusBadRequest, fmt.Sprintf("the parameter %s is given twice", name)}
		}
		parameters[name] = values[0]
	}
	return parameters, nil
}

const environmentPrefix = "DFP_SERVICE_"

// declaredByEnvironment reads DFP_SERVICE_<FIELD> and DFP_SERVICE_<n>_<FIELD>, each with an index at its end or none.
func declaredByEnvironment(environ []string) (map[string]labels, error) {
	groups := map[string]labels{} // by number, "" without one
	for _, variable := range environ {
		key, value, _ := strings.Cut(variable, "=")
		field, ours := strings.CutPrefix(key, environmentPrefix)
		if !ours {
			continue
		}
		number := ""
		if head, rest, numbered := strings.Cut(field, "_"); numbered && isNumber(head) {
			number, field = head, rest
		}
		if groups[number] == nil {
			groups[number] = labels{}
		}
		groups[number][canonical(parameterOf(field))] = value
	}
	services := map[string]labels{}
	for _, number := range slices.Sorted(maps.Keys(groups)) {
		prefix := strings.TrimSuffix(environmentPrefix+number, "_")
		name := groups[number]["serviceName"]
		if name == "" {
			return nil, fmt.Errorf("%s_SERVICE_NAME: is missing, but other variables begin with %s", prefix, prefix)
		}
		if services[name] != nil {
			return nil, fmt.Errorf("%s_SERVICE_NAME: another service of the environment has the name %q", prefix, name)
		}
		services[name] = labelsOf(groups[number])
	}
	return services, nil
}

// parameterOf turns SERVICE_PATH_1 into servicePath.1.
func parameterOf(field string) string {
	words := strings.Split(strings.ToLower(field), "_")
	index := ""
	if last := words[len(words)-1]; len(words) > 1 && isNumber(last) {
		words, index = words[:len(words)-1], "."+last
	}
	for i, word := range words[1:] {
		if word != "" {
			words[i+1] = strings.ToUpper(word[:1]) + word[1:]
		}
	}
	return strings.Join(words, "") + index
}

func isNumber(text string) bool {
	n, err := strconv.Atoi(text)
	return err == nil && n >= 0
}
