package main

import (
	"encoding/json"
	"slices"
	"time"
)

// thing is one named thing that siblings keep alike, as it travels between them: the labels of a service or the content
// of a certificate, or that it was removed.
type thing struct {
	stamp
	Removed bool   `json:"removed,omitempty"`
	Value   []byte `json:"value,omitempty"`
}

// versions tells what is here, removals included.
func (d *declarations) versions() (map[string]stamp, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	result := map[string]stamp{}
	for name, m := range d.marks {
		if !m.Local {
			result[name] = m.stamp
		}
	}
	return result, nil
}

// give answers the named services as they are now.
func (d *declarations) give(names []string) (map[string]thing, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	result := map[string]thing{}
	for _, name := range names {
		m, marked := d.marks[name]
		if !marked || m.Local {
			continue
		}
		t := thing{stamp: m.stamp, Removed: true}
		if l, there := d.given[name]; there {
			value, err := json.Marshal(l)
			if err != nil {
				return nil, err
			}
			t = thing{stamp: m.stamp, Value: value}
		}
		result[name] = t
	}
	return result, nil
}

// take keeps what is newer than what is here, all in one step, and passes over what it cannot read. A removal from
// before the start does not touch the services of the environment: with a start they are back.
func (d *declarations) take(things map[string]thing) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	given, marks := d.copies()
	var taken []string
	for name, t := range things {
		l := labels(nil)
		if name == "" || !t.usable() || !t.after(marks[name].stamp) || t.Removed && tooOld(t.stamp, time.Now()) {
			continue
		}
		if !t.Removed && (json.Unmarshal(t.Value, &l) != nil || l == nil) {
			continue
		}
		if given[name] = l; t.Removed {
			delete(given, name)
		}
		marks[name] = mark{stamp: t.stamp}
		taken = append(taken, name)
	}
	if len(taken) == 0 {
		return nil
	}
	if err := d.keep(given, marks); err != nil {
		return err
	}
	for _, name := range slices.Sorted(slices.Values(taken)) {
		d.stamper.saw(things[name].stamp)
		if t := things[name]; t.Removed && t.At > d.started {
			delete(d.fixed, name)
		}
	}
	return nil
}
