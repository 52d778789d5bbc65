package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"sluice/internal/label"
	"sluice/routing"
)

// TestTheGuideForDockerFlowProxyIsTrue runs the stack file in it through `proxy check`, and looks for every label.
func TestTheGuideForDockerFlowProxyIsTrue(t *testing.T) {
	page, err := os.ReadFile("../../docs/coming-from-docker-flow-proxy.md")
	if err != nil {
		t.Fatal(err)
	}
	example := regexp.MustCompile("(?s)```yaml check\n(.*?)```\n\n    (stack.yml:.*?)\n\n").FindSubmatch(page)
	if example == nil {
		t.Fatal("there is no example with what proxy check says of it")
	}
	var said strings.Builder
	if err := check(&said, "stack.yml", example[1], "", routing.Options{Network: "proxy", EntryPorts: []int{80, 443}}); err != nil {
		t.Errorf("check: %v", err)
	}
	if got := strings.TrimSpace(said.String()); got != string(example[2]) {
		t.Errorf("proxy check says\n%s\nthe page\n%s", got, example[2])
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
