package main

import (
	"cmp"
	"errors"
	"path"
	"path/filepath"
	"slices"
	"time"

	"sluice/internal/label"
)

// certificatesOrigin stands where a problem names its service.
const certificatesOrigin = "(certificates)"

// certificates are those that the operator gives as files and Docker secrets. They are looked at in every step, so that
// one that is renewed, added or removed is in force a moment later. Only the reconciler's goroutine uses them.
type certificates struct {
	sources   []certificateSource // of two files with one name the one in the first source counts
	preferred []string            // globs of names that come first
	// saved answers what HAProxy's own copy of a certificate holds. It stands in for a file that is broken when the
	// controller starts.
	saved   func(name string) []byte
	refused map[digest]string           // by content: what HAProxy said
	files   map[string]*certificateFile // by path
}

// certificatesDir is where certificates of the API are kept.
func certificatesDir(dir string) string { return filepath.Join(dir, "certs") }

// newCertificates knows the places below dir, or without one only the common places. What was given by API comes before
// a file of the same name, so that what the API answered stays true.
func newCertificates(dir string, preferred []string, refused map[digest]string) *certificates {
	c := &certificates{preferred: preferred, refused: refused, files: map[string]*certificateFile{}, saved: func(string) []byte { return nil }}
	if dir != "" {
		c.sources = append(c.sources, certificateSource{dir: certificatesDir(dir)})
	}
	c.sources = append(c.sources, certificateSource{dir: "/certs"})
	for _, folder := range secretFolders(dir) {
		c.sources = append(c.sources, certificateSource{dir: folder, secret: true})
	}
	return c
}

// read looks at all places and answers the certificates in their order: the first one is the default.
func (c *certificates) read(now time.Time) (list []certificate, problems []label.Problem) {
	present := map[string]bool{}
	taken := map[string]string{} // name -> the path that counts
	for _, source := range c.sources {
		names, err := source.names()
		if err != nil {
			problems = append(problems, label.Problem{Service: certificatesOrigin, Label: source.dir, Reason: "cannot be read: " + err.Error()})
			if !errors.Is(err, errTooMany) {
				names = c.known(source.dir) // it is not known that anything is gone
			}
		}
		for _, name := range names {
			path := filepath.Join(source.dir, name)
			present[path] = true
			used, reason := c.look(source.dir, name, now)
			if first, twice := taken[name]; twice && used != nil {
				used, reason = nil, first+" has the same name and comes first"
			}
			if reason != "" {
				problems = append(problems, label.Problem{Service: certificatesOrigin, Label: path, Value: name, Reason: reason})
			}
			if used == nil {
				continue
			}
			used.rank = c.rank(source, name)
			taken[name] = used.path
			list = append(list, *used)
			if reason := ages(used.info, now); reason != "" {
				problems = append(problems, label.Problem{Service: certificatesOrigin, Label: path, Value: name, Reason: reason})
			}
		}
	}
	for path := range c.files {
		if !present[path] {
			delete(c.files, path)
		}
	}
	slices.SortStableFunc(list, func(a, b certificate) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.Name, b.Name))
	})
	return list, problems
}

// look answers what of a file is in use, and why it is not what the file holds now.
func (c *certificates) look(dir, name string, now time.Time) (used *certificate, reason string) {
	path := filepath.Join(dir, name)
	f := c.files[path]
	if f == nil {
		f = &certificateFile{}
		c.files[path] = f
		if content := c.saved(name); content != nil {
			f.take(dir, name, content)
		}
	}
	f.refresh(dir, name, now)
	reason = f.fault
	for i := range f.good {
		said, refused := c.refused[f.good[i].sum]
		if !refused {
			used = &f.good[i]
			break
		}
		reason = cmp.Or(reason, refuses+"it: "+said)
	}
	if used != nil && reason != "" {
		reason += "; what it held before goes on serving"
	}
	return used, reason
}

// known lists the files of a folder that were there before.
func (c *certificates) known(dir string) (names []string) {
	for path := range c.files {
		if filepath.Dir(path) == dir {
			names = append(names, filepath.Base(path))
		}
	}
	slices.Sort(names)
	return names
}

// rank puts the preferred ones first, in the order of the globs, and secrets last.
func (c *certificates) rank(source certificateSource, name string) int {
	for i, glob := range c.preferred {
		if ok, err := path.Match(glob, name); ok && err == nil {
			return i
		}
	}
	if source.secret {
		return len(c.preferred) + 1
	}
	return len(c.preferred)
}
