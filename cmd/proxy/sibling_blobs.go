package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
)

// blobs are named contents that siblings keep alike: the certificates that PUT gave. Put replaces in one step.
type blobs interface {
	list() (map[string][]byte, error)
	put(name string, content []byte) error
}

// blobShelf stamps blobs. It remembers what a blob was when it was stamped: one that is something else now was changed,
// by whomever, and that is a change like others. Blobs are not removed.
type blobShelf struct {
	file  string // "" keeps none
	blobs blobs

	mu      sync.Mutex
	marks   map[string]blobMark
	held    map[string]int // names that somebody changes here: nobody is told what is not judged yet
	stamper stamper
}

type blobMark struct {
	mark
	Sum string `json:"sum"` // of the content
}

// openBlobShelf reads the stamps of an earlier run. Blobs that have none are older than every change.
func openBlobShelf(file string, b blobs, instance string) (*blobShelf, error) {
	s := &blobShelf{file: file, blobs: b, marks: map[string]blobMark{}, held: map[string]int{}, stamper: stamper{by: instance}}
	content, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read stamps: %w", err)
	}
	if err != nil || json.Unmarshal(content, &s.marks) != nil || s.marks == nil {
		s.marks = map[string]blobMark{} // a broken file is like none
	}
	for _, m := range s.marks {
		s.stamper.saw(m.stamp)
	}
	all, err := b.list()
	if err != nil {
		return nil, err
	}
	for name, content := range all {
		if _, marked := s.marks[name]; !marked {
			s.marks[name] = blobMark{mark{stamp: stamp{At: 1, By: instance}}, sumOf(content)}
		}
	}
	return s, nil
}

func sumOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// hold keeps the siblings from hearing of a blob until changed says what became of it, or release that nothing did.
func (s *blobShelf) hold(name string) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held[name]++
}

// release ends a hold after which the blob is what it was before.
func (s *blobShelf) release(name string) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.let(name)
}

func (s *blobShelf) let(name string) {
	if s.held[name]--; s.held[name] <= 0 {
		delete(s.held, name)
	}
}

// changed ends a hold and stamps the blob that was put here; of a local one the siblings are not told.
func (s *blobShelf) changed(name string, local bool) error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.let(name)
	all, err := s.blobs.list()
	if err != nil {
		return err
	}
	s.marks[name] = blobMark{mark{s.stamper.next(), local}, sumOf(all[name])}
	return s.save()
}

// look lists the blobs and stamps those that are not what they were. The caller holds mu.
func (s *blobShelf) look() (map[string][]byte, error) {
	all, err := s.blobs.list()
	if err != nil {
		return nil, err
	}
	changed := false
	for name, content := range all {
		if sum := sumOf(content); s.marks[name].Sum != sum && s.held[name] == 0 {
			s.marks[name] = blobMark{mark{stamp: s.stamper.next()}, sum}
			changed = true
		}
	}
	if changed {
		err = s.save()
	}
	return all, err
}

func (s *blobShelf) versions() (map[string]stamp, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, err := s.look()
	result := map[string]stamp{}
	for name := range all {
		if m := s.marks[name]; !m.Local && s.held[name] == 0 {
			result[name] = m.stamp
		}
	}
	return result, err
}

func (s *blobShelf) give(names []string) (map[string]thing, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, err := s.look()
	result := map[string]thing{}
	for _, name := range names {
		if content, there := all[name]; there && !s.marks[name].Local && s.held[name] == 0 {
			result[name] = thing{stamp: s.marks[name].stamp, Value: content}
		}
	}
	return result, err
}

func (s *blobShelf) take(things map[string]thing) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.look(); err != nil {
		return err
	}
	var failures []error
	for name, t := range things {
		if t.Removed || !t.usable() || !t.after(s.marks[name].stamp) {
			continue
		}
		if err := s.blobs.put(name, t.Value); err != nil {
			failures = append(failures, fmt.Errorf("put %s: %w", name, err))
			continue
		}
		s.marks[name] = blobMark{mark{stamp: t.stamp}, sumOf(t.Value)}
		s.stamper.saw(t.stamp)
	}
	return errors.Join(append(failures, s.save())...)
}

func (s *blobShelf) save() error {
	if s.file == "" {
		return nil
	}
	content, err := json.Marshal(s.marks)
	if err != nil {
		return err
	}
	return writeWhole(s.file, content)
}
