package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/routing"
)

func TestTheStackFilesOfTheRepositoryHaveNoProblems(t *testing.T) {
	files, err := filepath.Glob("../../deploy/*/*.yml")
	if err != nil || len(files) < 4 {
		t.Fatalf("stack files %v, error %v", files, err)
	}
	for _, file := range files {
		if filepath.Base(file) == "load.yml" { // a load test
			continue
		}
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		if err := check(&out, file, content, "", routing.Options{Network: "proxy"}); err != nil {
			t.Errorf("%v\n%s", err, out.String())
		}
	}
}
