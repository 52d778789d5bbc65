package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// sharedCertificates are the certificates that PUT has kept in a folder, as siblings pass them on. What cannot be used is
// nobody else's concern.
type sharedCertificates struct{ dir string }

func (s sharedCertificates) list() (map[string][]byte, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	usable := map[string][]byte{}
	for _, e := range entries {
		content, err := readBounded(filepath.Join(s.dir, e.Name()), maxCertificate)
		if err != nil {
			continue
		}
		if _, err := newCertificate(s.dir, e.Name(), content); err == nil {
			usable[e.Name()] = content
		}
	}
	return usable, nil
}

func (s sharedCertificates) put(name string, content []byte) error {
	c, err := newCertificate(s.dir, name, content) // which refuses a name that would lead elsewhere
	if err != nil {
		return err
	}
	return writeWhole(c.path, content)
}
