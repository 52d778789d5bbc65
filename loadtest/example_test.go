package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"sluice/loadtest/scenario"
)

func TestExamplesAreAccepted(t *testing.T) {
	files, err := filepath.Glob("examples/*.yml")
	if err != nil || len(files) < 5 {
		t.Fatalf("find examples: %q, %v", files, err)
	}
	unset := func(string) (string, bool) { return "", false }
	for _, file := range files {
		if _, err := load(file, unset); err != nil {
			t.Error(err)
		}
	}
}

// What the reference says can be written must be accepted: the examples of its expectations are read as they stand there.
func TestTheReferenceSpeaksTheLanguage(t *testing.T) {
	page, err := os.ReadFile("../docs/loadtest.md")
	if err != nil {
		t.Fatal(err)
	}
	section := regexp.MustCompile(`(?s)## Expectations.*## Limits`).Find(page)
	examples := regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllSubmatch(section, -1)
	if len(examples) < 10 {
		t.Fatalf("the reference has %d examples of expectations", len(examples))
	}
	for _, e := range examples {
		if _, err := scenario.ParseExpectation(string(e[1])); err != nil {
			t.Error(err)
		}
	}
}
