package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// certificateSource is a folder of certificates.
type certificateSource struct {
	dir    string
	secret bool // only what is named cert-* and cert_* is a certificate, and it comes after all others
}

// maxCertificates bounds the files of one folder.
const maxCertificates = 10_000

var errTooMany = fmt.Errorf("it holds more than %d files", maxCertificates)

// names lists what may be a certificate, in the order of names; of folders and of files whose name begins with a dot
// nothing is said. A folder that does not exist is empty.
func (s certificateSource) names() (names []string, err error) {
	dir, err := os.Open(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, errors.New(without(s.dir, err))
	}
	defer dir.Close()
	entries, err := dir.ReadDir(maxCertificates)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.New(without(s.dir, err))
	}
	if _, err = dir.ReadDir(1); err == nil {
		err = errTooMany
	} else {
		err = nil
	}
	for _, entry := range entries {
		if name := entry.Name(); s.takes(name) && !isFolder(s.dir, entry) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, err
}

func (s certificateSource) takes(name string) bool {
	if s.secret {
		return strings.HasPrefix(name, "cert-") || strings.HasPrefix(name, "cert_")
	}
	return !strings.HasPrefix(name, ".")
}

// isFolder tells it of links too. Kubernetes keeps the files of a volume behind the links `..data` and name -> ..data/name.
func isFolder(dir string, entry fs.DirEntry) bool {
	if entry.Type()&fs.ModeSymlink == 0 {
		return entry.IsDir()
	}
	info, err := os.Stat(filepath.Join(dir, entry.Name()))
	return err == nil && info.IsDir()
}
