package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"sluice/internal/label"
	"sluice/routing"
)

// declarations are the services outside the swarm: the environment gives some at the start, the API some since. What
// the API gave survives a restart in a file. Many may write; the reconciler alone makes HAProxy run what is declared.
// The zero value is empty and keeps no file.
type declarations struct {
	file string

	mu      sync.Mutex
	fixed   map[string]labels // of the environment
	given   map[string]labels // of the API, before those of the environment
	marks   map[string]mark   // when each was given, or removed by whom; see declared_merge.go
	stamper stamper
	started int64 // Unix nanoseconds
	wish    wish  // what the next step shall apply, without services
}

// labels of a service, with their prefix.
type labels = map[string]string

// wish is a state of the declarations. Versions grow with every change, so that whoever changed something can wait
// until it is in force.
type wish struct {
	version  uint64
	reload   uint64 // the version at which a reload was asked for last
	services []routing.Service
}

// declarationsFile is the state as it is on disk.
type declarationsFile struct {
	Version  int               `json:"version"`
	Services map[string]labels `json:"services"`
	Marks    map[string]mark   `json:"marks,omitempty"`
}

const declarationsVersion = 1

// openDeclarations reads the state of an earlier run. A broken file is set aside: a proxy without some routes is better
// than none, and the file is kept for whoever mends it.
func openDeclarations(file string, fixed map[string]labels, instance string, log zerolog.Logger) (*declarations, error) {
	d := &declarations{file: file, fixed: fixed, given: map[string]labels{}, stamper: stamper{by: instance}, started: time.Now().UnixNano(), wish: wish{version: 1}}
	content, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return d, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read declared services: %w", err)
	}
	var state declarationsFile
	err = json.Unmarshal(content, &state)
	if err == nil && (state.Version != declarationsVersion || state.Services == nil) {
		err = fmt.Errorf("version is %d, want %d", state.Version, declarationsVersion)
	}
	if err != nil {
		aside := file + ".broken"
		log.Warn().Err(err).Str("file", file).Str("aside", aside).Msg("file of declared services is broken and set aside")
		if err := os.Rename(file, aside); err != nil {
			return nil, fmt.Errorf("set broken file aside: %w", err)
		}
		return d, nil
	}
	d.given, d.marks = state.Services, d.stamper.adopt(state.Marks, state.Services)
	return d, nil
}

// put declares a service, in place of one of the same name, or removes it when there are no labels; one of the environment
// is back after the next start. Of what is local the siblings are not told. It answers the version to wait for.
func (d *declarations) put(name string, l labels, local bool) (uint64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	given, marks := d.copies()
	if given[name] = l; l == nil {
		delete(given, name)
	}
	marks[name] = mark{stamp: d.stamper.next(), Local: local}
	if err := d.keep(given, marks); err != nil {
		return 0, err
	}
	if l == nil {
		delete(d.fixed, name)
	}
	return d.wish.version, nil
}

// copies are a state to change; an empty one where there is none. The caller holds mu.
func (d *declarations) copies() (given map[string]labels, marks map[string]mark) {
	given, marks = map[string]labels{}, map[string]mark{}
	maps.Copy(given, d.given)
	maps.Copy(marks, d.marks)
	return given, marks
}

// askReload wants a reload even when nothing has changed.
func (d *declarations) askReload() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wish.version++
	d.wish.reload = d.wish.version
	return d.wish.version
}

// askLook answers a version that is in force when a step has looked at everything that was there before this call.
func (d *declarations) askLook() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wish.version++
	return d.wish.version
}

// keep makes a new state the present one, once it is on disk. The caller holds mu.
func (d *declarations) keep(given map[string]labels, marks map[string]mark) error {
	forgetOld(marks, given, time.Now())
	if err := d.save(given, marks); err != nil {
		return fmt.Errorf("save declared services: %w", err)
	}
	d.given, d.marks = given, marks
	d.wish.version++
	return nil
}

// current is what shall be in force now. Services come in the order of their names.
func (d *declarations) current() wish {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.wish
	all := map[string]labels{}
	maps.Copy(all, d.fixed)
	maps.Copy(all, d.given)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		now.services = append(now.services, declaredService(name, all[name]))
	}
	return now
}

// declaredService says a declaration in the words of routing. Declaring a service is asking for its route; without a
// host it is reached by its own name, as Docker Flow Proxy does.
func declaredService(name string, given labels) routing.Service {
	s := routing.Service{Name: name, Labels: labels{}, Replicas: 1, Declared: true}
	maps.Copy(s.Labels, given)
	s.Labels[notifyLabel] = "true"
	if outbound := label.Prefix + "outboundHostname"; s.Labels[outbound] == "" {
		s.Labels[outbound] = name
	}
	return s
}

// save writes the file in one step: after a crash it is the old or the new one. It may hold passwords.
func (d *declarations) save(services map[string]labels, marks map[string]mark) error {
	if d.file == "" {
		return nil
	}
	content, err := json.MarshalIndent(declarationsFile{declarationsVersion, services, marks}, "", "  ")
	if err != nil {
		return err
	}
	return writeWhole(d.file, content)
}

// join adds the declared services to the swarm's. The swarm's service wins over a declared one of the same name, for it
// is the one that runs.
func join(swarm, declared []routing.Service) (all []routing.Service, problems []label.Problem) {
	taken := map[string]bool{}
	for _, s := range swarm {
		taken[s.Name] = true
	}
	all = slices.Clone(swarm)
	for _, s := range declared {
		if taken[s.Name] {
			problems = append(problems, label.Problem{Service: s.Name, Reason: "is declared too, by API or environment: the service of the swarm counts"})
			continue
		}
		all = append(all, s)
	}
	return all, problems
}
