package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sluice/internal/label"
	"sluice/routing"
)

// TestExamplesOfThePagesAreUsable runs every stack file of the documentation that says so (`yaml check`) through `proxy check`; what
// stands below it, when it begins with the file's name, is what that says.
func TestExamplesOfThePagesAreUsable(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := 0
	for _, page := range pages {
		content, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, example := range regexp.MustCompile("(?s)```yaml check\n(.*?)```\n\n(    stack.yml:.*?\n\n)?").FindAllSubmatch(content, -1) {
			examples++
			var said strings.Builder
			if err := check(&said, "stack.yml", example[1], "", routing.Options{Network: "proxy", EntryPorts: []int{80, 443}}); err != nil {
				t.Errorf("%s: %v", page, err)
			}
			if got, want := strings.TrimSpace(said.String()), strings.TrimSpace(string(example[2])); got != want {
				t.Errorf("%s: proxy check says\n%s\nthe page\n%s", page, got, want)
			}
		}
	}
	if examples < 2 {
		t.Errorf("%d examples were found", examples)
	}
}

func TestTheGuideForDockerFlowProxyNamesEveryLabel(t *testing.T) {
	page, err := os.ReadFile("../../docs/coming-from-docker-flow-proxy.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range routing.Labels.Specs {
		if !strings.Contains(string(page), "`"+l.Name+"`") {
			t.Errorf("the page does not name %s", l.Name)
		}
	}
	for _, name := range regexp.MustCompile("`([a-z]+[A-Z]\\w+)`").FindAllSubmatch(page, -1) {
		if _, known := routing.Labels.Lookup(string(name[1])); !known && !strings.HasPrefix(string(name[1]), "scale") {
			t.Errorf("the page names %s%s, which is no label", label.Prefix, name[1])
		}
	}
}
