package main

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"sluice/internal/label"
)

// authorities are who must have signed the certificates of clients: the content of CA_FILE. HAProxy gets a copy that is
// named by its content, so that a file that was renewed is another configuration, and one that was broken does no harm.
type authorities struct {
	file  string // CA_FILE; "" is none
	dir   string // of the copies; "" hands out the file itself
	state fileState
	copy  string // that is in use; "" before there was a good one
	fault string
}

// maxAuthorities bounds CA_FILE in bytes; all that Debian trusts has 220 kB.
const maxAuthorities = 4 << 20

// read answers the file that HAProxy shall read; "" is none.
func (a *authorities) read(now time.Time) (path string, problems []label.Problem) {
	if a.file == "" || a.dir == "" {
		return a.file, nil
	}
	info, err := os.Stat(a.file)
	if err == nil {
		seen := stateOf(info)
		if seen == a.state {
			return a.answer()
		}
		if a.state = seen; now.Sub(info.ModTime()) < certainAfter {
			a.state = fileState{}
		}
		err = a.take()
	}
	if a.fault = ""; err != nil {
		a.fault, a.state = without(a.file, err), fileState{}
	}
	return a.answer()
}

func (a *authorities) answer() (path string, problems []label.Problem) {
	if a.fault == "" {
		return a.copy, nil
	}
	reason := "cannot be used: " + a.fault
	if path = a.copy; path != "" {
		reason += "; what it held before goes on counting"
	}
	return path, []label.Problem{{Service: "(settings)", Label: "CA_FILE", Value: a.file, Reason: reason}}
}

func (a *authorities) take() error {
	content, err := readAuthorities(a.file)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(content)
	copy := filepath.Join(a.dir, fmt.Sprintf("%x.pem", sum[:8]))
	if copy == a.copy {
		return nil
	}
	if err := writeWhole(copy, content); err != nil {
		return err
	}
	old, _ := filepath.Glob(filepath.Join(a.dir, "*.pem")) // what stays is tried again next time
	for _, file := range old {
		if file != copy && file != a.copy && a.copy != "" { // the configuration that runs may name the one before
			_ = os.Remove(file)
		}
	}
	a.copy = copy
	return nil
}

func readAuthorities(file string) ([]byte, error) {
	content, err := readBounded(file, maxAuthorities)
	if err != nil {
		return nil, err
	}
	if !x509.NewCertPool().AppendCertsFromPEM(content) {
		return nil, errors.New("holds no certificate (PEM)")
	}
	return content, nil
}
