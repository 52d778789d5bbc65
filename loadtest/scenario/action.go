package scenario

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// reloadPath is where the proxy's API is asked for a reload.
const reloadPath = "/v1/docker-flow-proxy/reload"

// again says how often an event happens, and by whose right.
type again struct {
	times int
	every time.Duration
	token string
}

// maxTimes bounds how often one event happens.
const maxTimes = 1000

func (d *decoder) eventFields(e *Event, a *again) []field {
	at := field{"at", "time", "when, from the start of the load; needed", d.momentTo(&e.At, "at")}
	return append([]field{at,
		{"name", "text", "what the report calls it; unless given, what it does", d.textTo(&e.Name, "name")},
		{"times", "1", "how often it happens", d.wholeTo(&a.times, "times", maxTimes)},
		{"every", "time", "from one time to the next; needed when there are several", d.durationTo(&a.every, "every")},
		{"optional", "false", "true: the run does not fail when it fails", d.boolTo(&e.Optional, "optional")},
		{"token", "text", "the proxy's API_TOKEN, which reload needs from anywhere but the proxy's own host", d.textTo(&a.token, "token")},
	}, d.actionFields(e)...)
}

// actionFields are the keys of which an event has one.
func (d *decoder) actionFields(e *Event) []field {
	is := func(kind string, n *yaml.Node, read func()) {
		if e.Kind != "" {
			d.problem(n.Line, "an event does one thing, not both %s and %s", e.Kind, kind)
			return
		}
		e.Kind = kind
		read()
	}
	action := func(kind, value, about string, read func(*yaml.Node)) field {
		return field{kind, value, about, func(n *yaml.Node) { is(kind, n, func() { read(n) }) }}
	}
	container := func(kind, about string) field {
		return action(kind, "{service, nth} or {container}", about, func(n *yaml.Node) { e.Container = d.container(n, kind) })
	}
	return []field{
		action("scale", "{service, replicas}", "set the replicas of a swarm service", func(n *yaml.Node) { e.Change = d.change(n, "scale") }),
		action("update", "{service, image, env, labels, force}", "update a swarm service; what is not given stays", func(n *yaml.Node) { e.Change = d.change(n, "update") }),
		container("kill", "kill a container; of a swarm service, the swarm replaces the task"),
		container("stop", "stop a container as docker stop does"),
		container("start", "start it again"),
		container("pause", "freeze a container"),
		container("resume", "let it go on"),
		action("reload", "http://HOST:PORT", "ask the proxy whose API this is for a reload; see token", func(n *yaml.Node) {
			var api string
			before := len(d.problems)
			if d.webTo(&api, "reload")(n); len(d.problems) == before {
				e.Call = &Call{Method: http.MethodPost, URL: api + reloadPath}
			}
		}),
		action("request", "{method, url, headers, body, status}", "send a request", func(n *yaml.Node) { e.Call = d.call(n) }),
		action("command", "[program, argument, …]", "run a program on this machine, without a shell; only with --allow-commands", func(n *yaml.Node) {
			e.Command = []string{}
			d.texts(&e.Command, "command")(n)
			if len(e.Command) == 0 {
				d.problem(n.Line, "a command needs a program")
			}
		}),
	}
}

// event gives one event for each time that it happens.
func (d *decoder) event(n *yaml.Node) []Event {
	e, a, before := Event{Line: n.Line}, again{times: 1}, len(d.problems)
	given := d.object(n, "an event", d.eventFields(&e, &a))
	if len(d.problems) > before {
		return nil
	}
	if given["at"] == 0 {
		d.problem(n.Line, "an event needs a time, such as at: 20s")
	}
	if e.Kind == "" {
		d.problem(n.Line, "an event does one of %s", strings.Join(keys(d.actionFields(&Event{})), ", "))
	} else if e.Name == "" {
		e.Name = e.describe()
	}
	switch {
	case a.token == "":
	case e.Kind != "reload":
		d.problem(given["token"], "a token belongs to reload; request has headers")
	case strings.ContainsFunc(a.token, func(c rune) bool { return c <= ' ' || c > '~' }):
		d.problem(given["token"], "token has a character that no header can hold")
	default:
		e.Call.Headers = append(e.Call.Headers, Header{"Authorization", "Bearer " + a.token})
	}
	if (a.times > 1) != (a.every > 0) {
		d.problem(n.Line, "an event that happens several times needs times, such as 20, and every, such as 1s")
	}
	var out []Event
	for i := range a.times {
		one := e
		one.At += time.Duration(i) * a.every
		if a.times > 1 {
			one.Repeats, one.Name = e.Name, fmt.Sprintf("%s (%d of %d)", e.Name, i+1, a.times)
		}
		out = append(out, one)
	}
	return out
}

func (d *decoder) changeFields(c *Change, kind string) []field {
	service := field{"service", "name", "the swarm service; needed", d.textTo(&c.Service, "service")}
	if kind == "scale" {
		return []field{service, {"replicas", "number", "how many; needed", func(n *yaml.Node) {
			c.Replicas = new(int)
			d.numberTo(c.Replicas, "replicas", 0, 10_000)(n)
		}}}
	}
	pairs := func(key string, to *[]Header) func(*yaml.Node) {
		return func(n *yaml.Node) {
			d.pairs(n, key, func(name, value string) { *to = append(*to, Header{name, value}) })
		}
	}
	return []field{
		service,
		{"image", "name", "the new image, as the nodes have it or can pull it", d.textTo(&c.Image, "image")},
		{"env", "{NAME: value}", "variables to set in the containers", pairs("env", &c.Env)},
		{"labels", "{name: value}", "labels of the service to set; this restarts no task", pairs("labels", &c.Labels)},
		{"force", "false", "true replaces all tasks even when nothing else changes", d.boolTo(&c.Force, "force")},
	}
}

func (d *decoder) change(n *yaml.Node, kind string) *Change {
	c, before := &Change{}, len(d.problems)
	d.object(n, kind, d.changeFields(c, kind))
	switch nothing := c.Replicas == nil && c.Image == "" && c.Env == nil && c.Labels == nil && !c.Force; {
	case len(d.problems) > before:
	case c.Service == "":
		d.problem(n.Line, "%s needs the name of a service", kind)
	case nothing && kind == "scale":
		d.problem(n.Line, "scale needs the number of replicas")
	case nothing:
		d.problem(n.Line, "update changes nothing: give image, env or labels, or force: true")
	}
	return c
}

func (d *decoder) containerFields(c *Container, kind string) []field {
	fields := []field{
		{"service", "name", "a swarm service with running tasks on this engine", d.textTo(&c.Service, "service")},
		{"nth", "1", "which of its tasks, counted by slot", d.wholeTo(&c.Nth, "nth", 10_000)},
		{"container", "name", "a container by its name or ID", d.textTo(&c.Name, "container")},
	}
	if kind == "kill" {
		fields = append(fields, field{"signal", "KILL", "the signal to send", d.textTo(&c.Signal, "signal")})
	}
	return fields
}

func (d *decoder) container(n *yaml.Node, kind string) *Container {
	c, before := &Container{Nth: 1, Signal: "KILL"}, len(d.problems)
	d.object(n, kind, d.containerFields(c, kind))
	if len(d.problems) == before && (c.Service == "") == (c.Name == "") {
		d.problem(n.Line, "%s needs either a service or a container", kind)
	}
	return c
}

func (d *decoder) callFields(c *Call) []field {
	return []field{
		{"method", "POST", "its method", d.textTo(&c.Method, "method")},
		{"url", "http://HOST:PORT/PATH", "where it goes; needed", d.textTo(&c.URL, "url")},
		{"headers", "{name: value}", "its headers; Host sets its host", d.headersTo(&c.Headers)},
		{"body", "text", "its body", d.textTo(&c.Body, "body")},
		{"status", "any 2xx", "the answer that it must get", d.numberTo(&c.Status, "status", 100, 599)},
	}
}

func (d *decoder) call(n *yaml.Node) *Call {
	c, before := &Call{Method: http.MethodPost}, len(d.problems)
	d.object(n, "request", d.callFields(c))
	if len(d.problems) == before && c.URL == "" {
		d.problem(n.Line, "a request needs a url")
	}
	return c
}
