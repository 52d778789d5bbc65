package scenario

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Event is one thing that is done to the service at a moment of the load. What is done is in the one part that is not nil.
type Event struct {
	At       time.Duration // from the start of the load
	Name     string        // for people
	Optional bool          // the run does not fail when it fails
	Kind     string        // the key that says what is done
	Line     int
	Repeats  string // what the name is without "(2 of 3)"; "" of one that happens once

	Change    *Change    // scale and update
	Container *Container // kill, stop, start, pause and resume
	Call      *Call      // reload and request
	Command   []string   // command: a program and its arguments
}

// Change is an update of a swarm service; what is not given stays as it is.
type Change struct {
	Service  string
	Replicas *int
	Image    string
	Env      []Header // variables to set
	Labels   []Header // of the service, to set
	Force    bool     // replace all tasks though nothing has changed
}

// Container is one container of the engine on which events act: by its name, or as the Nth running one of a service.
type Container struct {
	Name    string
	Service string
	Nth     int    // from 1, by slot
	Signal  string // of kill
}

// Call is an HTTP request that must be answered with Status; 0 is any from 200 to 299.
type Call struct {
	Method  string
	URL     string
	Headers []Header
	Body    string
	Status  int
}

// Commands says whether an event runs a program on this machine.
func (s *Scenario) Commands() bool {
	return slices.ContainsFunc(s.Events, func(e Event) bool { return e.Command != nil })
}

// Docker says whether an event needs the Docker Engine.
func (s *Scenario) Docker() bool {
	return slices.ContainsFunc(s.Events, func(e Event) bool { return e.Change != nil || e.Container != nil })
}

// describe says what the event does.
func (e Event) describe() string {
	switch {
	case e.Kind == "scale":
		return fmt.Sprintf("scale %s to %d", e.Change.Service, *e.Change.Replicas)
	case e.Kind == "reload":
		return "reload the proxy"
	case e.Change != nil:
		return "update " + e.Change.Service
	case e.Container != nil && e.Container.Name != "":
		return e.Kind + " " + e.Container.Name
	case e.Container != nil:
		return fmt.Sprintf("%s task %d of %s", e.Kind, e.Container.Nth, e.Container.Service)
	case e.Call != nil:
		return e.Call.Method + " " + e.Call.URL
	default:
		return strings.Join(e.Command, " ")
	}
}
