package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/rs/zerolog"

	"sluice/internal/label"
	"sluice/routing"
)

// declarations are the services outside the swarm: the environment gives some at the start, the API some since. What
// the API gave survives a restart in a file. Many may write; the reconciler alone makes HAProxy run what is declared.
// The zero value is empty and keeps no file.
type declarations struct {
	file string

	mu    sync.Mutex
	fixed map[string]labels // of the environment
	given map[string]labels // of the API, before those of the environment
	wish  wish              // what the next step shall apply, without services
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
}

const declarationsVersion = 1

// openDeclarations reads the state of an earlier run. A broken file is set aside: a proxy without some routes is better
// than none, and the file is kept for whoever mends it.
func openDeclarations(file string, fixed map[string]labels, log zerolog.Logger) (*declarations, error) {
	d := &declarations{file: file, fixed: fixed, given: map[string]labels{}, wish: wish{version: 1}}
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
	d.given = state.Services
	return d, nil
}

// set declares a service, in place of one of the same name, and answers the version to wait for.
func (d *declarations) set(name string, l labels) (uint64, error) {
	return d.change(func(given map[string]labels) { given[name] = l })
}

// remove takes a service back. One of the environment is back after the next start.
func (d *declarations) remove(name string) (uint64, error) {
	return d.change(func(given map[string]labels) {
		delete(given, name)
		delete(d.fixed, name)
	})
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

func (d *declarations) change(change func(given map[string]labels)) (uint64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	next := map[string]labels{}
	maps.Copy(next, d.given)
	change(next)
	if err := d.save(next); err != nil {
		return 0, fmt.Errorf("save declared services: %w", err)
	}
	d.given = next
	d.wish.version++
	return d.wish.version, nil
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
	s := routing.Service{Name: name, Labels: labels{}, Replicas: 1}
	maps.Copy(s.Labels, given)
	s.Labels[notifyLabel] = "true"
	if outbound := label.Prefix + "outboundHostname"; s.Labels[outbound] == "" {
		s.Labels[outbound] = name
	}
	return s
}

// save writes the file in one step: after a crash it is the old or the new one. It may hold passwords.
func (d *declarations) save(services map[string]labels) error {
	if d.file == "" {
		return nil
	}
	content, err := json.MarshalIndent(declarationsFile{declarationsVersion, services}, "", "  ")
	if err != nil {
		return err
	}
	aside, err := os.CreateTemp(filepath.Dir(d.file), filepath.Base(d.file)+".*") // of mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(aside.Name()) // it is gone when all went well
	_, err = aside.Write(content)
	if err = errors.Join(err, aside.Sync(), aside.Close()); err != nil {
		return err
	}
	return os.Rename(aside.Name(), d.file)
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
