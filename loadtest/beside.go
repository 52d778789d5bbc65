package main

import (
	"os"
	"path/filepath"
)

// beside reads the files that a scenario names: their names are relative to its folder.
func beside(scenario string) func(name string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		if !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(scenario), name)
		}
		return os.ReadFile(name)
	}
}
