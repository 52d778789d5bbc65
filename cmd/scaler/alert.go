package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// alert is a step that an alert asks for.
type alert struct {
	service string
	step    int // 1 up, -1 down
}

// notice is what Alertmanager, Kapacitor or docker-scaler's callers post. Alertmanager and docker-scaler name service and
// direction in labels `service` and `scale`, Kapacitor in tags of the same names.
type notice struct {
	Status       string            `json:"status"` // Alertmanager: firing or resolved
	Alerts       []firing          `json:"alerts"`
	CommonLabels map[string]string `json:"commonLabels"`
	GroupLabels  map[string]string `json:"groupLabels"` // docker-scaler has nothing else

	Level string `json:"level"` // Kapacitor: OK, INFO, WARNING or CRITICAL
	Data  struct {
		Series []struct {
			Tags map[string]string `json:"tags"`
		} `json:"series"`
	} `json:"data"`
}

type firing struct {
	Status string            `json:"status"`
	Labels map[string]string `json:"labels"`
}

var errNoAlert = errors.New("names no service and direction: labels or tags service and scale (up or down), or ?service=NAME&scale=up")

// parseAlert reads whom a notice is about, in the order of the notice and each service once. What stands in the query of
// the address goes before what the notice says. None is no error when the notice says that all is well again.
func parseAlert(query url.Values, body []byte) ([]alert, error) {
	var n notice
	if len(body) > 0 {
		if err := json.Unmarshal(body, &n); err != nil {
			return nil, fmt.Errorf("read alert: %w", err)
		}
	}
	given := map[string]string{"service": query.Get("service"), "scale": query.Get("scale")}
	if n.over() {
		return nil, nil
	}
	var list []alert
	for _, labels := range n.labels() {
		service, direction := first("service", given, labels, n.CommonLabels, n.GroupLabels), first("scale", given, labels, n.CommonLabels, n.GroupLabels)
		if service == "" && direction == "" {
			continue // somebody else's alert in the same notice
		}
		step := 0
		switch strings.ToLower(direction) {
		case "up":
			step = 1
		case "down":
			step = -1
		}
		switch {
		case service == "":
			return nil, errors.New("read alert: service is missing")
		case step == 0:
			return nil, fmt.Errorf("read alert: scale is neither up nor down, got %q", direction)
		}
		list = added(list, alert{service, step})
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("read alert: %w", errNoAlert)
	}
	return list, nil
}

// over tells whether there is no trouble any more.
func (n notice) over() bool {
	firing := func(f firing) bool { return f.Status != "resolved" }
	return n.Status == "resolved" || n.Level == "OK" || len(n.Alerts) > 0 && !slices.ContainsFunc(n.Alerts, firing)
}

// labels are those of every alert of the notice; one without any when it has none, for the labels of all.
func (n notice) labels() []map[string]string {
	var list []map[string]string
	for _, a := range n.Alerts {
		if a.Status != "resolved" {
			list = append(list, a.Labels)
		}
	}
	for _, s := range n.Data.Series {
		list = append(list, s.Tags)
	}
	if len(list) == 0 {
		list = append(list, nil)
	}
	return list
}

// added takes a service once, and up before down: alerts that contradict each other must not take replicas away.
func added(list []alert, a alert) []alert {
	i := slices.IndexFunc(list, func(other alert) bool { return other.service == a.service })
	if i < 0 {
		return append(list, a)
	}
	list[i].step = max(list[i].step, a.step)
	return list
}

func first(key string, sets ...map[string]string) string {
	for _, set := range sets {
		if set[key] != "" {
			return set[key]
		}
	}
	return ""
}
