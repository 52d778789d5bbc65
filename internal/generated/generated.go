// Package generated keeps files that are printed from the code's tables: it writes them, or tells which are not current.
package generated

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Main is the whole of a command that keeps the files of a folder, by name; with --check it writes none and fails when one is
// not what the code says.
func Main(dir string, files func() (map[string][]byte, error)) {
	check := flag.Bool("check", false, "fail when a file is not current")
	flag.Parse()
	contents, err := files()
	if err == nil {
		err = keep(dir, contents, *check)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func keep(dir string, files map[string][]byte, check bool) error {
	var stale []string
	for name, content := range files {
		path := filepath.Join(dir, name)
		if !check {
			if err := os.WriteFile(path, content, 0o644); err != nil {
				return err
			}
			continue
		}
		if current, err := os.ReadFile(path); err != nil || !bytes.Equal(current, content) {
			stale = append(stale, path)
		}
	}
	if len(stale) > 0 {
		slices.Sort(stale)
		return fmt.Errorf("not current: %s: run `make docs`", strings.Join(stale, ", "))
	}
	return nil
}
